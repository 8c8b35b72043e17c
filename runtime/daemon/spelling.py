"""Recognised words in the spelling that names were given in: "living room t v" as "Living Room TV"."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...biasing import Phrase, Tokenizer


@dataclass
class _Node:
    after: dict[str, "_Node"] = field(default_factory=dict)
    written: str | None = None


class Spelling:
    """What may be said for names, to the names as they are written."""

    def __init__(self, phrases: Iterable[Phrase] = (), tokenizer: Tokenizer | None = None) -> None:
        """Take names; of two that sound alike the first counts.

        Args:
            phrases: the names.
            tokenizer: knows what may be said for what is written; its inflections are left aside, so that "lights" does
                not become the name of one light.
        """
        self._root = _Node()
        for phrase in phrases:
            for said in tokenizer.spellings(phrase) if tokenizer is not None else (phrase.text,):
                self._put(said.lower().split(), " ".join(phrase.text.split()))

    def _put(self, words: Sequence[str], written: str) -> None:
        node = self._root
        for word in words:
            node = node.after.setdefault(word, _Node())
        if words and node.written is None:
            node.written = written

    def spelled(self, words: Sequence[str], *, open_end: bool = False) -> tuple[list[str], int]:
        """Return the words with names as they are written, and how many of the given words these stand for.

        Args:
            words: recognised words.
            open_end: more words may follow; those at the end that may be the beginning of a name are held back.
        """
        out: list[str] = []
        place = 0
        while place < len(words):
            node, found, length, end = self._root, None, 0, place
            while end < len(words) and words[end].lower() in node.after:
                node = node.after[words[end].lower()]
                end += 1
                if node.written is not None:
                    found, length = node.written, end - place
            if open_end and end == len(words) and node.after and node is not self._root:
                break
            out.append(found if found is not None else words[place])
            place += length or 1
        return out, place

    def text(self, words: Sequence[str]) -> str:
        """Return words as a line, with names as they are written."""
        return " ".join(self.spelled(words)[0])
