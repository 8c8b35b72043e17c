"""Ctrl-C that never falls into the middle of a decoding step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def whole_steps() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block, so that what was recognised so far stays whole.

    A second Ctrl-C does not wait.

    Raises:
        KeyboardInterrupt: at the end of the block, if Ctrl-C was pressed within.
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
