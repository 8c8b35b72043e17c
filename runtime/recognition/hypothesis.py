"""The best words of the present utterance, kept up to date with little work."""

from collections.abc import Callable
from dataclasses import dataclass

from ...endpointing import completeness
from ...lattice import Calibration, Lattice, LatticeError, n_best
from ...models.samples import Samples
from ..search import Search
from .confidence import with_confidences
from .decode_loop import DecodeLoop
from .events import Alternative
from .reading import Reading, read, read_best
from .second_pass import PhonesHeard, best_words
from .timeline import Timeline
from .transcript import Word

PARTIAL_SECONDS = 0.1
"""Least time between two partials."""
COMPLETE_SECONDS = 0.08
"""After so much silence the words are completed, see ``DecodeLoop.completed``; again whenever it has doubled."""
STABLE_SECONDS = 3.0
"""How old a word must be to be called stable where the search does not have the last word: then it is kept."""
ALTERNATIVES = 5
"""Texts in ``n_best``."""


@dataclass(frozen=True)
class UtteranceResult:
    """What an utterance came to."""

    words: tuple[Word, ...]
    n_best: tuple[Alternative, ...]
    lattice: Lattice | None
    """None if the search holds no path (never seen with a sound model)."""

    @property
    def text(self) -> str:
        """The words, as a line."""
        return line(self.words)


class Hypothesis:
    """What the search says: as far as it is, and in silence with what was heard and is not encoded yet."""

    def __init__(self, loop: DecodeLoop, *, lower: bool, calibration: Calibration | None = None) -> None:
        self._loop = loop
        self._model = loop.session.model
        self._timeline = Timeline()
        self._timeline.begin(loop.encoder.origin)
        self._calibration = calibration
        self._lower = lower
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Begin an utterance, or the wait for one; all times are seconds of the stream."""
        self.words: tuple[Word, ...] = ()
        """The best words."""
        self.text = ""
        """The best words, as a line."""
        self.texts: tuple[str, ...] = ()
        """The best words without times."""
        self.completeness = completeness(())
        """How complete they look; see ``endpointing.completeness``."""
        self.ending: float | None = None
        """Log-probability that a sentence ends after them; None where no language model takes part."""
        self.changed_at = now
        """When they last changed."""
        self._began = now
        self._shown, self._shown_at = "", -PARTIAL_SECONDS
        """The words that were last shown, and when."""
        self._complete_at = COMPLETE_SECONDS
        self._promised: tuple[str, ...] = ()
        self._take(self._loop.search, self._loop.phones, now)

    def lost(self, heard: float, seconds: float) -> None:
        """Note that ``seconds`` are missing after ``heard`` seconds of audio, gaps not counted."""
        self._timeline.lost(heard, seconds)
        if not self._loop.search.tokens:
            self._timeline.gather()

    def restart(self) -> None:
        """Forget all that was heard, but for the last moments."""
        self._loop.restart()
        self._timeline.begin(self._loop.encoder.origin)

    @property
    def is_completed(self) -> bool:
        """Whether the words hold all that was heard; if not, they are the beginning of what they will be."""
        return self._search is not self._loop.search

    @property
    def stable_text(self) -> str:
        """The beginning of the words that cannot change any more, up to the last letter."""
        return self._loop.stable_text(lower=self._lower)

    @property
    def last_end(self) -> float:
        """When the last word ended; when the utterance began, if there is none."""
        return self.words[-1].end if self.words else self._began

    def hear(self, samples: Samples, *, nobody_speaks: bool) -> bool:
        """Take samples as ``FrameGrid`` gives them; returns whether a step was decoded.

        Where nobody speaks, and the search has no words either, nothing is encoded.
        """
        if nobody_speaks and not self._loop.search.tokens:
            self._loop.skip(samples)
            return False
        if self._loop.is_idle:
            self.restart()
        return self._loop.accept(samples)

    def look(self, now: float, silence: float, *, decoded: bool) -> None:
        """Look again, ``silence`` seconds after the last speech; ``decoded`` says that the search has gone on."""
        if silence >= self._complete_at:
            self._complete_at = 2 * silence
            self.complete(now, silence)
        elif decoded and not (silence >= COMPLETE_SECONDS and self.is_completed):
            self._take(self._loop.search, self._loop.phones, now)
        if not silence:
            self._complete_at = COMPLETE_SECONDS

    def complete(self, now: float, silence: float) -> None:
        """Bring the words up to this moment."""
        # voice activity may miss quiet speech: what gave a word a moment ago was no silence
        self._take(*self._loop.completed(min(silence, max(0.0, now - self.last_end))), now)

    def result(self, now: float) -> UtteranceResult:
        """Return all there is to say of the words and what may have been said instead."""
        with self._loop.stopwatch.measured("result"):
            return self._result(
                self.words,
                lambda: read_best(
                    self._loop,
                    self._search,
                    self._phones,
                    lambda search: self._words(search, now),
                    self._promised,
                    lower=self._lower,
                ),
                now,
            )

    def news(self, now: float) -> tuple[str, tuple[Word, ...], int] | None:
        """Return text, words and how many of these are stable, if they are new and the last ones long enough ago.

        The utterance's result begins with the stable ones.
        """
        if now - self._shown_at < PARTIAL_SECONDS - 1e-6:
            return None
        words, stable = self.so_far(now)
        text = line(words)
        if text in ("", self._shown):
            return None
        self._shown, self._shown_at = text, now
        self._promised = max(self._promised, tuple(word.text for word in words[:stable]), key=len)
        return text, words, stable

    def so_far(self, now: float) -> tuple[tuple[Word, ...], int]:
        """Return the words as far as the search is, without completion, and how many of them will not change."""
        words = self._words(self._loop.search, now) if self.is_completed else self.words
        stable = self._loop.stable()[0]
        if self._loop.rescores:
            stable = sum(word.end <= now - STABLE_SECONDS for word in words[:stable])
        return words, stable

    def cut(self, now: float) -> UtteranceResult:
        """Take the stable words away and return them; the rest belongs to the next utterance.

        If none is stable, all are taken.
        """
        count, tokens = self._loop.stable()
        words, _ = self.so_far(now)
        if not tokens:
            count, tokens = len(words), len(self._loop.search.tokens)
        said = words[:count]
        result = self._result(
            said, lambda: read(self._loop, *self._loop.drop(tokens), said, self._promised, lower=self._lower), now
        )
        self._promised = ()
        return result

    def _result(self, words: tuple[Word, ...], reads: Callable[[], Reading], now: float) -> UtteranceResult:
        try:
            reading = reads()
        except LatticeError:
            return UtteranceResult(words, (), None)
        words, lattice = reading.words, self._timeline.shifted(reading.lattice, now)
        if reading.rescored:
            found = best_words(lattice, words)
            promised = len(self._promised)
            # a lattice without what was promised is one that was cut down to next to nothing
            words = found if tuple(word.text for word in found[:promised]) == self._promised else words
        words = with_confidences(words, lattice, self._calibration)
        alternatives = tuple(Alternative(path.text, round(path.posterior, 4)) for path in n_best(lattice, ALTERNATIVES))
        return UtteranceResult(words, alternatives, lattice)

    def _words(self, search: Search, now: float) -> tuple[Word, ...]:
        return self._timeline.words(self._model, search, now, lower=self._lower)

    def _take(self, search: Search, phones: PhonesHeard, now: float) -> None:
        self._search, self._phones = search, phones
        self.words = self._words(search, now)
        texts = tuple(word.text for word in self.words)
        if texts != self.texts:
            self.texts, self.text, self.changed_at = texts, " ".join(texts), now
            self.completeness = completeness(texts)
            self.ending = self._loop.session.options.ending(self._model, search.tokens)


def line(words: tuple[Word, ...]) -> str:
    """Return words with single spaces."""
    return " ".join(word.text for word in words)
