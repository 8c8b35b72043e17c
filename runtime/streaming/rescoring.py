"""Rescoring beside a stream of events: lattices go out when the speaker has probably finished, better words come back.

>>> async with Rescorer(settings) as rescorer:
...     rescoring = LiveRescoring(rescorer)
...     async for event in pipeline.run(source):
...         rescoring.follow(event)
...         if isinstance(event, Final):
...             event = with_words(event, await rescoring.outcome(event))
"""

import asyncio
from dataclasses import replace

from typing_extensions import Self

from ...lattice import word_confidences
from ...lattice.rescoring import Reason, Rescored, Rescorer, RescoringSettings
from ..recognition.events import Alternative, Event, Final, Rescoring, Reset, SpeculativeFinal
from ..recognition.transcript import Word

DEFAULT_PATIENCE = 0.1
"""Seconds that a ``Final`` may wait for its answer."""


class LiveRescoring:
    """Sends what is speculatively final, stops what was reset, knows the answer at the final result."""

    def __init__(self, rescorer: Rescorer, patience: float = DEFAULT_PATIENCE) -> None:
        """Begin with nothing sent.

        Args:
            rescorer: open; stays the caller's to close.
            patience: seconds that ``outcome`` may take; 0 takes only what is there.
        """
        self._rescorer = rescorer
        self._patience = patience

    def follow(self, event: Event) -> None:
        """Take note of an event, in the order they come; to be called in the event loop."""
        if isinstance(event, SpeculativeFinal):
            if event.text and event.lattice is not None:
                self._rescorer.submit(event.utterance, event.revision, event.lattice)
        elif isinstance(event, Reset):
            self._rescorer.cancel(event.utterance, event.revision)

    async def corrected(self, event: Event) -> Event:
        """Take note of an event, and return it: a final one with what came of rescoring."""
        self.follow(event)
        return with_words(event, await self.outcome(event)) if isinstance(event, Final) and event.text else event

    async def outcome(self, final: Final) -> Rescored:
        """Return what came of rescoring, within the patience; sends the lattice now if none was sent before."""
        if not final.text or final.lattice is None:
            return Rescored(final.utterance, final.revision, Reason.not_sent, 0.0)
        revision = final.revision if final.confirms is None else final.confirms
        self._rescorer.submit(final.utterance, revision, final.lattice)
        return await self._rescorer.result(final.utterance, revision, wait=self._patience)


def with_words(final: Final, rescored: Rescored) -> Final:
    """Return the event with what came of rescoring, and with its words, their times and confidences if it found any."""
    lattice = final.lattice
    noted = Rescoring(rescored.reason.value, round(rescored.milliseconds, 1), rescored.model)
    final = replace(final, rescored=noted)
    if not rescored.rescored or lattice is None:
        return final
    best = rescored.paths[0].words
    path = lattice.find(best)
    if path is None:  # said otherwise in the speculative result that the final one confirms
        return final
    sure = word_confidences(lattice, path)
    words = tuple(
        Word(
            lattice.words[lattice.word[arc]],
            round(float(lattice.start[arc]) + lattice.offset, 3),
            round(float(lattice.end[arc]) + lattice.offset, 3),
            round(float(confidence), 4),
        )
        for arc, confidence in zip(path, sure, strict=True)
    )
    known = {alternative.text: alternative for alternative in final.n_best}
    order = [" ".join(one.words) for one in rescored.paths]
    first = [known[text] for text in order if text in known]
    others = [alternative for alternative in final.n_best if alternative not in first]
    if order[0] not in known:
        first.insert(0, Alternative(order[0], 0.0))
    return replace(final, text=order[0], words=words, n_best=(*first, *others))


class BlockingRescoring:
    """Rescoring for code without an event loop: a recording, utterance by utterance.

    >>> with BlockingRescoring(settings) as rescoring:
    ...     final = rescoring.correct(final)
    """

    def __init__(self, settings: RescoringSettings, model: str | None = None) -> None:
        self._settings, self._model = settings, model
        self._loop = asyncio.new_event_loop()
        self._rescorer = Rescorer(settings, model=model)

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self._rescorer.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run_until_complete(self._rescorer.aclose())
        finally:
            self._loop.close()

    def correct(self, final: Final) -> Final:
        """Return the event as rescoring has it, after its deadline at the latest."""
        if not final.text or final.lattice is None:
            return final
        asked = self._rescorer.rescore(final.utterance, final.revision, final.lattice)
        return with_words(final, self._loop.run_until_complete(asked))
