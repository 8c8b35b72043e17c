"""Figures as words: models that have no tokens for figures write them out."""

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
MAX_DIGITS = 12
"""Longer numbers are said figure by figure only."""


def readings(figures: str) -> list[str]:
    """Return how a string of ASCII figures may be said: as a number, figure by figure, in pairs (as years are)."""
    one_by_one = " ".join(_SMALL[int(figure)] for figure in figures)
    if len(figures) > MAX_DIGITS or (figures[0] == "0" and len(figures) > 1):
        return [one_by_one]
    found = [cardinal(int(figures))]
    if len(figures) > 1:
        found.append(one_by_one)
    if len(figures) == 4 and figures[2] != "0" and figures[1:] != "000":
        found.append(f"{cardinal(int(figures[:2]))} {cardinal(int(figures[2:]))}")
    return found


def cardinal(value: int) -> str:
    """Return a number below 10 to the 12th in words, without "and"."""
    if value < 20:
        return _SMALL[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f" {_SMALL[ones]}" if ones else "")
    for unit, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if value >= unit:
            head, rest = divmod(value, unit)
            return f"{cardinal(head)} {name}" + (f" {cardinal(rest)}" if rest else "")
    raise AssertionError(value)
