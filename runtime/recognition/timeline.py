"""Times of words: from encoder frames to seconds of the whole stream, lost audio included."""

import dataclasses

import numpy as np

from ...lattice import Lattice
from ...models import SAMPLE_RATE, Transducer
from ...models.features import FRAME_SECONDS
from ..search import Search
from .transcript import Word, confidence_of


class Timeline:
    """Where the audio that one search hears stands in its stream, and where audio is missing in it."""

    def __init__(self) -> None:
        self._offset = 0.0
        """Seconds of audio heard before the search's frame 0."""
        self._gaps: list[tuple[float, float]] = []
        """Where audio is missing: seconds of audio heard until there, seconds missing."""

    def begin(self, feature_frame: int) -> None:
        """Note that a search begins at this frame of the features."""
        self._offset = feature_frame * FRAME_SECONDS
        self.gather()

    def lost(self, heard: float, seconds: float) -> None:
        """Note that ``seconds`` are missing after ``heard`` seconds of audio, gaps not counted."""
        self._gaps.append((heard, seconds))

    def gather(self) -> None:
        """Take all gaps together to the beginning: nothing was heard yet."""
        missing = sum(seconds for _, seconds in self._gaps)
        self._gaps = [(0.0, missing)] if missing else []

    def words(self, model: Transducer, search: Search, now: float, *, lower: bool = True) -> tuple[Word, ...]:
        """Return the words of a search, with times in seconds of the whole stream, at most ``now``."""
        tokens = search.tokens
        if not tokens:
            return ()
        frames, log_probs, seconds = search.frames, search.log_probs, model.info.frame_seconds
        return tuple(
            Word(
                text,
                self._shifted(max(0.0, self._offset + frames[first] * seconds), now),
                self._shifted(max(0.0, self._offset + (frames[end - 1] + 1) * seconds), now),
                round(confidence_of(log_probs[first:end]), 4),
            )
            for text, first, end in model.vocabulary.words(tokens, lower=lower)
        )

    def shifted(self, lattice: Lattice, now: float) -> Lattice:
        """Return the lattice of a search with times as ``words`` has them."""
        start, end = (
            np.asarray([self._shifted(self._offset + time, now) for time in times.tolist()], np.float32)
            for times in (lattice.start, lattice.end)
        )
        return dataclasses.replace(lattice, start=start, end=end)

    def _shifted(self, time: float, now: float) -> float:
        """Return the time in the stream of a time in the audio that was heard."""
        if self._gaps:
            time += sum(seconds for heard, seconds in self._gaps if heard <= time)
        return round(max(0.0, min(now, time)), 3)


def seconds_of(samples: int) -> float:
    """Return the length of so many samples, to the microsecond."""
    return round(samples / SAMPLE_RATE, 6)
