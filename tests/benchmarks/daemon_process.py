"""A daemon in a process of its own, for the benchmarks of it; no benchmark itself."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class RunningDaemon:
    """A daemon that listens."""

    wyoming: int
    http: int
    """Ports."""
    process: "subprocess.Popen[str]"
    ready: float
    """Seconds from its start until it listened."""


@contextmanager
def daemon(*arguments: str) -> Iterator[RunningDaemon]:
    """Run a daemon until the end of the block. Its modules are kept compiled, as those of an installed package are."""
    wyoming, http = free_ports()
    where = ("--uri", f"tcp://127.0.0.1:{wyoming}", "--http", f"127.0.0.1:{http}")
    code = "from nearword.runtime.cli import main; main()"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", *where, *arguments], stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        for line in process.stderr or ():
            if "listening: http" in line:
                break
        yield RunningDaemon(wyoming, http, process, time.monotonic() - begun)
    finally:
        process.terminate()
        process.wait()


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens at."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
