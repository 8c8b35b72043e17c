"""Speech without text, labelled by a bigger recogniser: what it is sure of teaches the small one.

Pseudo-labels after Kahn et al. 2020 ("Self-training for end-to-end speech recognition", arXiv 1909.09116): the teacher
hears whole utterances with a beam, and what it is too unsure of is left out.
"""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..audio import read_audio
from ..errors import AudioError, NearwordError
from .manifest import rows_of
from .phrases import label_text

SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aiff", ".au")
LONGEST_SECONDS = 30.0
"""A longer recording is more than Whisper hears at once, and than training takes."""
FIELDS = ("path", "seconds", "certainty", "text")


@dataclass(frozen=True)
class Label:
    """What a recogniser makes of a recording."""

    text: str
    certainty: float
    """0 to 1: the geometric mean of its tokens' probabilities."""


class Labeller(Protocol):
    """What knows more than the model that is to be trained."""

    def __call__(self, samples: npt.NDArray[np.float32]) -> Label:
        """Return what is said in a recording [n] at 16 kHz; no text where there is no speech."""
        ...


def whisper_labeller(model: str, threads: int = 1, beam: int = 5) -> Labeller:
    """Return Whisper, by name (any that faster-whisper knows, fetched from its hub) or by folder.

    Numbers come as words: their digits are not let be said.

    Raises:
        NearwordError: no such model.
    """
    from faster_whisper import WhisperModel

    try:
        recogniser = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads)
    except (RuntimeError, ValueError, OSError) as error:
        raise NearwordError(f"{model}: expected a folder or name of faster-whisper's models ({error})") from error
    vocabulary = recogniser.hf_tokenizer.get_vocab()
    numerals = sorted(number for token, number in vocabulary.items() if any(char in "0123456789%$" for char in token))
    silenced = [-1, *(number for number in numerals if number < recogniser.hf_tokenizer.token_to_id("<|endoftext|>"))]

    def label(samples: npt.NDArray[np.float32]) -> Label:
        parts, _ = recogniser.transcribe(
            samples,
            language="en",
            beam_size=beam,
            temperature=0.0,
            condition_on_previous_text=False,
            suppress_tokens=silenced,
        )
        said = [(part.text, part.avg_logprob, len(part.tokens)) for part in parts if part.no_speech_prob < 0.6]
        tokens = sum(count for _, _, count in said)
        if not tokens:
            return Label("", 0.0)
        mean = sum(log_prob * count for _, log_prob, count in said) / tokens
        return Label(" ".join(text for text, _, _ in said), math.exp(min(0.0, mean)))

    return label


def recordings_in(folder: Path) -> list[Path]:
    """Return the audio files of a folder and those below it, in order.

    Raises:
        NearwordError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise NearwordError(f"{folder}: no recordings there; expected files that end in {', '.join(SUFFIXES)}")
    return found


def label_folder(
    folder: Path,
    output: Path,
    labeller: Labeller,
    least: float,
    progress: Callable[[Sequence[Path]], Iterator[Path]] = iter,
) -> tuple[int, int]:
    """Write a manifest of what the recordings of ``folder`` say, with those of at least ``least`` certainty.

    ``output`` is a TSV that `prepare --extra` takes, paths relative to its own folder. All labels are kept beside it,
    in ``NAME.all.tsv``: an interrupted call goes on there, and another ``least`` needs no new labels.

    Returns how many recordings were labelled and how many of them are in the manifest.
    """
    everything = output.with_suffix(".all.tsv")
    rows = read_labels(everything)
    with everything.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, delimiter="\t", lineterminator="\n")
        if not rows:
            file.truncate(0)
            writer.writeheader()
        for path in progress(recordings_in(folder)):
            name = _relative(path, output)
            if name in rows:
                continue
            try:
                samples = read_audio(path)
            except AudioError as error:
                print(f"left out: {error}")
                continue
            seconds = len(samples) / 16000
            label = labeller(samples) if 0.3 < seconds <= LONGEST_SECONDS else Label("", 0.0)
            rows[name] = {
                "path": name,
                "seconds": f"{seconds:.2f}",
                "certainty": f"{label.certainty:.3f}",
                "text": label_text(label.text),
            }
            writer.writerow(rows[name])
            file.flush()
    kept = [row for row in rows.values() if row["text"] and float(row["certainty"]) >= least]
    partial = output.with_suffix(".part")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    partial.replace(output)
    return len(rows), len(kept)


def read_labels(manifest: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a manifest that may not exist, by path, but for one that was cut off."""
    if not manifest.exists():
        return {}
    lines = manifest.read_text("utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    manifest.write_text("".join(whole), "utf-8")
    return {row["path"]: row for row in rows_of(whole)}


def _relative(path: Path, output: Path) -> str:
    folder = output.parent.resolve()
    try:
        return str(path.resolve().relative_to(folder))
    except ValueError:
        return str(path.resolve())
