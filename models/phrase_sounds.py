"""Phrases as attention biasing reads them: at each word piece, the pieces before it and the phones around it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .tokens import WORD_MARK

Ints = npt.NDArray[np.int64]
LetterPhones = tuple[tuple[int, ...], ...]
"""Of each character of a word, the phones that it says."""
ByLetter = Callable[[Sequence[str]], Sequence[LetterPhones]]
PIECES = 3
"""Pieces that a place knows: the two before it, as a predictor of context 2 does, and its own."""
PHONES_BEFORE, PHONES_AFTER = 3, 6
"""Phones that a place knows before its piece begins, and from there on."""
LONGEST_PIECE = 7
"""Phones of a piece; more count as so many."""
SOUNDS = PHONES_BEFORE + PHONES_AFTER + 1
"""Numbers that tell how a place sounds: phones, and how many of them are its own piece's."""


@dataclass(frozen=True)
class Places:
    """Word pieces of phrases, one place each."""

    pieces: Ints
    """[places, PIECES] Token ids: the two before in the phrase, 0 where there are none, and its own."""
    sounds: Ints
    """[places, SOUNDS] Classes of phones, 0 beyond the phrase and where none are known; the last is a count."""


def places_of(phrases: Sequence[Sequence[int]], tokens: Sequence[str], by_letter: ByLetter | None) -> Places:
    """Return what is known at each piece of phrases, one phrase after the other.

    Args:
        phrases: token ids of each.
        tokens: what tokens say, by id, with the mark of a word's beginning.
        by_letter: tells how words are said, see ``Pronouncer.by_letter``; None: nobody knows, and sounds are 0.
    """
    texts = [[tokens[token] for token in phrase] for phrase in phrases]
    words = ["".join(text).lower().split(WORD_MARK) for text in texts]
    known = list({word: None for each in words for word in each if word})
    said = dict(zip(known, by_letter(known) if by_letter is not None else [()] * len(known), strict=True))
    pieces = np.zeros((sum(map(len, phrases)), PIECES), np.int64)
    sounds = np.zeros((len(pieces), SOUNDS), np.int64)
    row = 0
    for phrase, text, own in zip(phrases, texts, words, strict=True):
        # one entry a character, the mark of a word's beginning among them, which says nothing
        letters: list[tuple[int, ...]] = []
        for number, word in enumerate(own):
            letters += [()] * (number > 0)
            letters += said.get(word) or [()] * len(word)
        phones = [0] * PHONES_BEFORE + [phone for letter in letters for phone in letter] + [0] * PHONES_AFTER
        place = begin = 0
        for k, (token, characters) in enumerate(zip(phrase, text, strict=True)):
            end = begin + sum(map(len, letters[place : place + len(characters)]))
            pieces[row] = [*[0, 0, *phrase[max(0, k - 2) : k]][-2:], token]
            sounds[row, :-1] = phones[begin : begin + SOUNDS - 1]
            sounds[row, -1] = min(end - begin, LONGEST_PIECE)
            place, begin, row = place + len(characters), end, row + 1
    return Places(pieces, sounds)
