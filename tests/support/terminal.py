"""Running a program on a terminal of its own."""

import os
import pty
import subprocess
from collections.abc import Sequence


def on_terminal(command: Sequence[str], *, stdout_too: bool) -> tuple[str, str]:
    """Run with a terminal as standard error; returns what it showed, and standard output if that is not it too."""
    main, side = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        command, stdout=side if stdout_too else subprocess.PIPE, stderr=side, env=environment
    ) as process:
        os.close(side)
        shown = b""
        while True:
            try:
                block = os.read(main, 10_000)
            except OSError:  # how Linux tells that the other side is closed
                break
            if not block:
                break
            shown += block
        out = process.stdout.read() if process.stdout else b""
    os.close(main)
    assert process.returncode == 0
    return shown.decode(), out.decode()
