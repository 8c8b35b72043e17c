"""Understanding by a model of requests as a stage: every result says what the utterance asks for.

Where there is a grammar too, it comes first: what it accepts stands, and the model understands the rest.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...biasing import Biasing
from ...lattice.understanding import NOTHING_LISTED, FilledSlot, Listed, Understanding, UnderstandingModel, value_of
from ...lattice.understanding.words import tokenize
from .events import Command, Event, Final, SpeculativeFinal


class UnderstandingStage:
    """Gives ``SpeculativeFinal`` and ``Final`` an ``understanding``, of their lattice where they have one.

    What a confirmed speculation asks for is not looked at again: the final result has the very same understanding.
    Where a service has found better words, these are understood.

    >>> stage = UnderstandingStage(load_understanding(resolve_understanding("assistant")))
    >>> recognizer = Recognizer(load_model(), stages=[stage])
    """

    name = "understanding"

    def __init__(self, model: UnderstandingModel, listed: Callable[[], Listed] = lambda: NOTHING_LISTED) -> None:
        """Begin a stream.

        Args:
            model: of requests; any number of streams may share one.
            listed: gives the phrases whose classes are known, as they are at the time of each result.
        """
        self._model, self._listed = model, listed
        self._speculated: tuple[int, Understanding] | None = None
        """Revision and understanding of the latest speculative result."""

    def take(self, event: Event) -> Sequence[Event]:
        """Return the event, a result with what it asks for."""
        if isinstance(event, SpeculativeFinal):
            found = self._understood(event)
            self._speculated = event.revision, found
            return (replace(event, understanding=found),)
        if isinstance(event, Final):
            standing, self._speculated = self._speculated, None
            known = standing is not None and standing[0] == event.confirms
            found = standing[1] if standing is not None and known else self._understood(event)
            return (replace(event, understanding=found),)
        return (event,)

    def _understood(self, event: SpeculativeFinal | Final) -> Understanding:
        if event.understanding is not None and event.understanding.accepted:
            return event.understanding
        listed = self._listed()
        rescored = isinstance(event, Final) and event.rescored is not None and event.rescored.reason == "rescored"
        if event.lattice is None or rescored or not event.text:
            return self._model.understand_words([word.text.lower() for word in event.words], listed)
        return self._model.understand_lattice(event.lattice, listed)


def understanding_of_command(command: Command) -> Understanding:
    """Return what a grammar has made of an utterance, as a model says it."""
    if not command.accepted:
        return Understanding(accepted=False, source="grammar")
    words = command.text.split()
    slots = [_slot(name, phrase, words) for name, phrase in command.slots.items()]
    # odds per word against free speech; beyond some dozens a float has no room for them
    confidence = 1 / (1 + math.exp(-max(-50.0, min(50.0, command.log_odds / max(1, len(words))))))
    return Understanding(
        accepted=True,
        intent=command.intent,
        slots=tuple(sorted(slots, key=lambda slot: slot.first)),
        text=command.text,
        confidence=round(confidence, 4),
        source="grammar",
    )


def _slot(name: str, phrase: str, words: Sequence[str]) -> FilledSlot:
    said = phrase.lower().split()
    places = range(len(words) - len(said) + 1)
    first = next((place for place in places if [word.lower() for word in words[place : place + len(said)]] == said), 0)
    value = value_of(said)
    return FilledSlot(
        name, phrase, first, first + len(said),
        kind=None if value is None else value.kind.value, value=None if value is None else value.value,
    )  # fmt: skip


def listed_of(bias: Biasing) -> Callable[[], Listed]:
    """Return what gives the phrases of lists by class, as they are when it is called."""
    known: tuple[int, Listed] | None = None

    def listed() -> Listed:
        nonlocal known
        edits = bias.edits
        if known is None or known[0] != edits:
            phrases = {tuple(token.text for token in tokenize(one.text)): one.cls for one in bias.phrases if one.cls}
            known = edits, Listed(phrases)
        return known[1]

    return listed
