"""Where data disagree with themselves: the same words, labelled in two ways. One of them is mostly a slip."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from .examples import Example


@dataclass(frozen=True)
class Disagreement:
    """Words that are labelled in several ways."""

    words: str
    """The words."""
    what: str
    """``intent`` or ``slots``."""
    ways: tuple[tuple[str, str], ...]
    """What each says, the most frequent first, and where the first example of it stands."""

    def __str__(self) -> str:
        """Return one line."""
        said = "; ".join(f"{way} ({where})" if where else way for way, where in self.ways)
        return f"{self.what} of {self.words!r}: {said}"


def disagreements(examples: Iterable[Example]) -> list[Disagreement]:
    """Return what disagrees: intents of the same words first, then slots of the same words and intent."""
    intents: dict[str, Counter[str]] = defaultdict(Counter)
    slots: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    where: dict[tuple[str, str], str] = {}
    for one in examples:
        tokens, labels = one.labelled()
        words = " ".join(token.text for token in tokens)
        intents[words][one.intent] += 1
        where.setdefault((words, one.intent), one.where)
        way = " ".join(token.text if label == "O" else f"{token.text}/{label}"
                       for token, label in zip(tokens, labels, strict=True))  # fmt: skip
        if one.slots is not None:
            slots[words, one.intent][way] += 1
            where.setdefault((words, way), one.where)
    found = [_disagreement(words, "intent", ways, where) for words, ways in intents.items() if len(ways) > 1]
    return found + [_disagreement(words, "slots", ways, where) for (words, _), ways in slots.items() if len(ways) > 1]


def _disagreement(words: str, what: str, ways: Counter[str], where: dict[tuple[str, str], str]) -> Disagreement:
    return Disagreement(words, what, tuple((way, where[words, way]) for way, _ in ways.most_common()))
