"""A context vector: what usually follows a text, from a small encoder of hashed n-grams.

Words, pairs of words and triples of letters are hashed into a table of vectors, whose mean stands for the text (hashed
features as in Weinberger et al. 2009, means of n-gram vectors as in Bojanowski et al. 2017). One table reads what comes
before, another what may follow; near are those that follow one another. Numpy alone, some microseconds a word.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from .errors import ContextError

VECTOR_FILE = Path(__file__).with_name("vector.npz")
BUCKETS = 4096
DIMENSIONS = 32
LABELS = (
    "contact", "media", "device", "room", "place", "food", "list", "when", "number", "yes_no", "clarify", "spell",
    "other",
)  # fmt: skip
"""What may follow: entries of classes, or answers to acts."""
MAX_WORDS = 40
"""Last words of a text that are looked at."""
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
Floats = npt.NDArray[np.float32]


def features(text: str) -> npt.NDArray[np.int64]:
    """Return the buckets of the n-grams of a text."""
    words = _WORD.findall(text.lower().replace("\u2019", "'"))[-MAX_WORDS:]
    grams = [*words, *map(" ".join, pairwise(words))]
    grams += [f"#{marked[k : k + 3]}" for word in words for marked in [f"<{word}>"] for k in range(len(marked) - 2)]
    return np.array([crc32(gram.encode()) % BUCKETS for gram in grams], np.int64)


@dataclass(frozen=True)
class ContextEncoder:
    """Both tables, and what the labels look like."""

    before: Floats
    """[buckets, dimensions] Of what comes before."""
    after: Floats
    """[buckets, dimensions] Of what may follow."""
    labels: Floats
    """[labels, dimensions]"""
    bias: Floats
    """[labels]"""

    def encode(self, text: str) -> Floats:
        """Return the vector of a text that something follows, [dimensions]."""
        return _mean(self.before, text)

    def label_probabilities(self, text: str) -> dict[str, float]:
        """Return what may follow a text, by label."""
        logits = self.labels @ self.encode(text) + self.bias
        logits = np.exp(logits - logits.max())
        return dict(zip(LABELS, (logits / logits.sum()).tolist(), strict=True))

    def nearness(self, text: str, phrases: Sequence[str]) -> Floats:
        """Return how near each phrase is to what follows a text, [phrases]: unnormalised log-probabilities."""
        vector = self.encode(text)
        return np.asarray([_mean(self.after, phrase) @ vector for phrase in phrases], np.float32)


def _mean(table: Floats, text: str) -> Floats:
    buckets = features(text)
    return np.asarray(table[buckets].sum(0) / math.sqrt(max(1, len(buckets))), np.float32)


def save_encoder(encoder: ContextEncoder, path: Path) -> None:
    """Write an encoder, its tables in eight bits."""
    scales = {name: float(np.abs(getattr(encoder, name)).max()) / 127 for name in ("before", "after")}
    tables = {name: np.rint(getattr(encoder, name) / scale).astype(np.int8) for name, scale in scales.items()}
    np.savez_compressed(
        path, **tables, labels=encoder.labels, bias=encoder.bias, scales=np.array([*scales.values()], np.float32)
    )


def load_encoder(path: Path) -> ContextEncoder:
    """Read an encoder.

    Raises:
        ContextError: the file cannot be read, or is no encoder; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            before, after = (
                file[name] * scale for name, scale in zip(("before", "after"), file["scales"], strict=True)
            )
            encoder = ContextEncoder(before.astype(np.float32), after.astype(np.float32), file["labels"], file["bias"])
    except (OSError, ValueError, KeyError) as error:
        raise ContextError(f"{path}: is no encoder of context ({error})") from error
    shapes = [table.shape for table in (encoder.before, encoder.after, encoder.labels)]
    if shapes != [(BUCKETS, DIMENSIONS)] * 2 + [(len(LABELS), DIMENSIONS)]:
        raise ContextError(f"{path}: has tables of {shapes}; expected {BUCKETS} x {DIMENSIONS}")
    return encoder


@lru_cache(1)
def default_encoder() -> ContextEncoder | None:
    """Return the encoder that comes with nearword."""
    return load_encoder(VECTOR_FILE) if VECTOR_FILE.exists() else None
