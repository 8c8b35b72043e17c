"""Ctrl-C, and a request to end, that never fall into the middle of a decoding step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What ends a command with what was recognised so far: Ctrl-C, a service manager, a terminal that is closed."""

_stopped_by: int | None = None


def note(number: int) -> None:
    """Remember which signal ends the command: its exit code tells."""
    global _stopped_by  # noqa: PLW0603 (a process has one exit code)
    _stopped_by = number


def exit_code() -> int:
    """Return the exit code of a command that a signal has ended, as shells have it: 130 of Ctrl-C, 143 of SIGTERM."""
    return 128 + (_stopped_by or signal.SIGINT)


def was_stopped() -> bool:
    """Whether a signal has asked the command to end."""
    return _stopped_by is not None


class Stopped(KeyboardInterrupt):
    """A signal that ends the command.

    No plain ``KeyboardInterrupt``: once that has come out of anything that ``exec`` runs, as data classes are made,
    ``python -m`` ends by SIGINT, whatever the exit code was to be.
    """


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    note(number)
    raise Stopped


def install() -> None:
    """Let every signal that ends a command do so as Ctrl-C does, but those that are ignored (nohup)."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@contextmanager
def whole_steps() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block, so that what was recognised so far stays whole.

    A second one does not wait. SIGTERM is as Ctrl-C.

    Raises:
        KeyboardInterrupt: at the end of the block, if Ctrl-C was pressed within.
    """
    asked = False

    def wait(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        del frame
        note(number)
        if asked:
            raise Stopped
        asked = True

    before = {number: signal.getsignal(number) for number in STOPPING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, wait)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise Stopped
