"""Audio in, events out: recognition with both end-pointers, without threads or asyncio.

Everything is decided on the grid of the voice activity's frames (20 ms), never per call: the same audio in any
pieces gives the same events, times included.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...endpointing import (
    PRESETS,
    EndpointSettings,
    EndReason,
    Evidence,
    FinalEndpointer,
    SpeculativeEndpointer,
    VoiceActivity,
    VoiceFinality,
    WebRtcVad,
    completeness,
)
from ...models import SAMPLE_RATE, AudioConverter, Channel, Transducer
from ...models.audio import Samples
from ..search import DEFAULT_SEARCH, SearchOptions
from .confidence import read_calibration
from .decoding import DecodingStream, seconds_of
from .events import AudioLost, Event, Final, FinalReason, Partial, Reset, SpeculativeFinal, SpeechStarted
from .hypothesis import Hypothesis, Outcome, line

PARTIAL_SECONDS = 0.1
"""Least time between two partials."""
START_SECONDS = 0.16
"""Speech without a break that begins an utterance; a first token begins it too."""
RESUME_SECONDS = 0.1
"""Speech without a break, after a speculative end, that resets it; a cough or a click is shorter."""
LOST_SECONDS = 1.0
"""A gap so long ends the utterance."""


class Speculative(Protocol):
    """What says when an utterance has probably ended."""

    def update(self, evidence: Evidence) -> bool: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


class Ending(Protocol):
    """What says when an utterance has ended."""

    def update(self, evidence: Evidence) -> EndReason | None: ...  # noqa: D102
    def reset(self) -> None: ...  # noqa: D102


class Recognizer:
    """One stream of audio to events; see ``runtime.events`` for what holds of them.

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
        speculative: Speculative | None = None,
        final: Ending | None = None,
        lower: bool = True,
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
            rate: samples per second of the audio that will come.
            channel: of audio with several the one to hear, from 1 on, or ``mix``.

        Raises:
            AudioError: no such rate or channel.
        """
        self._converter = AudioConverter(rate, channel)
        self._vad: VoiceActivity = WebRtcVad() if vad is None else vad
        self._speculative: Speculative = SpeculativeEndpointer(settings) if speculative is None else speculative
        self._final: Ending = FinalEndpointer(settings) if final is None else final
        self._voice = VoiceFinality()
        self._search = search
        self._stream = DecodingStream(model, search)
        self._best = Hypothesis(self._stream, lower=lower, calibration=read_calibration(model.info.folder))
        self._grid = round(self._vad.frame_seconds * SAMPLE_RATE)
        self._rest = np.zeros(0, np.float32)
        self._heard = self._missing = 0
        self._finished = False
        self._events: list[Event] = []
        self._utterance = 1
        self._speech_run = self._silence = 0
        """Samples since voice activity was last the other way."""
        self._begin_wait()

    @property
    def seconds(self) -> float:
        """Length of the stream so far, lost audio included."""
        return seconds_of(self._heard + self._missing)

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
        return self._take(self._converter.accept(audio))

    def _take(self, samples: Samples) -> list[Event]:
        """Take samples [n], 16 kHz mono in [-1, 1]."""
        if len(self._rest):
            samples = np.concatenate([self._rest, samples])
        grid = self._grid
        whole = len(samples) // grid * grid
        for start in range(0, whole, grid):
            self._frame(samples[start : start + grid])
        self._rest = samples[whole:].copy()
        return self._take_events()

    def lost(self, seconds: float, reason: str) -> list[Event]:
        """Say that audio is missing here; a long gap ends the utterance. Time goes on by ``seconds``."""
        self._check_open()
        self._emit(AudioLost(self._utterance, self._revision, self.seconds, round(seconds, 3), reason))
        self._stream.lost(self._heard / SAMPLE_RATE, seconds)
        if seconds >= LOST_SECONDS:
            if self.in_utterance:
                self._end(FinalReason.audio_lost)
            else:
                self._stream.restart()
            self._vad.reset()
            self._voice.reset()
            self._speech_run = 0
        self._missing += max(0, round(seconds * SAMPLE_RATE))
        return self._take_events()

    def finish(self) -> list[Event]:
        """End the stream: an open utterance gets its final. Again and again: nothing more."""
        if self._finished:
            return []
        self._finished = True
        return [*self._take(self._converter.finish()), *self._finish()]

    def _finish(self) -> list[Event]:
        self._heard += len(self._rest)
        self._stream.accept(self._rest)
        if not self.in_utterance:
            self._best.complete(self.seconds, 0.0)
            if not self._best.words:
                return []
            self._begin()
        self._silence = 0  # after the end there is as much silence as the last words need
        self._end(FinalReason.end_of_stream)
        return self._take_events()

    def _check_open(self) -> None:
        if self._finished:
            raise RuntimeError("the stream is finished; make a new Recognizer for more audio")

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _emit(self, event: Event) -> None:
        self._events.append(event)

    def _begin_wait(self) -> None:
        """Between utterances."""
        self._started: float | None = None
        self._revision = 0
        self._shown = ""
        self._shown_at = -PARTIAL_SECONDS
        self._standing: SpeculativeFinal | None = None
        self._standing_on = ""
        """What the search said when the speculation was made: the second look may have changed it."""
        self._best.begin(self.seconds)

    def _begin(self) -> None:
        self._started = self.seconds
        self._speculative.reset()
        self._final.reset()
        self._voice.begin()
        self._best.begin(self.seconds)
        self._emit(SpeechStarted(self._utterance, 0, self.seconds))

    def _frame(self, frame: Samples) -> None:
        """Take one frame of the grid and decide."""
        self._heard += len(frame)
        speech = self._vad.accept(frame)
        self._speech_run = self._speech_run + len(frame) if speech else 0
        self._silence = 0 if speech else self._silence + len(frame)
        self._voice.accept(frame, speech=speech)
        decoded = self._stream.accept(frame)
        if not self.in_utterance:
            if not (self._stream.search.tokens or self._speech_run >= START_SECONDS * SAMPLE_RATE):
                return
            self._begin()
        self._best.look(self.seconds, seconds_of(self._silence), decoded=decoded)
        if self._standing is not None and self._is_wrong(self._standing_on, decoded=decoded):
            self._withdraw()
        self._show()
        evidence = self._evidence(speech=speech)
        reason = self._final.update(evidence)
        if reason is EndReason.max_length and self._silence < RESUME_SECONDS * SAMPLE_RATE:
            self._cut()
        elif reason is not None:
            self._end(FinalReason(reason.value))
        elif self._standing is None and self._speculative.update(evidence):
            self._speculate()

    def _is_wrong(self, text: str, *, decoded: bool) -> bool:
        """Whether a speculation is: speech goes on, or there are other words."""
        if self._speech_run >= RESUME_SECONDS * SAMPLE_RATE:
            return True
        if self._best.is_completed and text != self._best.text:
            return True
        return decoded and not text.startswith(self._best.settled_text)

    def _withdraw(self) -> None:
        if self._standing is not None:
            self._emit(Reset(self._utterance, self._standing.revision, self.seconds))
            self._standing = None
            self._speculative.reset()

    def _show(self) -> None:
        """Emit a partial, if there are new words and the last one is long enough ago."""
        if self._standing is not None or self.seconds - self._shown_at < PARTIAL_SECONDS - 1e-6:
            return
        words, stable = self._best.so_far(self.seconds)
        text = line(words)
        if text in ("", self._shown):
            return
        self._shown, self._shown_at = text, self.seconds
        self._revision += 1
        self._best.promise([word.text for word in words[:stable]])
        self._emit(Partial(self._utterance, self._revision, self.seconds, text, words, stable))

    def _evidence(self, *, speech: bool) -> Evidence:
        now, best = self.seconds, self._best
        words = tuple(word.text for word in best.words)
        length = round(now - (self._started or 0.0), 6)
        return Evidence(
            time=now,
            speech=speech,
            trailing_silence=min(seconds_of(self._silence), length),
            trailing_blank=round(max(0.0, now - best.last_end), 6),
            blank_probability=self._stream.search.blank_probability,
            stable_for=round(now - best.changed_at, 6),
            words=words,
            complete=completeness(words),
            utterance_seconds=length,
            finality=self._voice.value,
        )

    def _speculate(self) -> None:
        best = self._best
        seen = best.text
        best.complete(self.seconds, seconds_of(self._silence))
        if not best.text or best.text != seen:
            self._speculative.reset()  # it decided on other words: let it look at these
            return
        self._revision += 1
        outcome = best.outcome(self.seconds)
        if not outcome.text:
            self._speculative.reset()
            return
        self._standing_on = best.text
        self._standing = SpeculativeFinal(
            self._utterance, self._revision, self.seconds, outcome.text, outcome.words, outcome.n_best, outcome.lattice
        )
        self._emit(self._standing)

    def _end(self, reason: FinalReason) -> None:
        """End the utterance with all that was heard."""
        self._best.complete(self.seconds, seconds_of(self._silence))
        outcome, standing = self._best.outcome(self.seconds), self._standing
        if standing is not None and self._best.text == self._standing_on and outcome.text != standing.text:
            # nothing new was said: some more silence is no reason to take back what was made of it
            outcome = Outcome(standing.words, standing.n_best, standing.lattice)
        self._finalise(reason, outcome)
        self._stream.restart()
        self._begin_wait()

    def _cut(self) -> None:
        """End the utterance in the middle of speech; the word that is being spoken begins the next."""
        self._finalise(FinalReason.max_length, self._best.cut(self.seconds))
        self._begin_wait()

    def _finalise(self, reason: FinalReason, outcome: Outcome) -> None:
        text, confirms = outcome.text, None
        if self._standing is not None and self._standing.text == text:
            confirms = self._standing.revision
        else:
            self._withdraw()
        self._revision += 1
        self._emit(
            Final(
                self._utterance,
                self._revision,
                self.seconds,
                text,
                outcome.words,
                confirms,
                reason,
                outcome.n_best,
                outcome.lattice,
            )
        )
        self._utterance += 1
        self._search.end_turn()
