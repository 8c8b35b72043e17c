"""How well requests in text are understood: intents, slots, and what is refused."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...endpointing.scorecard import Estimate, proportion
from ...lattice.understanding import NOTHING_LISTED, Listed, Understanding, UnderstandingModel
from ...lattice.understanding.training import Example
from ...lattice.understanding.training.train import NONE_OF_THEM

LOST = 0.02
"""Share of requests lost at which it is told how much else is refused."""
Spans = frozenset[tuple[int, int, str]]


@dataclass(frozen=True)
class Answer:
    """What became of a text."""

    example: Example
    """The text, and what it asks for."""
    found: Understanding
    """What was understood."""
    wanted_slots: Spans
    """First word, place behind the last, and name of each slot."""
    found_slots: Spans
    """The same as understood."""

    @property
    def asks(self) -> bool:
        """Whether the text asks for something."""
        return self.example.intent not in NONE_OF_THEM

    @property
    def intent_right(self) -> bool:
        """Whether the intent is right, accepted or not."""
        return self.found.intent == self.example.intent

    @property
    def whole_right(self) -> bool:
        """Whether intent and all slots are right."""
        return self.intent_right and self.found_slots == self.wanted_slots


@dataclass(frozen=True)
class RequestScore:
    """Figures of texts."""

    requests: int
    """Texts that ask for something."""
    intents: Estimate
    """Share of them whose intent is right, accepted or not."""
    accepted: Estimate
    """Share of them that are accepted."""
    understood: Estimate
    """Share of them that are accepted, with the right intent and all slots right."""
    slots: int
    """Slots in them."""
    slot_precision: float
    """Share of the slots found that are right: name and words; NaN without any."""
    slot_recall: float
    """Share of the slots that are found."""
    others: int
    """Texts that ask for nothing."""
    refused: Estimate
    """Share of them that are refused."""
    refused_at_loss: float
    """Share of them that is refused where 2 % of the requests are; NaN without such."""
    confusions: tuple[tuple[str, str, int], ...] = field(default_factory=tuple)
    """Intent, what it was taken for, and how often; the most frequent first."""

    @property
    def slot_f1(self) -> float:
        """Harmonic mean of precision and recall of slots."""
        both = self.slot_precision + self.slot_recall
        return 2 * self.slot_precision * self.slot_recall / both if both else 0.0


def answer(model: UnderstandingModel, examples: Iterable[Example], listed: Listed = NOTHING_LISTED) -> Iterator[Answer]:
    """Yield what becomes of each text."""
    for example in examples:
        tokens, labels = example.labelled()
        found = model.understand_tokens(tokens, listed)
        spans = frozenset((slot.first, slot.end, slot.name) for slot in found.slots)
        yield Answer(example, found, spans_of(labels), spans)


def spans_of(labels: Sequence[str]) -> Spans:
    """Return the slots of labels: first word, place behind the last, name."""
    spans = []
    for at, label in enumerate(labels):
        if label.startswith("B-"):
            end = at + 1
            while end < len(labels) and labels[end] == "I-" + label[2:]:
                end += 1
            spans.append((at, end, label[2:]))
    return frozenset(spans)


def score_requests(answers: Sequence[Answer]) -> RequestScore:
    """Return the figures of texts."""
    asking = [one for one in answers if one.asks]
    others = [one for one in answers if not one.asks]
    right = sum(len(one.wanted_slots & one.found_slots) for one in asking)
    wanted = sum(len(one.wanted_slots) for one in asking)
    found = sum(len(one.found_slots) for one in asking)
    at_loss = float("nan")
    if asking and others:
        least = float(np.quantile([one.found.confidence for one in asking], LOST))
        at_loss = sum(one.found.confidence < least for one in others) / len(others)
    confused: dict[tuple[str, str], int] = {}
    for one in asking:
        if not one.intent_right:
            pair = one.example.intent, one.found.intent
            confused[pair] = confused.get(pair, 0) + 1
    return RequestScore(
        len(asking),
        proportion(sum(one.intent_right for one in asking), len(asking)),
        proportion(sum(one.found.accepted for one in asking), len(asking)),
        proportion(sum(one.found.accepted and one.whole_right for one in asking), len(asking)),
        wanted,
        right / found if found else float("nan"),
        right / wanted if wanted else float("nan"),
        len(others),
        proportion(sum(not one.found.accepted for one in others), len(others)),
        at_loss,
        tuple((*pair, count) for pair, count in sorted(confused.items(), key=lambda item: (-item[1], item[0]))),
    )
