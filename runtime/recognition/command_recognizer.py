"""A recogniser whose events say what each utterance asks for."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...endpointing import PRESETS, EndpointSettings, VoiceActivity
from ...models import SAMPLE_RATE, Channel, Transducer
from ...models.audio import Samples
from ..search import DEFAULT_SEARCH, SearchOptions
from .events import Command, Event, Final, SpeculativeFinal, SpeechStarted
from .grammar import CommandStream
from .recognizer import LOST_SECONDS, Recognizer

LEAD_SECONDS = 0.6
"""Audio before an utterance was noticed that is its own: its first sounds."""


class CommandRecognizer(Recognizer):
    """As ``Recognizer``; every ``SpeculativeFinal`` and ``Final`` has a ``command`` beside its words.

    What a confirmed speculation asks for is not looked at again: the final result asks for the same.

    >>> recognizer = CommandRecognizer(model, command_streams(model, grammar))
    """

    def __init__(
        self,
        model: Transducer,
        begin: Callable[[], CommandStream],
        settings: EndpointSettings = PRESETS["balanced"],
        *,
        search: SearchOptions = DEFAULT_SEARCH,
        vad: VoiceActivity | None = None,
        lower: bool = True,
        rate: float = SAMPLE_RATE,
        channel: Channel = "mix",
    ) -> None:
        """Begin a stream; ``begin`` is called for each utterance, all else is as ``Recognizer`` has it."""
        super().__init__(model, settings, search=search, vad=vad, lower=lower, rate=rate, channel=channel)
        self._commands = _Commands(begin)

    def _take(self, samples: Samples) -> list[Event]:
        events = super()._take(samples)
        self._commands.append(samples)
        return self._commands.added_to(events)

    def lost(self, seconds: float, reason: str) -> list[Event]:
        """Say that audio is missing here; a short gap is heard as silence."""
        events = self._commands.added_to(super().lost(seconds, reason))
        self._commands.lost(seconds)
        return events

    def _finish(self) -> list[Event]:
        return self._commands.added_to(super()._finish())


class _Commands:
    """The audio once more, cut into the utterances that events tell of."""

    def __init__(self, begin: Callable[[], CommandStream]) -> None:
        self._begin = begin
        self._utterance: CommandStream | None = None
        self._audio = np.zeros(0, np.float32)
        """The latest: what the utterance has not heard yet, and what the next may begin with."""
        self._end = self._heard = 0
        """Samples since the stream began, lost ones included, up to the end of it, and up to what was heard."""
        self._speculated: tuple[int, Command] | None = None
        """Revision and command of the latest speculative result."""

    def append(self, samples: Samples) -> None:
        self._audio = np.concatenate([self._audio, samples], dtype=np.float32)
        self._end += len(samples)

    def lost(self, seconds: float) -> None:
        """Leave a gap; a long one has ended the utterance."""
        missing = max(0, round(seconds * SAMPLE_RATE))
        if seconds < LOST_SECONDS:
            self.append(np.zeros(missing, np.float32))
        else:
            self._audio = self._audio[:0]
            self._end += missing

    def added_to(self, events: list[Event]) -> list[Event]:
        """Return the events of the audio so far, with what they ask for."""
        events = [self._with_command(event) for event in events]
        self._hear(self._end)
        self._audio = self._audio[-round(LEAD_SECONDS * SAMPLE_RATE) :]
        return events

    def _with_command(self, event: Event) -> Event:
        if isinstance(event, SpeechStarted):
            lead = round((event.time - LEAD_SECONDS) * SAMPLE_RATE)
            self._heard = max(lead, self._end - len(self._audio))
            self._utterance, self._speculated = self._begin(), None
        elif isinstance(event, SpeculativeFinal):
            command = self._command(event)
            self._speculated = event.revision, command
            return replace(event, command=command)
        elif isinstance(event, Final):
            standing = self._speculated
            known = standing is not None and standing[0] == event.confirms
            command = standing[1] if standing is not None and known else self._command(event)
            self._utterance = None
            return replace(event, command=command)
        return event

    def _command(self, event: SpeculativeFinal | Final) -> Command:
        if self._utterance is None or not event.text:
            return Command(accepted=False)
        self._hear(round(event.time * SAMPLE_RATE))
        return self._utterance.understood().command

    def _hear(self, until: int) -> None:
        """Let the utterance hear the audio up to a sample of the stream, if there is one."""
        if self._utterance is not None and until > self._heard:
            first = self._end - len(self._audio)
            self._utterance.accept(self._audio[self._heard - first : until - first])
            self._heard = until
