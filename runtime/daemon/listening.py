"""Sockets to listen at: bound here, or handed over by systemd."""

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

BACKLOG = 128
"""Connections that wait to be taken."""
FIRST_HANDED = 3
"""Number of the first file that systemd hands over (sd_listen_fds)."""


def bind(address: tuple[str, int] | Path) -> socket.socket:
    """Return a socket that listens at an address.

    A Unix socket is for its owner and group; one that a daemon before left behind is replaced, one in use is not.

    Raises:
        OSError: the address is taken, not this machine's, or not allowed; names it.
    """
    if isinstance(address, Path):
        return _bind_unix(address)
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # with the protocol named, asyncio sends what is written at once
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen at {host}:{port}: {_why(error)}") from error
    listening.setblocking(False)
    return listening


def _bind_unix(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        listening.bind(str(path))
        path.chmod(0o660)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen at {path}: {_why(error)}") from error
    listening.setblocking(False)
    return listening


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there, perhaps a nearword serve; end it, or give another address"
    return error.strerror or str(error)


def _clear(path: Path) -> None:
    """Remove a socket at which nobody listens any more."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return
    except FileNotFoundError:
        return
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)


def handed_over() -> dict[str, list[socket.socket]]:
    """Return the sockets that systemd hands over, by the name that ``FileDescriptorName=`` gives them.

    What the environment says of them is taken out of it: children are not meant.
    """
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if process != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, list[socket.socket]] = {}
    for offset in range(int(count)):
        os.set_inheritable(FIRST_HANDED + offset, False)
        listening = socket.socket(fileno=FIRST_HANDED + offset)
        listening.setblocking(False)
        name = names[offset] if offset < len(names) else ""
        found.setdefault(name, []).append(listening)
    return found


def keep_alive(connection: socket.socket | None) -> None:
    """Let the system find out that a peer is gone without a word: after a minute."""
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError, AttributeError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def shown(listening: socket.socket) -> str:
    """Return where a socket listens, for people."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return str(name)
    host, port = name[0], name[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
