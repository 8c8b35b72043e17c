"""How far two sequences are apart."""

from collections.abc import Sequence


def edit_distance(one: Sequence[object], other: Sequence[object]) -> int:
    """Return the least number of elements put in, left out or replaced (Levenshtein 1966): letters, words, phones."""
    row = list(range(len(other) + 1))
    for at, element in enumerate(one, 1):
        above, row[0] = row[0], at
        for place, wanted in enumerate(other, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (element != wanted))
    return row[-1]
