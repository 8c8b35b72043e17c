"""Recognition for asyncio: a source of audio in, events out, the work in one thread of its own."""

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

import numpy.typing as npt
from typing_extensions import Self

from ...endpointing import PRESETS, EndpointSettings, VoiceActivity
from ...models import NearwordError, Transducer
from ..recognition.anchor_span import check_anchor
from ..recognition.decode_loop import DecodeLoop
from ..recognition.recognizer import Recognizer
from ..recognition.session import Session
from ..recognition.stage import MakeStage
from ..recognition.transcriber import load_model
from ..search import DEFAULT_SEARCH, SearchOptions
from ..sources import AudioFile, AudioSource, Blocks
from .event_stream import EventStream
from .waiting import uncancelled

if TYPE_CHECKING:
    from ...biasing.slots import SlotGrammar
    from ..recognition.anchor import SpeakerFollowing
    from ..recognition.grammar import GrammarUnderstanding
    from ..recognition.speakers import Speakers


class PipelineError(NearwordError, RuntimeError):
    """A pipeline is used in a way it cannot be."""


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
        search: SearchOptions = DEFAULT_SEARCH,
        vad: Callable[[], VoiceActivity] | None = None,
        recognizer: Callable[[Transducer], Recognizer] | None = None,
        audio_seconds: float = 4.0,
        events: int = 256,
        lower: bool = True,
        grammar: "SlotGrammar | None" = None,
        speakers: "str | Path | Speakers | None" = None,
        anchor: float | None = None,
        stages: Sequence[MakeStage] = (),
        threads: int = 1,
        precision: str = "auto",
        look_ahead: float | None = None,
    ) -> None:
        """Describe a pipeline; nothing is loaded before ``async with``.

        Args:
            model: name, folder, or a loaded model to share.
            preset: of the end-pointers: ``fast``, ``balanced``, ``patient``.
            settings: of the end-pointers, instead of a preset.
            search: how wide to search, and what to boost.
            vad: makes the voice activity of a run; by default webrtcvad.
            recognizer: makes the recogniser of a run, instead of all of the above.
            audio_seconds: audio that may wait for the recogniser.
            events: events that may wait for the consumer; if there are as many, recognition waits.
            lower: lower-case words, also of models with upper-case tokens.
            grammar: what may be asked for, as ``read_grammar`` gives it; results have a ``command`` then.
            speakers: who may be speaking, a file or one that is loaded; results have a ``speaker`` and say whether they
                were ``whispered`` then.
            anchor: seconds of a wake word with which every run begins; only who has said it is heard.
            stages: make what every event of a run passes; see ``recognition.stage``.
            threads: for the encoder, of a model that is not loaded yet.
            precision: ``auto``, ``int8`` or ``float``, likewise.
            look_ahead: seconds that the encoder hears ahead of what it tells, likewise: see ``load_model``.

        Raises:
            PipelineError: no such preset, or a grammar, speakers, an anchor or stages beside a recogniser of one's own.
            AnchorError: no wake word has that length.
        """
        if preset not in PRESETS:
            raise PipelineError(f"preset {preset!r}: expected {', '.join(PRESETS)}")
        beside = (grammar, speakers, anchor)
        if recognizer is not None and (stages or any(one is not None for one in beside)):
            raise PipelineError(
                "a grammar, speakers, an anchor or stages beside a recogniser of one's own; give them to that one"
            )
        if anchor is not None:
            check_anchor(anchor)
        self._anchor = anchor
        self._following: SpeakerFollowing | None = None
        self._grammar = grammar
        self._understanding: GrammarUnderstanding | None = None
        self._who = speakers
        self._speakers: Speakers | None = None
        self._stages = tuple(stages)
        self._load_model = partial(load_model, model, threads=threads, precision=precision, look_ahead=look_ahead)
        self._settings = settings or PRESETS[preset]
        self._search = search
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
        """Load the model and all that goes with it, in the worker thread.

        Raises:
            ModelError: the model cannot be found or read.
            BiasingError: the model has no tokens for a word of the grammar.
            LanguageModelError: the model's language model cannot be read.
            SpeakersError: the file of speakers is damaged or of another model.
        """
        if self._executor is not None:
            raise PipelineError("the pipeline is open already")
        self._executor = ThreadPoolExecutor(1, "nearword")
        try:
            self._loaded = await uncancelled(asyncio.get_running_loop().run_in_executor(self._executor, self._load))
        except BaseException:
            self._shut()
            raise
        return self

    def _load(self) -> Transducer:
        model = self._load_model()
        if self._grammar is not None:
            from ..recognition.grammar import GrammarUnderstanding  # noqa: PLC0415 (only where there is a grammar)

            self._understanding = GrammarUnderstanding(model, self._grammar)
        if self._who is not None:
            from ..recognition.speakers import Speakers  # noqa: PLC0415 (only where somebody asks who speaks)

            self._speakers = self._who if isinstance(self._who, Speakers) else Speakers.load(model, self._who)
        if self._anchor is not None:
            from ..recognition.anchor import SpeakerFollowing  # noqa: PLC0415 (only where somebody is followed)

            self._following = SpeakerFollowing(model)
        if self._recognizer is None:
            # the language model, how words and phrases sound: what the first run would wait for
            DecodeLoop(Session(model, self._search))
        return model

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the run, if one is under way, and the thread; what leaving ``async with`` does."""
        try:
            if self._run is not None:
                await self._run.aclose()
        finally:
            self._shut()

    def _shut(self) -> None:
        executor, self._executor, self._loaded, self._run = self._executor, None, None, None
        if executor is not None:
            executor.shutdown()  # its one job is over: this does not wait

    def run(
        self, source: AudioSource | AsyncIterable[npt.ArrayLike] | str | Path, *, session: Session | None = None
    ) -> EventStream:
        """Begin to recognise a source: an ``AudioSource``, a file by its path, or an async iterator of arrays.

        Returns at once what to iterate over. To be called in the event loop.

        Args:
            source: of the audio.
            session: phrases and turns of this stream, with options of its own; by default a new one.

        Raises:
            PipelineError: not open, no source, or another run is not over; one pipeline does one thing at a time.
        """
        model, executor = self.model, self._executor
        if executor is None or (self._run is not None and not self._run.is_over):
            raise PipelineError("a run is under way; end it (aclose) or take another pipeline with the same model")
        make = self._recognizer

        def begin() -> Recognizer:
            return make(model) if make is not None else self._make_recognizer(model, session)

        self._run = EventStream(as_source(source), begin, executor, self._audio_seconds, self._event_limit)
        return self._run

    def _make_recognizer(self, model: Transducer, session: Session | None) -> Recognizer:
        return Recognizer(
            model,
            self._settings,
            search=self._search,
            vad=self._vad() if self._vad else None,
            lower=self._lower,
            session=session,
            grammar=self._understanding,
            speakers=self._speakers,
            anchor=None if self._following is None else self._following.gate(self._anchor),
            stages=[make() for make in self._stages],
        )


def as_source(source: object) -> AudioSource:
    """Return what feeds a pipeline from what was given to ``Pipeline.run``.

    Raises:
        PipelineError: it is none of these.
    """
    if isinstance(source, (str, Path)):
        return AudioFile(source)
    if isinstance(source, AsyncIterable):
        return Blocks(source)
    if callable(getattr(source, "feed", None)):
        return cast("AudioSource", source)
    raise PipelineError(
        f"no source of audio: {type(source).__name__}; expected a path, an async iterator of arrays, or an AudioSource"
        " (AudioFile, Microphone, RawStream)"
    )
