"""Values of slots that are closed lists: what was heard a little wrong becomes the value that it sounds like."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from ..edit_distance import edit_distance

MOST_CHANGED = 0.34
"""Share of the letters of a value that may differ from what was heard."""
NEXT_TO_NOTHING = 0.12
"""The same, where every word of what was heard is one of the slot's."""

_edits = lru_cache(64)(edit_distance)


def nearest_value(words: Sequence[str], values: tuple[str, ...]) -> str | None:
    """Return the value that words, in lower case, stand for; None if none is near.

    Words that all occur in values are left as they are, unless next to nothing is missing: "a bit of soy milk" is no
    "bit of milk", but "little bit of sugar" is "a little bit of sugar".
    """
    said = " ".join(words)
    if said in values:
        return said
    known = _words_of(values)
    if all(word in known for word in words):
        return _nearest(said, values, NEXT_TO_NOTHING) or said
    # a value as a whole, or what was heard with each strange word replaced
    mended = " ".join(word if word in known else _nearest(word, known, MOST_CHANGED) or word for word in words)
    choices = (*values, mended) if all(word in known for word in mended.split()) else values
    return _nearest(said, choices, MOST_CHANGED)


@lru_cache(32)
def _words_of(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for value in values for word in value.split()))


def _nearest(said: str, choices: Iterable[str], most: float) -> str | None:
    """Return the choice of whose letters the smallest share differs, at most ``most``; of equals the first by name."""
    # lengths alone tell of most that they are too far away
    near = [one for one in dict.fromkeys(choices) if abs(len(one) - len(said)) <= most * len(one)]
    best = min(((_edits(said, one) / len(one), one) for one in near), default=(most + 1, ""))
    return best[1] if best[0] <= most else None
