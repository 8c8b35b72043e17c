"""Greedy search in torch over whole batches: the training run's own view of its error rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..audio import read_audio
from ..pieces import open_pieces
from .augment import FLOOR
from .manifest import read_rows
from .model import TransducerModel
from .phrases import label_text
from .prepare import fbank


@dataclass(frozen=True)
class DevSet:
    """A manifest with its features in memory."""

    name: str
    texts: tuple[str, ...]
    features: tuple[npt.NDArray[np.float32], ...]
    """[frames, 80] each, half a second of digital silence at the end."""


def load_dev_set(manifest: Path, root: Path, text_key: str = "text") -> DevSet:
    """Read a TSV or JSON-lines manifest and compute its features; lines without text are left out."""
    rows = [row for row in read_rows(manifest) if row.get(text_key)]
    tail = np.zeros(8000, np.float32)
    features = tuple(fbank(np.concatenate([read_audio(root / row["path"]), tail])) for row in rows)
    return DevSet(manifest.stem, tuple(label_text(row[text_key]) for row in rows), features)


def load_dev_sets(speech: Path) -> list[DevSet]:
    """Load every manifest of ``speech/dev`` that has transcripts (``text`` or ``aligned_text``)."""
    manifests = sorted((speech / "dev").glob("*.tsv")) + sorted((speech / "dev").glob("*.jsonl"))
    return [load_dev_set(m, speech, "text" if m.suffix == ".tsv" else "aligned_text") for m in manifests]


@torch.inference_mode()
def greedy(model: TransducerModel, features: Sequence[npt.NDArray[np.float32]]) -> list[list[int]]:
    """Return token ids per utterance; at most one token per encoder frame, as the runtime searches."""
    config = model.config
    device = next(model.parameters()).device
    lengths = [max(1, len(f) // 8) for f in features]
    total = config.padded_frames(8 * max(lengths))
    batch = torch.full((len(features), total, 80), FLOOR)
    for row, values in zip(batch, features, strict=True):
        row[: len(values)] = torch.from_numpy(values[:total])
    encoded = model.encoder(batch.to(device)).out
    context = torch.full((len(features), config.context_size), -1, device=device)
    context[:, -1] = 0
    predicted = model.predictor(context)
    tokens: list[list[int]] = [[] for _ in features]
    for t in range(encoded.shape[1]):
        best = model.joiner(encoded[:, t], predicted).argmax(-1)
        emitting = [n for n in range(len(features)) if best[n] != 0 and t < lengths[n]]
        for n in emitting:
            tokens[n].append(int(best[n]))
            context[n] = torch.cat([context[n, 1:], best[n : n + 1]])
        if emitting:
            predicted[emitting] = model.predictor(context[emitting])
    return tokens


def word_error_rate(model: TransducerModel, dev: DevSet, bpe_model: Path) -> tuple[float, list[str]]:
    """Return the word error rate on ``dev`` and the hypotheses."""
    import jiwer

    pieces = open_pieces(bpe_model)
    order = sorted(range(len(dev.texts)), key=lambda i: len(dev.features[i]))
    hypotheses = [""] * len(order)
    for start in range(0, len(order), 24):
        chosen = order[start : start + 24]
        for index, tokens in zip(chosen, greedy(model, [dev.features[i] for i in chosen]), strict=True):
            hypotheses[index] = pieces.decode(tokens)
    return float(jiwer.wer(list(dev.texts), hypotheses)), hypotheses
