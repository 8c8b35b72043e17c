"""Where streams are made: one loaded model, a thread for each stream, none without a bound."""

import asyncio
import contextlib
import itertools
import logging
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from ...biasing import Phrase
from ...endpointing import PRESETS, EndpointSettings
from ...models import SAMPLE_RATE, Transducer, resolve
from ...models.audio import Samples
from ..context import ContextModel, ContextSession, ContextStage, update
from ..recognition.events import Event, Final, SpeechStarted
from ..recognition.recognizer import Recognizer
from ..recognition.session import Session
from ..recognition.stage import Stage
from ..search import BeamSettings, SearchOptions
from ..sources import AudioSink
from ..streaming.pipeline import Pipeline
from .endpoints import LiveEndpoints
from .errors import BusyError, StreamError, StuckError
from .hub import Hub
from .metrics import Metrics
from .phrases import Boosted, PhraseBook
from .settings import ServeSettings

if TYPE_CHECKING:
    from ...biasing.slots import SlotGrammar
    from ...lattice.understanding import UnderstandingModel
    from ..recognition.grammar import GrammarUnderstanding
    from ..streaming.event_stream import EventStream

BLOCK = SAMPLE_RATE // 2
"""Samples that are put into the queue at a time, so that its bound holds."""
GRID_SECONDS = 0.02
"""The recogniser decides on this grid; less audio waits for more."""
CLOSE_SECONDS = 2.0
"""How long a stream may take to end before nobody waits for it any more."""
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


class Engine:
    """Makes streams. One for a daemon; lives in the event loop."""

    def __init__(
        self,
        settings: ServeSettings,
        model: Transducer,
        grammar: "SlotGrammar | None" = None,
        understanding: "GrammarUnderstanding | None" = None,
        requests: "UnderstandingModel | None" = None,
    ) -> None:
        self.settings = settings
        """May be put in place anew; streams that run keep theirs."""
        self.model = model
        self.grammar = grammar
        self.requests = requests
        """What understands requests that no grammar knows."""
        self._understanding = understanding
        self.phrases = PhraseBook(model, settings.bias_strength)
        self.hub = Hub()
        self.metrics = Metrics()
        self.streams: dict[int, Stream] = {}
        """Those that run, by number."""
        self._context_model: ContextModel | None = None
        """Computes the contexts of all dialogues; made for the first."""
        self._numbers = itertools.count(1)
        self._one_less: asyncio.Event | None = None
        self._opening = 0
        self._closing: set[asyncio.Task[None]] = set()

    @classmethod
    def load(cls, settings: ServeSettings) -> "Engine":
        """Load the model, phrases and grammar of settings; takes its time.

        Raises:
            NearwordError: a file cannot be used; names it.
        """
        model = Transducer.load(resolve(settings.model), precision=settings.precision)
        grammar = understanding = None
        if settings.grammar:
            from ..recognition.grammar import (  # noqa: PLC0415 (only with a grammar)
                GrammarUnderstanding,
                read_grammar,
            )

            grammar, refused = read_grammar(settings.grammar)
            for one in refused:
                _log.warning("%s", one)
            understanding = GrammarUnderstanding(model, grammar)
        requests = None
        if settings.understand:
            from ..recognition.understanding_file import (  # noqa: PLC0415 (only with a model of requests)
                load_understanding,
                resolve_understanding,
            )

            requests = load_understanding(resolve_understanding(settings.understand))
        engine = cls(settings, model, grammar, understanding, requests)
        engine.load_phrases()
        return engine

    def load_phrases(self) -> None:
        """Read the phrase files of the settings anew; to be called in a thread.

        Raises:
            BiasingError: a file cannot be read; all is as before then.
        """
        refused = [one for one in self.phrases.load(self.settings.bias, self.settings.bias_strength) if not one.is_used]
        if refused:
            # how many and why, but not which: they may be names of people
            reasons = sorted({one.reason.split("'")[0].strip() for one in refused})
            _log.warning("%d phrases are not used: %s", len(refused), "; ".join(reasons[:5]))

    async def use_names(self, names: list[Phrase]) -> None:
        """Boost these names from now on, in the place of those before."""
        await asyncio.to_thread(self._use_names, names)

    def _use_names(self, names: list[Phrase]) -> None:
        refused = self.phrases.name(names)
        if refused:
            _log.info("%d names are not used", len(refused))
        self.warm_up()

    def warm_up(self) -> None:
        """Load now what is loaded when it is first needed: how phrases sound, the language model."""
        recognizer = self.make_recognizer(StreamOptions("warm-up"), self.phrases.shared)
        recognizer.accept(_hum())
        recognizer.finish()

    def make_recognizer(
        self, options: StreamOptions, boosted: Boosted, endpoints: LiveEndpoints | None = None
    ) -> Recognizer:
        """Return what hears one stream; takes its time where much is boosted."""
        live = endpoints or LiveEndpoints(options.endpoints)
        session = options.session or self.make_session(boosted)
        return Recognizer(
            self.model,
            session=session,
            stages=self._stages(session),
            speculative=live.speculative,
            final=live.final,
            grammar=self._understanding,
        )

    def _stages(self, session: Session) -> list[Stage]:
        stages: list[Stage] = []
        if self.requests is not None:
            from ..recognition.understanding_stage import UnderstandingStage, listed_of  # noqa: PLC0415 (as above)

            stages.append(UnderstandingStage(self.requests, listed_of(session.phrases)))
        if isinstance(session, ContextSession):
            stages.append(ContextStage(session))
        return stages

    def make_session(self, boosted: Boosted) -> Session:
        """Return what a client's streams have of their own."""
        return Session(self.model, self._search(boosted))

    def make_context_session(self, boosted: Boosted) -> ContextSession:
        """Return the same with the context of a dialogue; takes its time. Whoever makes it closes it."""
        if self._context_model is None:
            self._context_model = ContextModel(self.model)
        return ContextSession(self.model, self._search(boosted), context_model=self._context_model)

    def _search(self, boosted: Boosted) -> SearchOptions:
        return SearchOptions(BeamSettings(max_active=self.settings.beam), bias=boosted.biasing)

    async def open(self, options: StreamOptions) -> Stream:
        """Begin a stream; whoever opens it closes it.

        Raises:
            BusyError: there are as many as are allowed.
        """
        if len(self.streams) + self._opening >= self.settings.max_streams:
            self.metrics.refused.labels(options.protocol).inc()
            raise BusyError(f"{self.settings.max_streams} streams run already; try again later")
        self._opening += 1
        try:
            boosted = options.boosted or self.phrases.shared
            if (context := options.context) is not None:
                session = await asyncio.to_thread(self.make_context_session, boosted)
                options = replace(options, session=session)
                update(session.context, context)
            endpoints = LiveEndpoints(options.endpoints)
            # made in its own thread, when that begins to run
            pipeline = Pipeline(self.model, recognizer=lambda _: self.make_recognizer(options, boosted, endpoints))
            await pipeline.__aenter__()
            stream = Stream(next(self._numbers), options, boosted, self, pipeline, endpoints)
        finally:
            self._opening -= 1
        self.streams[stream.number] = stream
        self.metrics.streams.labels(options.protocol).inc()
        self.hub.tell({"stream": stream.number, "protocol": options.protocol, "type": "opened"})
        return stream

    async def close(self, stream: Stream, pipeline: Pipeline) -> None:
        """End a stream; waits for it, but not for ever: one whose thread hangs keeps its place among the streams."""
        task = asyncio.create_task(self._close(stream, pipeline))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        await asyncio.wait([task], timeout=CLOSE_SECONDS)

    async def _close(self, stream: Stream, pipeline: Pipeline) -> None:
        try:
            await pipeline.aclose()
            if stream.options.context is not None and isinstance(stream.options.session, ContextSession):
                stream.options.session.close()
        finally:
            self.streams.pop(stream.number, None)
            if self._one_less is not None:
                self._one_less.set()
            self.metrics.streams.labels(stream.options.protocol).dec()
            self.hub.tell({"stream": stream.number, "protocol": stream.options.protocol, "type": "closed"})

    @property
    def hanging(self) -> int:
        """Streams whose thread does not end."""
        return len(self._closing)

    async def drain(self, seconds: float) -> None:
        """End the audio of all streams and wait, at most so long, until their clients have their last words."""
        for stream in list(self.streams.values()):
            stream.finish()
        self._one_less = asyncio.Event()
        until = time.monotonic() + seconds
        while self.streams and (left := until - time.monotonic()) > 0:
            self._one_less.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._one_less.wait(), left)


def _hum() -> Samples:
    """Return two seconds that wake all that recognition needs."""
    import numpy as np  # noqa: PLC0415

    return np.random.default_rng(0).normal(0, 0.05, 2 * SAMPLE_RATE).astype(np.float32)
