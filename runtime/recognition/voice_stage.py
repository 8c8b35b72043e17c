"""Who speaks as a stage: every result says whose voice it is, and whether in a whisper."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...models.encoder import Encoded
from ...models.features import FRAME_SECONDS
from ...models.voice import Floats, Voice
from .decode_loop import DecodeLoop
from .events import Event, Final, SpeculativeFinal, SpeechStarted
from .speakers import Speakers

MARGIN_SECONDS = 0.5
"""Before the first word and after the last that counts too: a word that is misheard may be longer than it seems, while
silence beyond it tells of the room alone."""
LONGEST_SECONDS = 20.0
"""The latest part of an utterance that counts; more of it makes nobody surer, and would all be kept."""


class VoiceHeard:
    """What the tap has read of an utterance; follows the decode loop."""

    def __init__(self, steps: int) -> None:
        self._steps: deque[Floats] = deque(maxlen=steps)

    def advance(self, step: Encoded) -> None:
        """Take the next step of the encoder."""
        if step.voice is not None:
            self._steps.append(step.voice)

    def with_steps(self, steps: Sequence[Encoded]) -> Floats:
        """Return all that was heard and what these steps add, [frames, width]."""
        added = [step.voice for step in steps if step.voice is not None]
        return np.concatenate([*self._steps, *added]) if self._steps or added else np.zeros((0, 1), np.float32)


class VoiceStage:
    """Gives ``SpeculativeFinal`` and ``Final`` a ``speaker``, and whether they were ``whispered``.

    Of a confirmed speculation both are the very same in the final result. An utterance without words has neither.
    """

    name = "speaker"

    def __init__(self, loop: DecodeLoop, speakers: Speakers) -> None:
        """Begin a stream, whose loop taps the encoder for these speakers."""
        self._loop, self._speakers = loop, speakers
        self._heard: VoiceHeard | None = None
        self._speculated: tuple[int, Voice | None] | None = None
        """Revision and voice of the latest speculative result."""

    def take(self, event: Event) -> Sequence[Event]:
        """Return the event, a result with who has said it."""
        if isinstance(event, SpeechStarted):
            info = self._loop.session.model.info
            self._heard = VoiceHeard(round(LONGEST_SECONDS / (info.encoder_frames * info.frame_seconds)))
            self._speculated = None
            self._loop.follow(self._heard)
        elif isinstance(event, SpeculativeFinal):
            voice = self._voice(event)
            self._speculated = event.revision, voice
            return (self._with(event, voice),)
        elif isinstance(event, Final):
            standing = self._speculated
            known = standing is not None and standing[0] == event.confirms
            voice = standing[1] if standing is not None and known else self._voice(event)
            if self._heard is not None:
                self._loop.unfollow(self._heard)
            self._heard = None
            if voice is not None:
                self._speakers.told(voice)
            return (self._with(event, voice),)
        return (event,)

    def _with(self, event: SpeculativeFinal | Final, voice: Voice | None) -> Event:
        if voice is None:
            return event
        return replace(event, speaker=self._speakers.who(voice), whispered=round(voice.whispered, 4))

    def _voice(self, event: SpeculativeFinal | Final) -> Voice | None:
        if self._heard is None or not event.words:
            return None
        encoder, steps = self._loop.encoder, self._loop.encoder.completion
        heard = self._heard.with_steps(steps)
        padding = (len(steps) * self._loop.session.model.info.chunk_shift - encoder.waiting) * FRAME_SECONDS
        frame_seconds = self._speakers.encoder.frame_seconds
        first, last = event.words[0], event.words[-1]
        after = padding + max(0.0, event.time - last.end - MARGIN_SECONDS)
        end = len(heard) - round(after / frame_seconds)
        begin = end - round((last.end - first.start + 2 * MARGIN_SECONDS) / frame_seconds)
        return self._speakers.encoder.hear(heard[max(0, begin) : max(0, end)])
