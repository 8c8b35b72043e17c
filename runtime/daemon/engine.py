"""The one engine of a daemon: it loads the model, boosts phrases, and makes streams, none without a bound."""

import asyncio
import contextlib
import itertools
import logging
import time
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from ...biasing import Phrase
from ...models import SAMPLE_RATE, Transducer, resolve
from ...models.samples import Samples
from ..context import ContextModel, ContextSession, ContextStage, update
from ..recognition.anchor import SpeakerFollowing
from ..recognition.recognizer import Recognizer
from ..recognition.session import Session
from ..recognition.stage import Stage
from ..search import BeamSettings, SearchOptions
from ..streaming.pipeline import Pipeline
from .endpoints import LiveEndpoints
from .errors import BusyError
from .hub import Hub
from .metrics import Metrics
from .phrases import Boosted, PhraseBook
from .settings import ServeSettings
from .streams import Stream, StreamOptions

if TYPE_CHECKING:
    from ...biasing.slots import SlotGrammar
    from ...lattice.understanding import UnderstandingModel
    from ..recognition.grammar import GrammarUnderstanding
    from ..recognition.speakers import Speakers

CLOSE_SECONDS = 2.0
"""How long a stream may take to end before nobody waits for it any more."""
_log = logging.getLogger("nearword.daemon")


class Engine:
    """Makes streams. One for a daemon; lives in the event loop."""

    def __init__(
        self,
        settings: ServeSettings,
        model: Transducer,
        grammar: "SlotGrammar | None" = None,
        understanding: "GrammarUnderstanding | None" = None,
        requests: "UnderstandingModel | None" = None,
        speakers: "Speakers | None" = None,
    ) -> None:
        self.settings = settings
        """May be put in place anew; streams that run keep theirs."""
        self.model = model
        self.grammar = grammar
        self.requests = requests
        """What understands requests that no grammar knows."""
        self._understanding, self._speakers = understanding, speakers
        self.phrases = PhraseBook(model, settings.bias_strength)
        self.hub = Hub()
        self.metrics = Metrics()
        self.streams: dict[int, Stream] = {}
        """Those that run, by number."""
        self._context_model: ContextModel | None = None
        """Computes the contexts of all dialogues; made for the first."""
        self.following = cache(partial(SpeakerFollowing, model))
        """Gives what streams need to follow one speaker; the first time it loads that, or raises ``ModelFileError``."""
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
        model = _load_model(settings)
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
        speakers = None
        if settings.speakers:
            from ..recognition.speakers import Speakers  # noqa: PLC0415 (only where somebody asks who speaks)

            speakers = Speakers.load(model, settings.speakers)
        engine = cls(settings, model, grammar, understanding, requests, speakers)
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
            speakers=self._speakers,
            anchor=options.gate,
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
        beam = BeamSettings(max_active=self.settings.beam)
        return SearchOptions(beam, bias=boosted.biasing, effort=self.settings.effort)

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
    return np.random.default_rng(0).normal(0, 0.05, 2 * SAMPLE_RATE).astype(np.float32)


def _load_model(settings: ServeSettings) -> Transducer:
    model = Transducer.load(resolve(settings.model), precision=settings.precision)
    if settings.look_ahead:
        model = model.looking_ahead(settings.look_ahead)
    model.encoder_stream(effort=settings.effort)  # told now where it cannot be had, not at the first stream
    return model
