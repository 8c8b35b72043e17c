"""Speakers by name: what is kept of those who were enrolled, and who of them some speech is by."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...models import NearwordError, Transducer
from ...models.compression.sections import write_atomically
from ...models.samples import Samples
from ...models.voice import Floats, Voice, VoiceEncoder
from .events import Speaker

FORMAT = "nearword speakers"
VERSION = 1
MOST_BYTES = 64_000_000
DIGITS = 5
"""Of a vector's numbers in a file."""


class SpeakersError(NearwordError, ValueError):
    """A file of speakers is damaged, or made with another model, or has no such name. Names the file."""


@dataclass
class EnrolledSpeakers:
    """Vectors by name. Plain data: nothing of the recordings themselves is kept, and no words can be told from it."""

    model: str
    """Identity of the graph that made the vectors; see ``VoiceEncoder.identity``."""
    voices: dict[str, list[tuple[Floats, float]]] = field(default_factory=dict)
    """Name to the vectors of enrolled utterances, each with its seconds."""

    def add(self, name: str, voice: Voice) -> None:
        """Add an utterance to those of a speaker, a new one or a known."""
        self.voices.setdefault(name, []).append((voice.vector, voice.seconds))

    def seconds(self, name: str) -> float:
        """Return how much was heard of a speaker."""
        return sum(seconds for _, seconds in self.voices[name])

    def centroids(self) -> tuple[tuple[str, ...], Floats]:
        """Return names, and the mean vector of each by seconds and of length 1, [speakers, size]."""
        names = tuple(self.voices)
        rows = [sum((vector * seconds for vector, seconds in self.voices[name]), np.float32(0)) for name in names]
        if not rows:
            return names, np.zeros((0, 0), np.float32)
        means = np.asarray(rows, np.float32)
        return names, means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, all or nothing; only its owner may read it.

        Raises:
            OSError: it cannot be written.
        """
        speakers = {
            name: [{"seconds": round(seconds, 2), "vector": [round(float(x), DIGITS) for x in vector]}
                   for vector, seconds in voices]
            for name, voices in self.voices.items()
        }  # fmt: skip
        values = {"format": FORMAT, "version": VERSION, "model": self.model, "speakers": speakers}
        write_atomically(Path(path), (json.dumps(values, ensure_ascii=False) + "\n").encode(), mode=0o600)


def read_speakers(path: str | os.PathLike[str], encoder: VoiceEncoder) -> EnrolledSpeakers:
    """Return the speakers of a file.

    Raises:
        SpeakersError: it is damaged, of a later version, or of another model; names it.
        OSError: it cannot be read.
    """
    file = Path(path)
    if file.stat().st_size > MOST_BYTES:
        raise SpeakersError(f"{path}: larger than {MOST_BYTES // 10**6} MB; expected a file of enrolled speakers")
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise SpeakersError(f"{path}: damaged, or no file of speakers; `nearword speakers enrol` makes one")
    version = values.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise SpeakersError(f"{path}: version {version!r:.20}; this nearword reads up to {VERSION}")
    if values.get("model") != encoder.identity:
        raise SpeakersError(
            f"{path}: made with another model ({values.get('model')!r:.24}, this is {encoder.identity!r});"
            " enrol its speakers anew"
        )
    speakers = values.get("speakers")
    if not isinstance(speakers, dict):
        raise SpeakersError(f"{path}: damaged: 'speakers' is no table of names")
    found = EnrolledSpeakers(encoder.identity)
    for name, voices in speakers.items():
        if not isinstance(voices, list) or not voices:
            raise SpeakersError(f"{path}: damaged: speaker {name!r:.40} has no vectors")
        found.voices[name] = [_voice(path, name, voice, encoder.size) for voice in voices]
    return found


def _voice(path: object, name: str, values: object, size: int) -> tuple[Floats, float]:
    if isinstance(values, dict):
        vector, seconds = values.get("vector"), values.get("seconds")
        numbers = (*vector, seconds) if isinstance(vector, list) else ()
        plain = all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) < 1e6 for x in numbers)
        if plain and len(numbers) == size + 1 and math.hypot(*numbers[:-1]) > 0.5 and numbers[-1] > 0:
            return np.asarray(numbers[:-1], np.float32), float(numbers[-1])
    raise SpeakersError(f"{path}: damaged: speaker {name!r:.40} has no vector of {size} numbers and its seconds")


class Speakers:
    """Who may be speaking: the graph that tells voices apart, and those that are enrolled. Shared by any streams.

    >>> speakers = Speakers.load(load_model(), "home.speakers")
    >>> recognizer = Recognizer(model, speakers=speakers)  # results have a speaker, and whether they are whispered
    """

    def __init__(
        self,
        encoder: VoiceEncoder,
        enrolled: EnrolledSpeakers | None = None,
        *,
        threshold: float | None = None,
        told: Callable[[Voice], None] = lambda _: None,
    ) -> None:
        """Put them together.

        Args:
            encoder: of the model that listens.
            enrolled: by that encoder; without, only whispers are told.
            threshold: cosine from which on it is an enrolled speaker; by default the encoder's.
            told: is given the voice of each utterance that ends, in the recogniser's thread, as to enrol it.
        """
        self.encoder, self.told = encoder, told
        self.threshold = encoder.threshold if threshold is None else threshold
        """Cosine from which on a name is told."""
        self._names, self._centroids = (enrolled or EnrolledSpeakers(encoder.identity)).centroids()

    @classmethod
    def load(
        cls, model: Transducer, path: str | os.PathLike[str] | None = None, *, threshold: float | None = None
    ) -> "Speakers":
        """Load the graph of a model and a file of speakers, if there is one.

        Raises:
            ModelFileError: the model has no such graph, or a damaged one; names it.
            SpeakersError: the file is damaged or of another model; names it.
            OSError: the file cannot be read.
        """
        encoder = VoiceEncoder(model)
        return cls(encoder, None if path is None else read_speakers(path, encoder), threshold=threshold)

    @property
    def names(self) -> tuple[str, ...]:
        """Of those who are enrolled."""
        return self._names

    def scores(self, voice: Voice) -> Mapping[str, float]:
        """Return the cosine to each who is enrolled."""
        if not self._names:
            return {}
        return dict(zip(self._names, (self._centroids @ voice.vector).tolist(), strict=True))

    def who(self, voice: Voice) -> Speaker | None:
        """Return who it is, without a name where it is nobody who is enrolled; None where nobody is enrolled."""
        scores = self.scores(voice)
        if not scores:
            return None
        name, score = max(scores.items(), key=lambda pair: pair[1])
        return Speaker(name if score >= self.threshold else None, round(score, 3))


def voices_of(model: Transducer, encoder: VoiceEncoder, audio: Iterable[Samples]) -> list[Voice]:
    """Return the voice of each utterance of some audio that has words, as a live stream would hear it.

    ``audio`` comes in blocks [n], 16 kHz mono in [-1, 1], as ``stream_audio`` gives them.
    """
    from .recognizer import Recognizer  # noqa: PLC0415 (it knows this module)

    voices: list[Voice] = []
    recognizer = Recognizer(model, speakers=Speakers(encoder, told=voices.append))
    for block in audio:
        recognizer.accept(block)
    recognizer.finish()
    return voices
