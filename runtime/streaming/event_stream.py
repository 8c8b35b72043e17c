"""One run of a pipeline: a source task, the recogniser in a worker thread, and the events in between."""

import asyncio
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from typing_extensions import Self

from ...models import SAMPLE_RATE, NearwordError
from ...models.samples import Samples
from ..recognition.events import Event
from ..recognition.recognizer import Recognizer
from ..recognition.session import Session
from ..recognition.timing import StageTimes
from ..sources.source import AudioSource
from .audio_queue import AudioQueue, AudioQueueStatistics, Gap
from .waiting import uncancelled

_log = logging.getLogger(__name__)
SLICE = SAMPLE_RATE // 10
"""Samples the worker takes at a time: between two slices it looks whether it is to end."""
EVENTS_AT_ONCE = 64
"""So many events are handed over at most before other tasks get their turn."""


class SourceCancelledError(NearwordError):
    """The source of a stream was cancelled from outside, though its consumer was not."""


@dataclass(frozen=True)
class PipelineStatistics:
    """What a run has done so far."""

    audio: AudioQueueStatistics
    """The queue before the recogniser."""
    seconds_recognised: float
    """Audio the recogniser has taken, lost audio included."""
    events_out: int
    """Events handed over."""
    events_waiting: int
    """Events that the consumer has not taken yet."""
    events_waiting_most: int
    """The most that ever waited."""
    stages: Mapping[str, StageTimes]
    """How long each stage took: features, encoder, branch (its cheap steps), search, result, and stages by name."""
    level: float
    """Loudness of the latest audio in dB below full scale: 0 is the loudest, -inf silence."""


class EventStream:
    """The events of one run: an async iterator. Made by ``Pipeline.run``.

    A task that is cancelled while it waits for an event loses none: whoever iterates on gets it.
    """

    def __init__(
        self,
        source: AudioSource,
        begin: Callable[[], Recognizer],
        executor: ThreadPoolExecutor,
        seconds: float,
        limit: int,
    ) -> None:
        """Begin a run; ``begin`` makes the recogniser, in the worker thread."""
        self._begin = begin
        self._recognizer: Recognizer | None = None
        self._limit = limit
        self._audio = AudioQueue(seconds)
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._room = threading.Condition()
        self._arrived: asyncio.Future[None] | None = None
        self._stopping = self._abandoned = False
        self._sources_end = self._works_end = False
        """Whether what they raised is known; a task is done before those who wait for it are told."""
        self._error: BaseException | None = None
        self._out = self._waiting_most = self._at_once = 0
        self._level = -math.inf
        self._source = asyncio.create_task(self._feed(source), name="nearword source")
        self._source.add_done_callback(self._source_ended)
        self._work = self._loop.run_in_executor(executor, self._recognise)
        self._work.add_done_callback(self._work_ended)

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more; events may still wait to be taken."""
        return self._works_end and self._sources_end

    @property
    def session(self) -> Session | None:
        """Phrases and turns of this stream; None until the recogniser is made."""
        return None if self._recognizer is None else self._recognizer.session

    @property
    def statistics(self) -> PipelineStatistics:
        """What the run has done so far."""
        recognizer = self._recognizer
        return PipelineStatistics(
            self._audio.statistics,
            0.0 if recognizer is None else recognizer.seconds,
            self._out,
            len(self._events),
            self._waiting_most,
            {} if recognizer is None else recognizer.times,
            self._level,
        )

    def stop(self) -> None:
        """End the source as if its audio had ended: what was heard is recognised, and the last final comes."""
        self._stopping = True
        self._source.cancel()
        self._audio.close()

    async def aclose(self) -> None:
        """End the run at once: the source is cancelled and waited for, the thread's work ends, events are dropped."""
        self._stopping = self._abandoned = True
        self._source.cancel()
        self._audio.close(at_once=True)
        with self._room:
            self._room.notify()
        await uncancelled(asyncio.gather(self._source, self._work, return_exceptions=True))
        self._events.clear()
        self._error = None

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the run; see ``aclose``."""
        await self.aclose()

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            StopAsyncIteration: the audio has ended and all events are taken.
            SourceCancelledError: the source was cancelled by another than this stream.
            BaseException: what the source or the recogniser raised, after the events of all audio before it.
        """
        self._at_once += 1
        if self._at_once > EVENTS_AT_ONCE:
            self._at_once = 0
            await asyncio.sleep(0)
        while not self._events:
            if self.is_over:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopAsyncIteration
            if self._arrived is None or self._arrived.done():
                self._arrived = self._loop.create_future()
            self._at_once = 0
            await asyncio.shield(self._arrived)
        with self._room:
            event = self._events.popleft()
            self._room.notify()
        self._out += 1
        return event

    async def _feed(self, source: AudioSource) -> None:
        await source.feed(self._audio)

    def _source_ended(self, task: "asyncio.Task[None]") -> None:
        """Keep an error of the source until the events before it are out."""
        if not task.cancelled():
            self._error = self._error or task.exception()
        elif not self._stopping:
            self._error = self._error or SourceCancelledError("the source of audio was cancelled")
        self._sources_end = True
        self._audio.close()
        self._wake()

    def _work_ended(self, work: "asyncio.Future[None]") -> None:
        error = None if work.cancelled() else work.exception()
        if error is not None:
            self._error = error
        self._stopping = self._works_end = True
        self._source.cancel()
        self._audio.close(at_once=True)
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _recognise(self) -> None:
        """Run in the worker thread until the audio ends."""
        self._recognizer = recognizer = self._begin()
        _log.info("stream begun")
        try:
            while (item := self._audio.get()) is not None:
                if isinstance(item, Gap):
                    self._hand_over(recognizer.lost(item.seconds, item.reason))
                    continue
                for start in range(0, len(item), SLICE):
                    if self._abandoned:
                        return
                    part = item[start : start + SLICE]
                    self._level = _decibels(part)
                    self._hand_over(recognizer.accept(part))
        finally:
            # also after an error: an utterance that has begun gets its final
            if not self._abandoned:
                self._hand_over(recognizer.finish())
            took = ", ".join(f"{stage} {times.seconds:.2f} s" for stage, times in recognizer.times.items())
            ended = "abandoned" if self._abandoned else "ended"
            _log.info("stream %s after %.2f s of audio; spent: %s", ended, recognizer.seconds, took)

    def _hand_over(self, events: list[Event]) -> None:
        """Put events where the consumer takes them; waits for room, and gives up when nobody will take them."""
        for event in events:
            with self._room:
                while len(self._events) >= self._limit and not self._abandoned:
                    self._room.wait()
                if self._abandoned:
                    return
                self._events.append(event)
                self._waiting_most = max(self._waiting_most, len(self._events))
            self._loop.call_soon_threadsafe(self._wake)


def _decibels(samples: Samples) -> float:
    power = float(np.dot(samples, samples)) / max(1, len(samples))
    return 10 * math.log10(power) if power > 0 else -math.inf
