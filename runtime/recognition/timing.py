"""How long each stage of recognition takes, by the clock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True)
class StageTimes:
    """What one stage has taken so far."""

    calls: int
    """How often it ran."""
    seconds: float
    """In all."""
    longest: float
    """Seconds of the longest call."""
    latest: float
    """Seconds of the latest call."""


class Stopwatch:
    """Adds up what stages take. Written to by one thread; may be read by any."""

    def __init__(self) -> None:
        self._times: dict[str, StageTimes] = {}

    def add(self, stage: str, seconds: float) -> None:
        """Count a call of a stage."""
        known = self._times.get(stage)
        if known is None:
            self._times[stage] = StageTimes(1, seconds, seconds, seconds)
        else:
            longest = max(known.longest, seconds)
            self._times[stage] = StageTimes(known.calls + 1, known.seconds + seconds, longest, seconds)

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Count what is done inside as a call of a stage."""
        began = perf_counter()
        try:
            yield
        finally:
            self.add(stage, perf_counter() - began)

    @property
    def times(self) -> dict[str, StageTimes]:
        """What each stage has taken so far."""
        return dict(self._times)
