"""The bytes of a file, a pipe or a device, as they come: to look at before they are taken, and to stop waiting for."""

import contextlib
import os
import select
import stat
from pathlib import Path

from typing_extensions import Self

from .errors import AudioError

READ_BYTES = 1 << 16


class ByteStream:
    """Forward through bytes, of which the next ones can be looked at.

    Waits in ``poll``: a signal ends the wait in the main thread, ``stop`` in any other.
    """

    def __init__(self, source: str | Path | int, name: str | None = None, *, close: bool | None = None) -> None:
        """Open a path, or read a file descriptor from where it is.

        Args:
            source: the path, or the descriptor.
            name: for messages; by default the path.
            close: whether to close it at the end; by default only what was opened here.

        Raises:
            AudioError: no such file, a folder, or not to be opened.
        """
        self.name = name or (str(source) if not isinstance(source, int) else f"file descriptor {source}")
        self.path = None if isinstance(source, int) else source
        self._fd = source if isinstance(source, int) else _open(source)
        self._close = not isinstance(source, int) if close is None else close
        status = os.fstat(self._fd)
        self.is_regular = stat.S_ISREG(status.st_mode)
        self.size = status.st_size if self.is_regular else None
        self.taken = 0
        """Bytes that were read."""
        self._peeked = b""
        self._ended = False
        self._stopped = False
        self._wake = None if self.is_regular else os.pipe()

    @property
    def peeked(self) -> bytes:
        """What was looked at and not taken."""
        return self._peeked

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes without taking them; fewer if the stream ends."""
        while len(self._peeked) < count and (more := self._read(max(count - len(self._peeked), 512))):
            self._peeked += more
        return self._peeked[:count]

    def read(self, count: int) -> bytes:
        """Take at most ``count`` bytes: what is there, waiting only for the first. None are left if it is empty.

        Raises:
            AudioError: the system cannot read on.
        """
        if self._peeked:
            data, self._peeked = self._peeked[:count], self._peeked[count:]
        else:
            data = self._read(count)
        self.taken += len(data)
        return data

    def exactly(self, count: int) -> bytes:
        """Take ``count`` bytes; fewer if the stream ends."""
        data = self.read(count)
        while len(data) < count and (more := self.read(count - len(data))):
            data += more
        return data

    def _read(self, count: int) -> bytes:
        while not self._ended:
            try:
                if self._wake is not None and not self._wait(self._wake[0]):
                    break
                data = os.read(self._fd, count)
            except BlockingIOError:
                continue
            except OSError as error:
                self._ended = True
                raise AudioError(self.name, f"cannot be read ({error.strerror})") from error
            self._ended = not data
            return data
        return b""

    def _wait(self, wake: int) -> bool:
        """Wait for bytes; returns False when there will be none."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while not self._stopped:
            ready = dict(poll.poll())
            if ready.get(self._fd, 0):
                return not self._stopped
        return False

    def glance(self, ahead: int, count: int) -> bytes:
        """Return bytes of a regular file so far ahead of the next one, without taking any."""
        return os.pread(self._fd, count, self.taken + ahead)

    def rewound(self) -> int:
        """Return the descriptor of a regular file, at its beginning, for another reader or for this one."""
        self._peeked, self._ended, self.taken = b"", False, 0
        os.lseek(self._fd, 0, os.SEEK_SET)
        return self._fd

    def stop(self) -> None:
        """End the stream where it is, from any thread."""
        self._stopped = True
        if self._wake is not None:
            with contextlib.suppress(OSError):
                os.write(self._wake[1], b"\0")

    def close(self) -> None:
        """Close what was opened; not while another thread reads."""
        self._ended = True
        if self._close:
            self._close = False
            os.close(self._fd)
        if self._wake is not None:
            wake, self._wake = self._wake, None
            for end in wake:
                os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _open(path: str | Path) -> int:
    try:
        # a named pipe that nobody writes to yet is waited for later, where the wait can be ended
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise AudioError(path, "no such file") from error
    except (OSError, ValueError) as error:
        raise AudioError(path, f"cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise AudioError(path, "is a folder; name an audio file")
    return fd
