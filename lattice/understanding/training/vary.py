"""More texts of few: slots with the values of other texts, so that places are learnt, and not values alone."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from .examples import Example, Span

TRIES = 4
"""Draws for each variant that is wanted; what comes again is drawn anew."""


def varied(examples: Sequence[Example], most: int) -> tuple[list[Example], list[int]]:
    """Return examples, and behind each up to ``most`` variants of it; and of which example each is. The same each time.

    Values are exchanged within a slot of an intent. Texts without slots stay as they are.
    """
    chance = random.Random(7)  # noqa: S311 (the same texts each time)
    values: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in examples:
        for span in one.slots or ():
            said = one.text[span.start : span.end]
            known = values[one.intent, span.slot]
            if said not in known:
                known.append(said)
    seen = {one.text for one in examples}
    found, sources = [], []
    for place, one in enumerate(examples):
        found.append(one)
        made = 0
        for _ in range(TRIES * most if one.slots else 0):
            other = _exchanged(one, {span.slot: values[one.intent, span.slot] for span in one.slots or ()}, chance)
            if other.text not in seen and made < most:
                seen.add(other.text)
                found.append(other)
                made += 1
        sources += [place] * (1 + made)
    return found, sources


def _exchanged(one: Example, values: dict[str, list[str]], chance: random.Random) -> Example:
    text, spans, end = "", [], 0
    for span in one.slots or ():
        said = chance.choice(values[span.slot])
        text += one.text[end : span.start]
        text = _with_article(text, said)
        spans.append(Span(span.slot, len(text), len(text) + len(said)))
        text, end = text + said, span.end
    return Example(text + one.text[end:], one.intent, tuple(spans), one.where)


def _with_article(before: str, said: str) -> str:
    """Return a text whose last word, if it is an article, goes with what is said behind it."""
    head, space, article = before.rstrip().rpartition(" ")
    if article not in {"a", "an"} or not before.endswith(" ") or not said:
        return before
    return f"{head}{space}{'an' if said[0].lower() in 'aeio' else 'a'} "


LEAST_SEEN = 0.9
"""Share of the words of a slot that have to come again in others of its values, so that it is a closed list."""
FEW_VALUES = 8
"""Times that a slot has to be there, for anybody to tell."""
MOST_VALUES = 64
"""Values of a slot that are kept; a slot with more is open."""


def known_values(examples: Iterable[Example]) -> dict[str, tuple[str, ...]]:
    """Return the values of slots that are closed lists, in lower case: "small", "medium" and "large" of a size.

    A slot is one if nearly every word of it is also in another example, and if its values are few.
    """
    values: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for one in examples:
        tokens, _ = one.labelled()
        for span in one.slots or ():
            said = tuple(token.text for token in tokens if token.start < span.end and token.end > span.start)
            if said:
                values[span.slot][said] += 1
    found = {}
    for slot, counts in sorted(values.items()):
        words = Counter(word for said, count in counts.items() for word in said * count)
        again = sum(count for count in words.values() if count > 1)
        if len(counts) <= MOST_VALUES and counts.total() >= FEW_VALUES and again >= LEAST_SEEN * words.total():
            found[slot] = tuple(sorted(" ".join(said) for said in counts))
    return found
