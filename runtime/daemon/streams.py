"""One stream of audio: what is put in waits within a bound, what it says comes out as events."""

import asyncio
import logging
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from ...endpointing import PRESETS, EndpointSettings
from ...models import SAMPLE_RATE
from ...models.samples import Samples
from ..recognition.events import Event, Final, SpeechStarted
from ..recognition.session import Session
from ..sources import AudioSink
from ..streaming.pipeline import Pipeline
from .endpoints import LiveEndpoints
from .errors import StreamError, StuckError
from .phrases import Boosted

if TYPE_CHECKING:
    from ..recognition.anchor import SpeakerGate
    from ..streaming.event_stream import EventStream
    from .engine import Engine

BLOCK = SAMPLE_RATE // 2
"""Samples that are put into the queue at a time, so that its bound holds."""
GRID_SECONDS = 0.02
"""The recogniser decides on this grid; less audio waits for more."""
_log = logging.getLogger("nearword.daemon")


def ended_by_client(settings: EndpointSettings, seconds: float) -> EndpointSettings:
    """Return settings with which only the client ends an utterance, or its length in seconds."""
    never = 10.0 * seconds
    return replace(
        settings,
        final_complete=never,
        final_unsure=never,
        final_incomplete=never,
        no_words=never,
        no_speech=never,
        max_utterance=seconds,
    )


@dataclass(frozen=True)
class StreamOptions:
    """How one stream is to be heard."""

    protocol: str
    """For metrics and those who watch."""
    endpoints: EndpointSettings = PRESETS["balanced"]
    boosted: Boosted | None = None
    """What it boosts; None for what the daemon boosts for all."""
    session: Session | None = None
    """Phrases of turns and what else lives over several streams of a client; None for a new one."""
    context: Mapping[str, Any] | None = None
    """What the dialogue is about, where there is no session that knows; as ``context.update`` takes it."""
    gate: "SpeakerGate | None" = None
    """Hears only who has said a wake word, once it is told of one."""


class _Feed:
    """A source of audio that gives the pipeline's queue to whoever has audio for it."""

    def __init__(self) -> None:
        self.sink: asyncio.Future[AudioSink] = asyncio.get_running_loop().create_future()
        self.ended = asyncio.Event()

    async def feed(self, sink: AudioSink) -> None:
        """Return when the audio has ended."""
        self.sink.set_result(sink)
        await self.ended.wait()


class Stream:
    """One stream: audio in, events out. Lives in the event loop; its work is done in a thread.

    An async iterator of events that ends after the last of them.
    """

    def __init__(
        self,
        number: int,
        options: StreamOptions,
        boosted: Boosted,
        engine: "Engine",
        pipeline: Pipeline,
        endpoints: LiveEndpoints | None = None,
    ) -> None:
        self.number = number
        """Counts up from 1 in a daemon."""
        self.options = options
        self.boosted = boosted
        """What it boosts; whoever changes the lists puts the new spelling here."""
        self.seconds = 0.0
        """Audio that was put in."""
        self.delay_ms: float | None = None
        """Milliseconds from the arrival of the audio that the latest event needed to the event."""
        self.in_utterance = False
        """Whether somebody speaks, as far as events have told."""
        self._engine = engine
        self._pipeline = pipeline
        self._endpoints = endpoints
        self._feed = _Feed()
        self._closed = False
        self._arrivals: list[tuple[float, float]] = []
        self._run: EventStream = pipeline.run(self._feed)

    async def put(self, samples: Samples) -> None:
        """Take audio [n], 16 kHz mono in [-1, 1]; waits for room, so that a client is slowed down.

        Raises:
            StuckError: there was none for too long.
        """
        sink = await self._feed.sink
        for start in range(0, len(samples), BLOCK):
            block = samples[start : start + BLOCK]
            try:
                await asyncio.wait_for(sink.put(block), self._engine.settings.stuck_seconds)
            except asyncio.TimeoutError:
                self._engine.metrics.stuck.inc()
                raise StuckError("the recogniser takes no audio; try again later") from None
            self.seconds += len(block) / SAMPLE_RATE
        if self._engine.hub.is_watched and not self._closed:
            self._engine.hub.tell(
                {
                    "stream": self.number,
                    "protocol": self.options.protocol,
                    "type": "level",
                    "level": round(max(-100.0, self._run.statistics.level), 1),
                    "seconds": round(self.seconds, 3),
                }
            )
        self._engine.metrics.audio_seconds.labels(self.options.protocol).inc(len(samples) / SAMPLE_RATE)
        self._arrivals.append((self.seconds, time.perf_counter()))
        del self._arrivals[:-500]

    async def caught_up(self, seconds: float = 2.0) -> None:
        """Wait until all audio that was put in is recognised; at most so long."""
        until = time.monotonic() + seconds
        while not self._run.is_over and self._run.statistics.seconds_recognised < self.seconds - GRID_SECONDS:
            if time.monotonic() >= until:
                return
            await asyncio.sleep(0.002)

    def change(self, settings: EndpointSettings) -> None:
        """End utterances by other settings, from the next on."""
        if self._endpoints is not None:
            self._endpoints.settings = settings

    @property
    def stage_ms(self) -> dict[str, float]:
        """Milliseconds that the latest call of each stage of recognition took, by its name."""
        return {name: round(1000 * times.latest, 2) for name, times in self._run.statistics.stages.items()}

    def finish(self) -> None:
        """End the audio: what was heard is recognised, then the events end."""
        self._feed.ended.set()

    @property
    def is_finished(self) -> bool:
        """Whether ``finish`` was called."""
        return self._feed.ended.is_set()

    @property
    def seconds_waiting(self) -> float:
        """Audio that waits for the recogniser."""
        return self._run.statistics.audio.seconds_waiting

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> Event:
        """Return the next event.

        Raises:
            NearwordError: what the recogniser raised; of an error that nobody expected only that there was one.
        """
        try:
            event = await self._run.__anext__()
        except (StopAsyncIteration, asyncio.CancelledError):
            raise
        except Exception as error:
            self._engine.metrics.failures.inc()
            # where, but not with what: the message of an error may hold words
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("stream %d failed: %s\n%s", self.number, type(error).__name__, where)
            raise StreamError(f"the recogniser failed ({type(error).__name__}); see the log of the daemon") from error
        delay = self._delay(event.time)
        self.delay_ms = None if delay is None else round(1000 * delay, 1)
        metrics = self._engine.metrics
        if isinstance(event, SpeechStarted | Final):
            self.in_utterance = isinstance(event, SpeechStarted)
        if isinstance(event, Final):
            metrics.utterances.labels(self.options.protocol, event.reason.value).inc()
            if delay is not None:
                metrics.delay.observe(delay)
        self._engine.hub.heard(
            self.number,
            self.options.protocol,
            event,
            delay=self.delay_ms,
            stages=self.stage_ms,
            text=self.boosted.spelling.text([word.text for word in getattr(event, "words", ())]),
        )
        if isinstance(event, Final) and event.text:
            text = self.boosted.spelling.text([word.text for word in event.words])
            self._engine.hub.remember(self.number, self.options.protocol, text, event)
        return event

    def _delay(self, moment: float) -> float | None:
        """Return the seconds since the audio up to a moment of the stream had arrived."""
        for seconds, arrived in self._arrivals:
            if seconds >= moment:
                return time.perf_counter() - arrived
        return None

    async def aclose(self) -> None:
        """End at once; what is still to be recognised is dropped. Again and again: nothing more."""
        if self._closed:
            return
        self._closed = True
        self._feed.ended.set()
        await self._engine.close(self, self._pipeline)
