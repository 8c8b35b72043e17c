"""The dev sets for benchmarks: what was said, and what the encoder makes of it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from nearword.models import Transducer, stream_audio
from nearword.runtime.evaluation.word_errors import Entry, read_manifest
from nearword.runtime.recognition.encoder_stream import AudioEncoder
from nearword.runtime.recognition.text import normalise


@dataclass(frozen=True)
class Recording:
    """A recording of a dev set."""

    entry: Entry
    group: str
    """What halves of a set must not share: the speaker, or the recording where speakers are not known."""

    @property
    def words(self) -> list[str]:
        """What was said."""
        return normalise(self.entry.text).split()


def recordings(limit: int | None = None) -> list[Recording]:
    """Return the recordings of both dev sets under NEARWORD_SPEECH, at most ``limit`` of each."""
    folder = os.environ.get("NEARWORD_SPEECH")
    if not folder or not Path(folder, "dev").is_dir():
        sys.exit("set NEARWORD_SPEECH to the folder of speech that holds dev/")
    dev = Path(folder, "dev")
    read = read_manifest(dev / "speechocean762.tsv")[:limit]
    commands = read_manifest(dev / "barista.jsonl", text_key="aligned_text")[:limit]
    # the names of speechocean762's files begin with the speaker's number
    return [Recording(entry, entry.path.stem[:5]) for entry in read] + [
        Recording(entry, entry.path.stem) for entry in commands
    ]


def encode(model: Transducer, audio: Path | npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Return what the encoder gives for a recording, [frames, joiner_dim] for each of its steps.

    ``audio`` is a file, or samples [n], 16 kHz mono.
    """
    encoder = AudioEncoder(model)
    blocks = stream_audio(audio) if isinstance(audio, Path) else (audio,)
    steps = [step.out for block in blocks for step in encoder.accept(block)]
    return [*steps, *(step.out for step in encoder.finish())]
