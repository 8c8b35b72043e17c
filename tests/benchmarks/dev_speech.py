"""The dev sets for benchmarks: what was said, and what the encoder makes of it."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from nearword.models import SAMPLE_RATE, FeatureExtractor, Transducer, stream_audio
from nearword.runtime.evaluation.word_errors import Entry, normalise, read_manifest

TAIL_SECONDS = 0.5
"""Silence after each recording, so that the last words come through the model's delay."""


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
    info, features, encoder = model.info, FeatureExtractor(), model.encoder_stream()
    position, steps = 0, []
    silence = TAIL_SECONDS + (info.chunk_frames + info.chunk_shift) * 0.01
    blocks = stream_audio(audio) if isinstance(audio, Path) else (audio,)
    for samples in (*blocks, np.zeros(int(silence * SAMPLE_RATE), np.float32)):
        features.accept(samples)
        while position + info.chunk_frames <= features.frames_ready:
            steps.append(encoder.run(features.take(position, info.chunk_frames)).out)
            position += info.chunk_shift
    return steps
