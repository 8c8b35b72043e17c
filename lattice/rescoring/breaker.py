"""A circuit breaker: after failures in a row nothing is sent for a while, then one request probes."""

import time
from collections.abc import Callable
from enum import Enum

MAX_SECONDS = 60.0
"""Longest pause."""


class State(str, Enum):
    """What the breaker lets through."""

    closed = "closed"
    """Everything."""
    open = "open"
    """Nothing, for a while."""
    half_open = "half_open"
    """One request, on whose end it depends."""


class Breaker:
    """Counts failures in a row. What ``admit`` let through must end in ``succeeded``, ``failed`` or ``abandoned``."""

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin closed.

        Args:
            failures: in a row, that open it.
            seconds: of the first pause; doubles with each failed probe.
            clock: seconds that only go forward.
        """
        self._limit, self._first, self._clock = failures, seconds, clock
        self._pause = seconds
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """What it lets through now."""
        if self._open_until is None:
            return State.closed
        return State.half_open if self._probing or self._clock() >= self._open_until else State.open

    def admit(self) -> bool:
        """Return whether a request may go out."""
        if self._open_until is None:
            return True
        if self._probing or self._clock() < self._open_until:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Close."""
        self._failures, self._pause = 0, self._first
        self._open_until, self._probing = None, False

    def failed(self, pause: float = 0.0) -> None:
        """Count a failure; ``pause`` is how long the other side asked for, in seconds."""
        self._failures += 1
        if self._probing:
            self._pause = min(2 * self._pause, MAX_SECONDS)
        elif self._failures < self._limit:
            return
        self._probing = False
        self._open_until = self._clock() + max(self._pause, min(pause, MAX_SECONDS))

    def abandoned(self) -> None:
        """Forget a request that ended without saying anything of the other side."""
        self._probing = False
