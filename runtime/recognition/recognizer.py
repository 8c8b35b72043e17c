"""Audio in, events out: recognition with both end-pointers, without threads or asyncio.

Everything is decided on the grid of the voice activity's frames (20 ms), never per call: the same audio in any
pieces gives the same events, times included.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy.typing as npt

from ...endpointing import (
    PRESETS,
    EndpointSettings,
    EndReason,
    Evidence,
    FinalEndpointer,
    SpeculativeEndpointer,
    VoiceActivity,
)
from ...models import SAMPLE_RATE, Channel, Transducer
from ...models.samples import Samples
from ..search import DEFAULT_SEARCH, SearchOptions
from .confidence import read_calibration
from .decode_loop import DecodeLoop
from .event_writer import EventWriter
from .events import Event, FinalReason
from .frames import FrameGrid, VoiceTracker
from .hypothesis import Hypothesis, UtteranceResult
from .session import Session
from .stage import Stage
from .timeline import seconds_of
from .timing import StageTimes

if TYPE_CHECKING:
    from .anchor import SpeakerGate
    from .grammar import GrammarUnderstanding
    from .speakers import Speakers

START_SECONDS = 0.16
"""Speech without a break that begins an utterance; a first token begins it too."""
RESUME_SECONDS = 0.1
"""Speech without a break, after a speculative end, that resets it; a cough or a click is shorter."""
IDLE_SECONDS = 2.0
"""After so much calm between utterances nothing is encoded until voice activity says speech for more than a moment."""
LOST_SECONDS = 1.0
"""A gap so long ends the utterance."""
QUIET_FRAMES = 50
"""Encoder frames before the first token of which phones are kept: hours of silence leave nothing."""


class SpeculativeDecision(Protocol):
    """What says when an utterance has probably ended."""

    def update(self, evidence: Evidence) -> bool: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


class FinalDecision(Protocol):
    """What says when an utterance has ended."""

    def update(self, evidence: Evidence) -> EndReason | None: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


class Recognizer:
    """One stream of audio to events; see ``recognition.events`` for what holds of them.

    >>> recognizer = Recognizer(load_model())
    >>> for block in stream_audio("speech.wav"):
    ...     for event in recognizer.accept(block):
    ...         print(event)
    >>> print(recognizer.finish())

    Not to be used by two threads at once; any number of them may share one model.
    """

    def __init__(
        self,
        model: Transducer,
        settings: EndpointSettings = PRESETS["balanced"],
        *,
        search: SearchOptions = DEFAULT_SEARCH,
        vad: VoiceActivity | None = None,
        speculative: SpeculativeDecision | None = None,
        final: FinalDecision | None = None,
        lower: bool = True,
        session: Session | None = None,
        grammar: "GrammarUnderstanding | None" = None,
        speakers: "Speakers | None" = None,
        anchor: "SpeakerGate | None" = None,
        stages: Sequence[Stage] = (),
        rate: float = SAMPLE_RATE,
        channel: Channel = "mix",
    ) -> None:
        """Begin a stream.

        Args:
            model: loaded, shared or not.
            settings: of both end-pointers; ``endpointing.PRESETS`` has ``fast``, ``balanced``, ``patient``.
            search: how wide to search, and what to boost.
            vad: voice activity of one's own, for this stream alone; by default webrtcvad.
            speculative: a speculative end-pointer of one's own.
            final: a final end-pointer of one's own.
            lower: lower-case words, also of models with upper-case tokens.
            session: phrases and turns of this stream; with it, its options count in the place of ``search``.
            grammar: all that may be asked for; results have a ``command`` then.
            speakers: who may be speaking; results say who it is then, and whether it is ``whispered``.
            anchor: hears only who has said the wake word, for this stream alone; see ``recognition.anchor``.
            stages: what every event passes, one after the other; of this stream alone.
            rate: samples per second of the audio that will come.
            channel: of audio with several the one to hear, from 1 on, or ``mix``.

        Raises:
            AudioError: no such rate or channel.
        """
        self._voice = VoiceTracker(vad, anchor)
        self._grid = FrameGrid(self._voice.frame_seconds, rate, channel)
        self._speculative: SpeculativeDecision = SpeculativeEndpointer(settings) if speculative is None else speculative
        self._final: FinalDecision = FinalEndpointer(settings) if final is None else final
        self.session = Session(model, search) if session is None else session
        """Phrases and turns of this stream."""
        self._loop = DecodeLoop(self.session, tap=None if speakers is None else speakers.encoder.tap, anchor=anchor)
        stages = *own_stages(self._loop, grammar, speakers), *stages
        self._writer = EventWriter(self.session, stages, self._loop.stopwatch)
        self._best = Hypothesis(self._loop, lower=lower, calibration=read_calibration(model.info.folder))
        self._heard, self._missing, self._finished = 0, 0, False
        self._begin_wait()

    @property
    def seconds(self) -> float:
        """Length of the stream so far, lost audio included."""
        return seconds_of(self._heard + self._missing)

    @property
    def times(self) -> dict[str, StageTimes]:
        """How long each stage took: features, encoder, branch (its cheap steps), search, result, and stages by name."""
        return self._loop.stopwatch.times

    @property
    def in_utterance(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._started is not None

    def accept(self, audio: npt.ArrayLike) -> list[Event]:
        """Take audio, [n] or [n, channels], float32 in [-1, 1] or any integer type; returns what has happened.

        Raises:
            AudioError: what is no audio; nothing was taken then. See ``models.AudioConverter``.
            RuntimeError: the stream was finished.
        """
        self._check_open()
        for frame in self._grid.accept(audio):
            self._frame(frame)
        return self._writer.take()

    def lost(self, seconds: float, reason: str) -> list[Event]:
        """Say that audio is missing here; a long gap ends the utterance. Time goes on by ``seconds``."""
        self._check_open()
        self._writer.lost(self.seconds, round(seconds, 3), reason)
        self._best.lost(self._heard / SAMPLE_RATE, seconds)
        self._grid.lost()
        if seconds >= LOST_SECONDS:
            if self.in_utterance:
                self._end(FinalReason.audio_lost)
            else:
                self._best.restart()
            self._voice.reset()
        self._missing += max(0, round(seconds * SAMPLE_RATE))
        return self._writer.take()

    def finish(self) -> list[Event]:
        """End the stream: an open utterance gets its final. Again and again: nothing more."""
        if self._finished:
            return []
        self._finished = True
        *frames, rest = self._grid.finish()
        for frame in frames:
            self._frame(frame)
        self._heard += len(rest)
        self._best.hear(rest, nobody_speaks=False)
        if not self.in_utterance:
            self._best.complete(self.seconds, 0.0)
            if not self._best.words:
                return self._writer.take()
            self._begin()
        self._voice.silent_samples = 0  # after the end there is as much silence as the last words need
        self._end(FinalReason.end_of_stream)
        return self._writer.take()

    def _check_open(self) -> None:
        if self._finished:
            raise RuntimeError("the stream is finished; make a new Recognizer for more audio")

    def _begin_wait(self) -> None:
        """Between utterances."""
        self._started: float | None = None
        self._speculated_on = ""
        """What the search said when the speculation was made: the second pass may have changed it."""
        self._best.begin(self.seconds)

    def _begin(self) -> None:
        self._started = self.seconds
        self._speculative.reset()
        self._final.reset()
        self._voice.begin()
        self._best.begin(self.seconds)
        self._writer.begin(self.seconds)

    def _frame(self, frame: Samples) -> None:
        """Take one frame of the grid and decide."""
        self._heard += len(frame)
        speech, now = self._voice.accept(frame), self.seconds
        decoded = self._best.hear(frame, nobody_speaks=not self.in_utterance and self._voice.calm >= IDLE_SECONDS)
        if decoded and not self._loop.search.tokens:
            self._loop.phones.forget(QUIET_FRAMES)
        if not self.in_utterance:
            if not (self._loop.search.tokens or self._voice.speech_samples >= START_SECONDS * SAMPLE_RATE):
                return
            self._begin()
        self._best.look(now, self._voice.silence, decoded=decoded)
        if self._writer.standing is not None and self._is_wrong(decoded=decoded):
            self._writer.reset(now)
            self._speculative.reset()
        if self._writer.standing is None and (news := self._best.news(now)) is not None:
            self._writer.partial(now, *news)
        evidence = evidence_of(self._best, self._loop, self._voice, now, now - (self._started or 0.0), speech=speech)
        reason = self._final.update(evidence)
        if reason is EndReason.max_length and self._voice.silence < RESUME_SECONDS:
            self._cut()
        elif reason is not None:
            self._end(FinalReason(reason.value))
        elif self._writer.standing is None and self._speculative.update(evidence):
            self._speculate()

    def _is_wrong(self, *, decoded: bool) -> bool:
        """Whether the speculation is: speech goes on, or there are other words."""
        best, text = self._best, self._speculated_on
        changed = (best.is_completed and text != best.text) or (decoded and not text.startswith(best.stable_text))
        return changed or self._voice.speech_samples >= RESUME_SECONDS * SAMPLE_RATE

    def _speculate(self) -> None:
        best, seen = self._best, self._best.text
        best.complete(self.seconds, self._voice.silence)
        # on other words than the end-pointer decided on: it is to look at these first
        if best.text and best.text == seen and self._writer.speculate(self.seconds, self._best.result(self.seconds)):
            self._speculated_on = best.text
        else:
            self._speculative.reset()

    def _end(self, reason: FinalReason) -> None:
        """End the utterance with all that was heard."""
        self._best.complete(self.seconds, self._voice.silence)
        if (standing := self._writer.standing) is None or self._best.text != self._speculated_on:
            result = self._best.result(self.seconds)
        else:  # nothing new was said: some more silence is no reason to take back what was made of it, nor to wait
            result = UtteranceResult(standing.words, standing.n_best, standing.lattice)
        self._writer.final(self.seconds, reason, result)
        self._best.restart()
        self._begin_wait()

    def _cut(self) -> None:
        """End the utterance in the middle of speech; the word that is being spoken begins the next."""
        self._writer.final(self.seconds, FinalReason.max_length, self._best.cut(self.seconds))
        self._begin_wait()


def own_stages(
    loop: DecodeLoop, grammar: "GrammarUnderstanding | None", speakers: "Speakers | None"
) -> "Iterator[Stage]":
    """Yield the stages that hear the audio themselves, of what was asked for; they are imported only then."""
    if grammar is not None:
        from .grammar_stage import GrammarStage  # noqa: PLC0415

        yield GrammarStage(loop, grammar)
    if speakers is not None:
        from .voice_stage import VoiceStage  # noqa: PLC0415

        yield VoiceStage(loop, speakers)


def evidence_of(
    best: Hypothesis, loop: DecodeLoop, voice: VoiceTracker, now: float, length: float, *, speech: bool
) -> Evidence:
    """Return what end-pointers decide on, ``now`` seconds into the stream and ``length`` into the utterance."""
    length = round(length, 6)
    return Evidence(
        time=now,
        speech=speech,
        trailing_silence=min(voice.silence, length),
        trailing_blank=round(max(0.0, now - best.last_end), 6),
        blank_probability=loop.search.blank_probability,
        stable_for=round(now - best.changed_at, 6),
        words=best.texts,
        complete=best.completeness,
        utterance_seconds=length,
        finality=voice.finality,
        ending=best.ending,
    )
