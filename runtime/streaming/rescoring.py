"""Rescoring beside a stream of events: lattices go out when the speaker has probably finished, better words come back.

>>> async with Rescorer(settings) as rescorer:
...     async for event in staged(pipeline.run(source, session=session), RescoringStage(rescorer, session.private)):
...         print(event)
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from dataclasses import replace

from typing_extensions import Self

from ...lattice import word_confidences
from ...lattice.rescoring import Masking, Reason, Rescored, Rescorer, RescoringSettings
from ..recognition.events import Alternative, Event, Final, Partial, Rescoring, Reset, SpeculativeFinal
from ..recognition.transcript import Word

_log = logging.getLogger(__name__)
DEFAULT_PATIENCE = 0.1
"""Seconds that a ``Final`` may wait for its answer."""
Private = Callable[[], Masking]
"""Says what may not leave the device, each time that something does: lists change. ``Session.private`` is one."""


class RescoringStage:
    """Sends what is speculatively final, stops what was reset, and gives the final result the better words.

    Where these are others than the ones speculated on, the speculation is reset first, and the final result confirms
    nothing. Words that were said to be stable stay.
    """

    def __init__(self, rescorer: Rescorer, private: Private, *, patience: float = DEFAULT_PATIENCE) -> None:
        """Begin with nothing sent.

        Args:
            rescorer: open; stays the caller's to close. Any number of streams may share one.
            private: what is masked beside the rescorer's own settings; ``Session.private`` masks contacts.
            patience: seconds that a final result may wait for its answer; 0 takes only what is there.
        """
        self._rescorer, self._private, self._patience = rescorer, private, patience

    async def __call__(self, events: AsyncIterable[Event]) -> AsyncGenerator[Event, None]:
        """Yield the events of a stream, its results with what came of rescoring."""
        stream = self._rescorer.begin_stream()
        sent: tuple[int, int] | None = None
        stable: tuple[str, ...] = ()
        try:
            async for event in events:
                if isinstance(event, Partial):
                    stable = stable_words(event)
                elif isinstance(event, SpeculativeFinal) and event.text and event.lattice is not None:
                    sent = event.utterance, event.revision
                    self._rescorer.submit(*sent, event.lattice, self._private(), stream=stream)
                elif isinstance(event, Reset) and sent is not None:
                    self._rescorer.cancel(*sent, stream=stream)
                    sent = None
                elif isinstance(event, Final):
                    rescored, sent = await self._outcome(event, sent, stream), None
                    for each in with_words(event, rescored, stable):
                        yield each
                    stable = ()
                    continue
                yield event
        finally:
            if sent is not None:
                self._rescorer.cancel(*sent, stream=stream)

    async def _outcome(self, final: Final, sent: tuple[int, int] | None, stream: int) -> Rescored:
        """Return what came of rescoring, within the patience; sends the lattice now if it was not sent before."""
        if not final.text or final.lattice is None:
            return Rescored(final.utterance, final.revision, Reason.not_sent, 0.0)
        if sent is None:
            sent = final.utterance, final.revision
            self._rescorer.submit(*sent, final.lattice, self._private(), stream=stream)
        rescored = await self._rescorer.result(*sent, wait=self._patience, stream=stream)
        if not rescored.rescored:
            _log.info(
                "utterance %d keeps its own words: %s %s", final.utterance, rescored.reason.value, rescored.detail
            )
        return rescored


def stable_words(partial: Partial) -> tuple[str, ...]:
    """Return the words that will not change any more."""
    return tuple(word.text for word in partial.words[: partial.stable])


def with_words(final: Final, rescored: Rescored, stable: Sequence[str] = ()) -> Sequence[Event]:
    """Return what takes the place of a final result: what came of rescoring is noted, its words are taken.

    They are the best of the answer's that the lattice holds and that begin with the ``stable`` ones. If they are not
    the result's own, what they would confirm is reset, and what a model of requests has understood from other words is
    dropped. A grammar's command stays: it was searched for in the audio, whatever the free words are.
    """
    if not final.text:
        return (final,)
    found = next((path.words for path in rescored.paths if path.words[: len(stable)] == tuple(stable)), None)
    lattice, reason = final.lattice, rescored.reason
    path = None if found is None or lattice is None else lattice.find(found)
    if rescored.rescored and path is None:
        reason = Reason.unfit
    noted = replace(final, rescored=Rescoring(reason.value, round(rescored.milliseconds, 1), rescored.model))
    if not rescored.rescored or found is None or lattice is None or path is None:
        return (noted,)
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
    text = " ".join(found)
    known = {alternative.text: alternative for alternative in final.n_best}
    order = [text, *(" ".join(one.words) for one in rescored.paths)]
    first = [known[one] for one in dict.fromkeys(order) if one in known]
    others = [alternative for alternative in final.n_best if alternative not in first]
    if text not in known:
        first.insert(0, Alternative(text, 0.0))
    better = replace(noted, text=text, words=words, n_best=(*first, *others))
    if text == final.text:
        return (better,)
    understanding = final.understanding
    if understanding is not None and understanding.source != "grammar" and understanding.text != text:
        understanding = None
    better = replace(better, confirms=None, understanding=understanding)
    return (better,) if final.confirms is None else (Reset(final.utterance, final.confirms, final.time), better)


class BlockingRescoring:
    """Rescoring for code without an event loop: a stage of a recording, utterance by utterance.

    >>> with BlockingRescoring(settings, session.private) as rescoring:
    ...     segmenter = Segmenter(model, stages=[rescoring])
    """

    name = "rescoring"

    def __init__(self, settings: RescoringSettings, private: Private, model: str | None = None) -> None:
        """Prepare; ``private`` is as ``RescoringStage`` has it, ``model`` the name of the speech model."""
        self._private = private
        self._loop = asyncio.new_event_loop()
        self._rescorer = Rescorer(settings, model=model)
        self._stable: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._loop.run_until_complete(self._rescorer.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._loop.run_until_complete(self._rescorer.aclose())
        finally:
            self._loop.close()

    def take(self, event: Event) -> Sequence[Event]:
        """Return the event, a final one as rescoring has it, after its deadline at the latest."""
        if isinstance(event, Partial):
            self._stable = stable_words(event)
        if not isinstance(event, Final):
            return (event,)
        stable, self._stable = self._stable, ()
        if not event.text or event.lattice is None:
            return (event,)
        asked = self._rescorer.rescore(event.utterance, event.revision, event.lattice, self._private())
        return with_words(event, self._loop.run_until_complete(asked), stable)
