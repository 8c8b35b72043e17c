"""The best words of the present utterance, kept up to date with little work."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...lattice import Calibration, Lattice, LatticeError, TokenLattice, n_best
from ..search import Search
from .confidence import with_confidences
from .decoding import DecodingStream
from .events import Alternative
from .second_pass import PhonesHeard, best_words
from .transcript import Word

COMPLETE_SECONDS = 0.08
"""After so much silence the words are completed, see ``DecodingStream.completed``; again whenever it has doubled."""
STABLE_SECONDS = 3.0
"""How old a word must be to be called stable where the search does not have the last word: then it is kept."""
ALTERNATIVES = 5
"""Texts in ``n_best``."""


@dataclass(frozen=True)
class Outcome:
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

    def __init__(self, stream: DecodingStream, *, lower: bool, calibration: Calibration | None = None) -> None:
        self._stream = stream
        self._calibration = calibration
        self._lower = lower
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Begin an utterance, or the wait for one; all times are seconds of the stream."""
        self.words: tuple[Word, ...] = ()
        """The best words."""
        self.text = ""
        """The best words, as a line."""
        self.changed_at = now
        """When they last changed."""
        self._began = now
        self._complete_at = COMPLETE_SECONDS
        self._promised: tuple[str, ...] = ()
        self._take(self._stream.search, self._stream.phones, now)

    @property
    def is_completed(self) -> bool:
        """Whether the words hold all that was heard; if not, they are the beginning of what they will be."""
        return self._search is not self._stream.search

    @property
    def settled_text(self) -> str:
        """The beginning of the words that cannot change any more, up to the last letter."""
        return self._stream.settled_text(lower=self._lower)

    @property
    def last_end(self) -> float:
        """When the last word ended; when the utterance began, if there is none."""
        return self.words[-1].end if self.words else self._began

    def look(self, now: float, silence: float, *, decoded: bool) -> None:
        """Look again, ``silence`` seconds after the last speech; ``decoded`` says that the search has gone on."""
        if silence >= self._complete_at:
            self._complete_at = 2 * silence
            self.complete(now, silence)
        elif decoded and not (silence >= COMPLETE_SECONDS and self.is_completed):
            self._take(self._stream.search, self._stream.phones, now)
        if not silence:
            self._complete_at = COMPLETE_SECONDS

    def complete(self, now: float, silence: float) -> None:
        """Bring the words up to this moment."""
        # voice activity may miss quiet speech: what gave a word a moment ago was no silence
        self._take(*self._stream.completed(min(silence, max(0.0, now - self.last_end))), now)

    def outcome(self, now: float) -> Outcome:
        """Return all there is to say of the words and what may have been said instead."""
        return self._outcome(self.words, self._search.lattice(), self._phones, now)

    def promise(self, words: Sequence[str]) -> None:
        """Note that these first words of the utterance were said to be certain: its outcome begins with them."""
        self._promised = max(self._promised, tuple(words), key=len)

    def so_far(self, now: float) -> tuple[tuple[Word, ...], int]:
        """Return the words as far as the search is, without completion, and how many of them will not change."""
        search = self._stream.search
        words, settled = self._words(search, now) if self.is_completed else self.words, self._stream.settled(search)[0]
        if self._stream.looks_twice:
            settled = sum(word.end <= now - STABLE_SECONDS for word in words[:settled])
        return words, settled

    def cut(self, now: float) -> Outcome:
        """Take the settled words away and return them; the rest belongs to the next utterance.

        If none is settled, all are taken.
        """
        count, tokens = self._stream.settled(self._stream.search)
        words, _ = self.so_far(now)
        if not tokens:
            count, tokens = len(words), len(self._stream.search.tokens)
        outcome = self._outcome(words[:count], *self._stream.drop(tokens), now)
        self._promised = ()
        return outcome

    def _outcome(self, words: tuple[Word, ...], tokens: TokenLattice, phones: PhonesHeard, now: float) -> Outcome:
        try:
            lattice = self._stream.lattice(tokens, phones, now, best=words, promised=self._promised, lower=self._lower)
        except LatticeError:
            return Outcome(words, (), None)
        if self._stream.looks_twice:
            found = best_words(lattice, words)
            promised = len(self._promised)
            # a lattice without what was promised is one that was cut down to next to nothing
            words = found if tuple(word.text for word in found[:promised]) == self._promised else words
        words = with_confidences(words, lattice, self._calibration)
        alternatives = tuple(Alternative(path.text, round(path.posterior, 4)) for path in n_best(lattice, ALTERNATIVES))
        return Outcome(words, alternatives, lattice)

    def _words(self, search: Search, now: float) -> tuple[Word, ...]:
        return self._stream.words(search, now, lower=self._lower)

    def _take(self, search: Search, phones: PhonesHeard, now: float) -> None:
        self._search, self._phones = search, phones
        words = self._words(search, now)
        text = line(words)
        if text != self.text:
            self.changed_at = now
        self.words, self.text = words, text


def line(words: tuple[Word, ...]) -> str:
    """Return words with single spaces."""
    return " ".join(word.text for word in words)
