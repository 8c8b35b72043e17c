"""A recording to one transcript, cut into utterances where the speaker pauses."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy.typing as npt

from ...endpointing import PRESETS, EndpointSettings
from ...models import SAMPLE_RATE, Channel, Transducer
from ..search import DEFAULT_SEARCH, SearchOptions
from .events import Command, Final, Partial, Speaker
from .hypothesis import line
from .recognizer import Recognizer
from .stage import Stage
from .transcript import Transcript, Word

if TYPE_CHECKING:
    from ...lattice import Lattice
    from ...lattice.understanding.result import Understanding
    from .anchor import SpeakerGate
    from .grammar import GrammarUnderstanding
    from .speakers import Speakers

SETTINGS = replace(PRESETS["patient"], stable=0.5)
"""Nobody waits for the end of an utterance in a recording: better late than cut off."""


class Segmenter:
    """Long audio in memory that does not grow with its features: words, and where utterances begin."""

    def __init__(
        self,
        model: Transducer,
        settings: EndpointSettings | None = None,
        *,
        search: SearchOptions = DEFAULT_SEARCH,
        lower: bool = True,
        grammar: "GrammarUnderstanding | None" = None,
        speakers: "Speakers | None" = None,
        anchor: "SpeakerGate | None" = None,
        stages: Sequence[Stage] = (),
        rate: float = SAMPLE_RATE,
        channel: Channel = "mix",
    ) -> None:
        """Begin a recording.

        Args:
            model: loaded, shared or not.
            settings: of the end-pointers; by default patient, with a grammar as in live listening.
            search: how wide to search, and what to boost.
            lower: lower-case words, also of models with upper-case tokens.
            grammar: all that may be asked for.
            speakers: who may be speaking; see ``voices``.
            anchor: hears only who has said the wake word; see ``recognition.anchor``.
            stages: what every event passes; see ``recognition.stage``.
            rate: samples per second of the audio that will come.
            channel: of audio with several the one to hear, from 1 on, or ``mix``.
        """
        settings = settings or (SETTINGS if grammar is None else PRESETS["balanced"])
        self._recognizer = Recognizer(
            model, settings, search=search, lower=lower, rate=rate, channel=channel, grammar=grammar,
            speakers=speakers, anchor=anchor, stages=stages,
        )  # fmt: skip
        self.commands: list[Command] | None = None if grammar is None else []
        """What the utterances that have ended ask for, each; None if nobody asked."""
        self.understandings: list[Understanding] = []
        """Likewise by a grammar or by a stage that understands; empty where none does."""
        self.voices: list[tuple[Speaker | None, float | None]] | None = None if speakers is None else []
        """Who has said each of the utterances that have ended, and whether in a whisper; None if nobody asked."""
        self.lattices: list[Lattice] = []
        """Of the utterances that have ended."""
        self._words: list[Word] = []
        self._utterances: list[int] = []
        self._present: tuple[Word, ...] = ()
        self._stable = 0

    @property
    def text(self) -> str:
        """All words so far."""
        return " ".join(word.text for word in (*self._words, *self._present))

    @property
    def stable_text(self) -> str:
        """All words so far that will not change any more."""
        return " ".join(word.text for word in (*self._words, *self._present[: self._stable]))

    @property
    def utterance_texts(self) -> list[str]:
        """The words of each utterance that has ended."""
        ends = [*self._utterances[1:], len(self._words)]
        return [
            line(tuple(self._words[begin:end])) for begin, end in zip(self._utterances, ends, strict=False)
        ]  # without utterances there is an end, but no beginning

    def accept(self, audio: npt.ArrayLike) -> bool:
        """Take audio, [n] or [n, channels], float32 in [-1, 1] or any integer type; returns whether words are new.

        Raises:
            AudioError: what is no audio; nothing was taken then.
            RuntimeError: the stream was finished.
        """
        events = self._recognizer.accept(audio)
        for event in events:
            if isinstance(event, Partial):
                self._present, self._stable = event.words, event.stable
            elif isinstance(event, Final):
                self._take(event)
        return any(isinstance(event, Partial | Final) for event in events)

    def finish(self) -> Transcript:
        """End the stream and return all its words; again and again the same."""
        for event in self._recognizer.finish():
            if isinstance(event, Final):
                self._take(event)
        return Transcript(
            self.text, tuple(self._words), (), self._recognizer.seconds, utterances=tuple(self._utterances)
        )

    def _take(self, final: Final) -> None:
        if final.words:
            self._utterances.append(len(self._words))
            self._words += final.words
            if final.lattice is not None:
                self.lattices.append(final.lattice)
            if self.commands is not None:
                self.commands.append(final.command or Command(accepted=False))
            if self.voices is not None:
                self.voices.append((final.speaker, final.whispered))
            if final.understanding is not None:
                self.understandings.append(final.understanding)
        self._present = ()
