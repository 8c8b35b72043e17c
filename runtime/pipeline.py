"""Recognition for asyncio: a source of audio in, events out, the work in one thread of its own."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import AsyncIterable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from typing_extensions import Self

from ..endpointing import PRESETS, EndpointSettings, VoiceActivity
from ..models import SAMPLE_RATE, NearwordError, Transducer
from ..models.audio import Samples
from .audio_queue import AudioQueue, AudioQueueStatistics, Gap
from .events import Event
from .recognizer import Recognizer
from .sources import AudioSource, Blocks
from .transcriber import load_model

SLICE = SAMPLE_RATE // 10
"""Samples the worker takes at a time: between two slices it looks whether it is to end."""


class PipelineError(NearwordError, RuntimeError):
    """A pipeline is used in a way it cannot be."""


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
    level: float
    """Loudness of the latest tenth of a second, in dB below full scale (0 is the loudest, -inf silence)."""


class Pipeline:
    """Recognises one source at a time; many pipelines may share one loaded model.

    >>> async with Pipeline() as pipeline:
    ...     async for event in pipeline.run(Microphone()):
    ...         print(event)

    Leaving the ``async with`` block, for whatever reason, ends a run that is under way: its source is cancelled and
    waited for, its thread ends, nothing is left behind.
    """

    def __init__(
        self,
        model: str | Path | Transducer = "assistant-en",
        preset: str = "balanced",
        *,
        settings: EndpointSettings | None = None,
        vad: Callable[[], VoiceActivity] | None = None,
        recognizer: Callable[[Transducer], Recognizer] | None = None,
        audio_seconds: float = 4.0,
        events: int = 256,
        lower: bool = True,
    ) -> None:
        """Describe a pipeline; nothing is loaded before ``async with``.

        Args:
            model: name, folder, or a loaded model to share.
            preset: of the end-pointers: ``fast``, ``balanced``, ``patient``.
            settings: of the end-pointers, instead of a preset.
            vad: makes the voice activity of a run; by default webrtcvad.
            recognizer: makes the recogniser of a run, instead of all of the above.
            audio_seconds: audio that may wait for the recogniser.
            events: events that may wait for the consumer; if there are as many, recognition waits.
            lower: lower-case words, also of models with upper-case tokens.

        Raises:
            PipelineError: no such preset.
        """
        if preset not in PRESETS:
            raise PipelineError(f"preset {preset!r}: expected {', '.join(PRESETS)}")
        self._model = model
        self._settings = settings or PRESETS[preset]
        self._vad = vad
        self._recognizer = recognizer
        self._lower = lower
        self._audio_seconds = audio_seconds
        self._event_limit = events
        self._loaded: Transducer | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._run: EventStream | None = None

    @property
    def model(self) -> Transducer:
        """The loaded model, to share with other pipelines.

        Raises:
            PipelineError: outside of ``async with``.
        """
        if self._loaded is None:
            raise PipelineError("the pipeline is not open; use it in 'async with'")
        return self._loaded

    async def __aenter__(self) -> Self:
        """Load the model, in the worker thread.

        Raises:
            ModelError: the model cannot be found or read.
        """
        if self._executor is not None:
            raise PipelineError("the pipeline is open already")
        self._executor = ThreadPoolExecutor(1, "nearword")
        try:
            self._loaded = await _settled(
                asyncio.get_running_loop().run_in_executor(self._executor, load_model, self._model)
            )
        except BaseException:
            self._shut()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run, if one is under way, and the thread."""
        try:
            if self._run is not None:
                await self._run.aclose()
        finally:
            self._shut()

    def _shut(self) -> None:
        executor, self._executor, self._loaded, self._run = self._executor, None, None, None
        if executor is not None:
            executor.shutdown()  # its one job is over: this does not wait

    def run(self, source: AudioSource | AsyncIterable[Samples]) -> "EventStream":
        """Begin to recognise a source: an ``AudioSource``, or an async iterator of sample arrays.

        Returns what to iterate over. To be called in the event loop.

        Raises:
            PipelineError: not open, or another run is not over; one pipeline does one thing at a time.
        """
        model, executor = self.model, self._executor
        if executor is None or (self._run is not None and not self._run.is_over):
            raise PipelineError("a run is under way; end it (aclose) or take another pipeline with the same model")
        recognizer = self._recognizer(model) if self._recognizer else self._make_recognizer(model)
        feed = source if hasattr(source, "feed") else Blocks(source)
        self._run = EventStream(feed, recognizer, executor, self._audio_seconds, self._event_limit)
        return self._run

    def _make_recognizer(self, model: Transducer) -> Recognizer:
        return Recognizer(model, self._settings, vad=self._vad() if self._vad else None, lower=self._lower)


class EventStream:
    """The events of one run: an async iterator. Made by ``Pipeline.run``.

    A task that is cancelled while it waits for an event loses none: whoever iterates on gets it.
    """

    def __init__(
        self, source: AudioSource, recognizer: Recognizer, executor: ThreadPoolExecutor, seconds: float, limit: int
    ) -> None:
        self._recognizer = recognizer
        self._limit = limit
        self._audio = AudioQueue(seconds)
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._room = threading.Condition()
        self._abandoned = False
        self._over = False
        self._error: BaseException | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._out = self._waiting_most = 0
        self._level = -math.inf
        self._source = asyncio.create_task(self._feed(source), name="nearword source")
        self._work = self._loop.run_in_executor(executor, self._recognise)
        self._work.add_done_callback(self._finished)

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more; events may still wait to be taken."""
        return self._over and self._source.done()

    @property
    def statistics(self) -> PipelineStatistics:
        """What the run has done so far."""
        return PipelineStatistics(
            self._audio.statistics,
            self._recognizer.seconds,
            self._out,
            len(self._events),
            self._waiting_most,
            self._level,
        )

    def stop(self) -> None:
        """End the source as if its audio had ended: what was heard is recognised, and the last final comes."""
        self._source.cancel()

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            StopAsyncIteration: the audio has ended and all events are taken.
            Exception: what the source raised, after the events of all audio before it.
        """
        while not self._events:
            if self.is_over:
                error, self._error = self._error, None
                if error is not None:
                    raise error
                raise StopAsyncIteration
            if self._arrived is None or self._arrived.done():
                self._arrived = self._loop.create_future()
            await asyncio.shield(self._arrived)
        event = self._events.popleft()
        self._out += 1
        with self._room:
            self._room.notify()
        return event

    async def aclose(self) -> None:
        """End the run at once: the source is cancelled and waited for, the thread's work ends, events are dropped."""
        self._abandoned = True
        self._source.cancel()
        self._audio.close(at_once=True)
        with self._room:
            self._room.notify()
        await _settled(asyncio.gather(self._source, self._work, return_exceptions=True))
        self._events.clear()

    async def _feed(self, source: AudioSource) -> None:
        """Run the source; an error of its own is kept until the events before it are out."""
        stopped = False
        try:
            await source.feed(self._audio)
        except asyncio.CancelledError:
            stopped = True
            raise
        except Exception as error:  # noqa: BLE001 (raised again in __anext__)
            self._error = error
        finally:
            del stopped
            self._audio.close()

    # in the worker thread

    def _recognise(self) -> None:
        recognizer = self._recognizer
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
        if not self._abandoned:
            self._hand_over(recognizer.finish())

    def _hand_over(self, events: list[Event]) -> None:
        for event in events:
            with self._room:
                while len(self._events) >= self._limit and not self._abandoned:
                    self._room.wait()
            if self._abandoned:
                return
            self._events.append(event)
            self._waiting_most = max(self._waiting_most, len(self._events))
        if events:
            self._loop.call_soon_threadsafe(self._wake)

    # in the event loop

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _finished(self, work: "asyncio.Future[None]") -> None:
        ...


def _decibels(samples: Samples) -> float:
    power = float(np.dot(samples, samples)) / max(1, len(samples))
    return 10 * math.log10(power) if power > 0 else -math.inf


async def _settled(future: "asyncio.Future[Transducer]") -> Transducer:
    ...
