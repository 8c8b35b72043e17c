"""Kokoro (82 M parameters, Apache-2.0), a neural synthesiser, run on onnxruntime: many voices, and mixtures of them.

A voice is a table of style vectors, one for every length of text; a weighted sum of two tables is a voice of its
own, so that a few dozen voices make any number of speakers. Phones come from espeak-ng; those of another language's
rules, spoken by one of its voices, are an accent.
"""

import json
import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from ..errors import NearwordError
from .phrases import calls, generate

RATE = 24000
"""Samples per second of what the network puts out."""
STYLE = 256
"""Width of a style vector."""
LONGEST = 508
"""Symbols of a sentence at most."""
ACCENTED = 0.15
"""Share of the sentences of voices of other languages that are said after the rules of those."""
ENGLISH = ("en-us", "en-gb")
ACCENTS = {"e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt-br", "j": "ja", "z": "cmn"}
"""First letter of a voice's name that is no English one, and espeak-ng's language of it."""


@dataclass(frozen=True)
class Kokoro:
    """The files of the synthesiser, but for its network."""

    folder: Path
    vocabulary: dict[str, int] = field(repr=False)
    voices: dict[str, npt.NDArray[np.float32]] = field(repr=False)
    """[lengths, 1, 256] by name."""

    @classmethod
    def read(cls, folder: Path) -> "Kokoro":
        """Read ``vocab.json`` and ``voices/*.bin`` of a folder that also holds the network, one ``*.onnx``.

        Raises:
            NearwordError: something is missing or not as it should be; names it.
        """
        if len(list(folder.glob("*.onnx"))) != 1:
            raise NearwordError(f"{folder}: expected one network (*.onnx), vocab.json and voices/*.bin of Kokoro there")
        try:
            vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise NearwordError(f"{folder / 'vocab.json'}: expected Kokoro's symbols as JSON ({error})") from error
        vocabulary = vocabulary.get("vocab", vocabulary)
        voices = {}
        for path in sorted((folder / "voices").glob("*.bin")):
            values = np.fromfile(path, np.float32)
            if not len(values) or len(values) % STYLE:
                raise NearwordError(f"{path}: expected float32 vectors of {STYLE}, found {len(values)} numbers")
            voices[path.stem] = values.reshape(-1, 1, STYLE)
        if not voices:
            raise NearwordError(f"{folder / 'voices'}: no voices there; expected *.bin")
        return cls(folder, vocabulary, voices)

    @cached_property
    def network(self) -> ort.InferenceSession:
        """The network, loaded when it is first asked for."""
        [path] = self.folder.glob("*.onnx")
        return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def speak(self, text: str, voice: str, language: str = ENGLISH[0], speed: float = 1.0) -> npt.NDArray[np.float32]:
        """Return a sentence as samples [n] at ``RATE``; none if it has no sound, or more than the network can say.

        ``voice`` is as ``style`` takes it; ``language`` is that of espeak-ng's whose rules say the sentence.
        """
        tokens, table = self.tokens(ipa(text, language)), self.style(voice)
        if not 1 <= len(tokens) <= min(len(table), LONGEST):
            return np.zeros(0, np.float32)
        feeds = {
            "tokens": np.asarray([[0, *tokens, 0]], np.int64),
            "style": np.asarray(table[len(tokens) - 1], np.float32),
            "speed": np.asarray([speed], np.float32),
        }
        return np.asarray(self.network.run(None, feeds)[0], np.float32).ravel()

    def style(self, voice: str) -> npt.NDArray[np.float32]:
        """Return the table of a voice, ``name`` or a mixture ``name+other:0.3`` (three tenths of the other)."""
        name, _, rest = voice.partition("+")
        table = self.voices[name]
        if not rest:
            return table
        other, _, share = rest.partition(":")
        weight = np.float32(share)
        both = min(len(table), len(self.voices[other]))
        mixed: npt.NDArray[np.float32] = (1 - weight) * table[:both] + weight * self.voices[other][:both]
        return mixed

    def tokens(self, phones: str) -> list[int]:
        """Return the network's symbols of phones in IPA; what it does not know is left out."""
        return [self.vocabulary[symbol] for symbol in phones if symbol in self.vocabulary]


def ipa(text: str, language: str) -> str:
    """Return how espeak-ng says ``text`` in IPA, with stress."""
    result = subprocess.run(
        ["espeak-ng", "-q", "--ipa", "-v", language, text], check=True, capture_output=True, text=True, timeout=60
    )
    return " ".join(result.stdout.split())


def language_of(voice: str, accented: bool) -> str:
    """Return the language whose rules say a sentence for ``voice``: English, or with an accent its own."""
    if accented and voice[0] in ACCENTS:
        return ACCENTS[voice[0]]
    return ENGLISH[1] if voice[0] == "b" else ENGLISH[0]


def choose_voice(voices: Sequence[str], rng: np.random.Generator) -> str:
    """Draw a speaker: one voice in three as it is, else a mixture of two."""
    first, second = (voices[int(k)] for k in rng.choice(len(voices), 2, replace=False))
    return first if rng.random() < 1 / 3 else f"{first}+{second}:{rng.uniform(0.2, 0.5):.2f}"


def sentences_for(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """Return ``count`` sentences: half from ``texts``, a third from templates, the rest calls to people."""
    rng = random.Random(seed)
    made = generate(seed), calls(seed)
    chosen: list[str] = []
    while len(chosen) < count:
        [kind] = rng.choices(range(3), (0.33, 0.12, 0.55))
        text = rng.choice(texts) if kind == 2 else next(made[kind])
        if 2 <= len(text.split()) <= 16:
            chosen.append(text)
    return chosen


def speak_all(kokoro: Kokoro, texts: Sequence[str], count: int, folder: Path, seed: int = 1) -> Path:
    """Speak ``count`` sentences, each by a speaker of its own, as FLAC with ``manifest.tsv``; returns its path.

    What an interrupted call has written is kept; the manifest comes last.
    """
    import soundfile
    import soxr
    from rich.progress import track

    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.tsv"
    if manifest.exists():
        return manifest
    names = list(kokoro.voices)
    lines = ["path\tseconds\tspeaker\ttext"]
    for number, text in enumerate(track(sentences_for(texts, count, seed), "speaking")):
        rng = np.random.default_rng((seed, number))
        voice, speed = choose_voice(names, rng), rng.uniform(0.8, 1.25)
        language = language_of(voice, rng.random() < ACCENTED)
        path = folder / f"{number:06d}-{crc32(f'{seed} {voice} {text}'.encode()):08x}.flac"
        if not path.exists():
            sound = kokoro.speak(text, voice, language, speed)
            if not len(sound):
                continue
            samples = soxr.resample(sound, RATE * rng.uniform(0.94, 1.07), 16000.0)
            partial = path.with_suffix(".part")
            soundfile.write(partial, 0.5 * samples / max(1e-3, np.abs(samples).max()), 16000, format="FLAC")
            partial.replace(path)
        lines.append(f"{path.name}\t{soundfile.info(path).duration:.2f}\t{voice}\t{text}")
    partial = manifest.with_suffix(".part")
    partial.write_text("\n".join(lines) + "\n")
    return partial.replace(manifest)
