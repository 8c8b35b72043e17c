"""Values of slots that are closed lists: what was heard a little wrong becomes the value that it sounds like."""

from collections.abc import Sequence
from functools import lru_cache

from ..edit_distance import edit_distance

MOST_CHANGED = 0.34
"""Share of the letters of a value that may differ from what was heard."""
NEXT_TO_NOTHING = 0.12
"""The same, where every word of what was heard is one of the slot's."""

_edits = lru_cache(4096)(edit_distance)


def nearest_value(words: Sequence[str], values: tuple[str, ...]) -> str | None:
    """Return the value that words, in lower case, stand for; None if none is near.

    Words that all occur in values are left as they are, unless next to nothing is missing: "a bit of soy milk" is no
    "bit of milk", but "little bit of sugar" is "a little bit of sugar".
    """
    said = " ".join(words)
    if said in values:
        return said
    if all(word in _words_of(values) for word in words):
        near = min(values, key=lambda value: (_edits(said, value) / len(value), value))
        return near if _edits(said, near) <= NEXT_TO_NOTHING * len(near) else said
    # a value as a whole, or what was heard with each strange word replaced
    mended = " ".join(
        word if word in _words_of(values) else _nearest(word, _words_of(values)) or word for word in words
    )
    choices = [(_edits(said, value) / len(value), value) for value in dict.fromkeys((*values, mended))]
    allowed = [
        one for one in choices if one[0] <= MOST_CHANGED and all(word in _words_of(values) for word in one[1].split())
    ]
    return min(allowed)[1] if allowed else None


@lru_cache(256)
def _words_of(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for value in values for word in value.split()))


def _nearest(word: str, words: Sequence[str]) -> str | None:
    best = min(words, key=lambda one: _edits(word, one) / len(one), default=None)
    return best if best is not None and _edits(word, best) <= MOST_CHANGED * len(best) else None
