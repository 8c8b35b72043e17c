"""The best words of the present utterance, kept up to date with little work."""

from .decoding import DecodingStream
from .search import GreedySearch
from .transcript import Word

COMPLETE_SECONDS = 0.08
"""After so much silence the words are completed, see ``DecodingStream.completed``; again whenever it has doubled."""


class Hypothesis:
    """What the search says: as far as it is, and in silence with what was heard and is not encoded yet."""

    def __init__(self, stream: DecodingStream, *, lower: bool) -> None:
        self._stream = stream
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
        self._take(self._stream.search, now)

    @property
    def is_completed(self) -> bool:
        """Whether the words hold all that was heard; if not, they are the beginning of what they will be."""
        return self._search is not self._stream.search

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
            self._take(self._stream.search, now)
        if not silence:
            self._complete_at = COMPLETE_SECONDS

    def complete(self, now: float, silence: float) -> None:
        """Bring the words up to this moment."""
        # voice activity may miss quiet speech: what gave a word a moment ago was no silence
        self._take(self._stream.completed(min(silence, max(0.0, now - self.last_end))), now)

    def so_far(self, now: float) -> tuple[tuple[Word, ...], int]:
        """Return the words as far as the search is, without completion, and how many of them will not change."""
        search = self._stream.search
        return self._words(search, now) if self.is_completed else self.words, self._stream.settled(search)[0]

    def cut(self, now: float) -> tuple[Word, ...]:
        """Take the settled words away and return them; the rest belongs to the next utterance.

        If none is settled, all are taken.
        """
        count, tokens = self._stream.settled(self._stream.search)
        words, _ = self.so_far(now)
        if not tokens:
            count, tokens = len(words), len(self._stream.search.tokens)
        self._stream.drop(tokens)
        return words[:count]

    def _words(self, search: GreedySearch, now: float) -> tuple[Word, ...]:
        return self._stream.words(search, now, lower=self._lower)

    def _take(self, search: GreedySearch, now: float) -> None:
        self._search = search
        words = self._words(search, now)
        text = line(words)
        if text != self.text:
            self.changed_at = now
        self.words, self.text = words, text


def line(words: tuple[Word, ...]) -> str:
    """Return words with single spaces."""
    return " ".join(word.text for word in words)
