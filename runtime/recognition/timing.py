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
        self._times: dict[str, list[float]] = {}
        """Calls, seconds, longest, latest of each stage: plain lists, as there are over fifty calls a second."""

    def add(self, stage: str, seconds: float) -> None:
        """Count a call of a stage."""
        known = self._times.get(stage)
        if known is None:
            self._times[stage] = [1, seconds, seconds, seconds]
            return
        known[0] += 1
        known[1] += seconds
        known[3] = seconds
        known[2] = max(known[2], seconds)

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
        return {
            stage: StageTimes(int(calls), seconds, longest, latest)
            for stage, (calls, seconds, longest, latest) in list(self._times.items())
        }
