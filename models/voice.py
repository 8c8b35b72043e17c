"""Who speaks, and whether in a whisper: a small graph over what the frozen encoder hears anyway.

``speaker.onnx`` lies beside the three graphs of a model; a folder need not have it. It takes what one of the encoder's
caches holds (see ``encoder.Tap``), pools it over an utterance by attentive statistics (Okabe, Koshinaka and Shinoda
2018, arXiv 1803.10963), and gives a vector of the speaker and the log-odds of a whisper. Trained by
``training.speaker`` with an additive angular margin (Deng et al. 2019, "ArcFace", arXiv 1801.07698).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .encoder import Tap
from .errors import ModelFileError
from .features import FRAME_SECONDS
from .model_path import ModelPath
from .session import Tensor, describe, metadata_int, open_session
from .transducer import Transducer

Floats = npt.NDArray[np.float32]
SPEAKER = "speaker.onnx"
SHORTEST = 0.4
"""Seconds that must be heard to say anything of a voice."""


@dataclass(frozen=True)
class Voice:
    """What is told of the voice of some speech."""

    vector: Floats
    """[size] Of length 1: the cosine of two says how alike the speakers are."""
    whispered: float
    """Probability that it was whispered, 0 to 1."""
    seconds: float
    """Of audio that was heard for it."""


class VoiceEncoder:
    """The graph, loaded. Safe to share between threads."""

    def __init__(self, model: Transducer, *, threads: int = 1) -> None:
        """Load the graph of a model's folder.

        Raises:
            ModelFileError: it is missing or damaged, or does not fit the model; names it.
        """
        path = model.info.folder / SPEAKER
        if not path.is_file():
            raise ModelFileError(path, "missing: this model cannot tell speakers apart; take one that has this file")
        self._session = open_session(path, threads)
        inputs = describe(path, self._session.get_inputs())
        outputs = [tensor.name for tensor in describe(path, self._session.get_outputs())]
        if [tensor.name for tensor in inputs] != ["heard"] or outputs != ["vector", "whispered"]:
            names = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(path, f"has {names}; expected heard to vector and whispered")
        metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        self.tap = fitting_tap(path, metadata, model, inputs)
        """What of the encoder it hears."""
        width = self.tap.width * len(self.tap.layers)
        self.threshold = _fraction(path, metadata, "threshold")
        """Cosine from which on two voices count as one speaker's, unless somebody chooses another."""
        frames = (self.tap.end - self.tap.begin) // self.tap.width
        self.frame_seconds = model.info.chunk_shift * FRAME_SECONDS * self.tap.stride / frames
        """Seconds from one frame that is heard to the next."""
        try:
            size = self.hear(np.zeros((self._fewest, width), np.float32))
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            raise ModelFileError(path, f"does not run: {' '.join(str(error).split())[:160]}") from error
        if size is None or size.vector.ndim != 1 or not np.isfinite(size.vector).all():
            raise ModelFileError(path, "gives no vector; expected vector [1, size]")
        self.size = len(size.vector)
        """Numbers of a vector."""
        self.identity = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        """Of the graph: vectors of another one mean nothing to it."""

    @property
    def _fewest(self) -> int:
        return math.ceil(SHORTEST / self.frame_seconds)

    def hear(self, heard: Floats) -> Voice | None:
        """Return what is told of a voice by what the tap has read, [frames, width]; None of too little."""
        if len(heard) < self._fewest:
            return None
        vector, odds = self._session.run(["vector", "whispered"], {"heard": heard})
        whispered = 1 / (1 + math.exp(-max(-30.0, min(30.0, float(odds[0])))))
        return Voice(np.asarray(vector[0], np.float32), whispered, len(heard) * self.frame_seconds)


def fitting_tap(path: ModelPath, metadata: dict[str, str], model: Transducer, inputs: Sequence[Tensor]) -> Tap:
    """Return what of a model's encoder all inputs of a graph hear, as its metadata say.

    Raises:
        ModelFileError: they do not say it, or the encoder has no such thing.
    """
    tap = _tap(path, metadata)
    width = tap.width * len(tap.layers)
    if any(tensor.shape[1:] != (width,) for tensor in inputs) or not model.encoder.fits(tap):
        state = f"{tap.state}, layers {tap.layers}, {tap.width} numbers a frame"
        raise ModelFileError(path, f"hears {state}, which this model's encoder has not; it is another model's")
    return tap


def _tap(path: ModelPath, metadata: dict[str, str]) -> Tap:
    layers = metadata.get("layers", "").split()
    if not layers or not all(layer.isdecimal() and int(layer) < 1000 for layer in layers):
        raise ModelFileError(path, f"metadata 'layers' is {metadata.get('layers')!r:.40}; expected numbers of layers")
    begin = metadata_int(path, metadata, "begin", 0, 10**9)
    end = metadata_int(path, metadata, "end", begin + 1, 10**9)
    width = metadata_int(path, metadata, "width", 1, 10**5)
    stride = metadata_int(path, metadata, "stride", 1, 100)
    return Tap(metadata.get("state", ""), tuple(map(int, layers)), begin, end, width, stride)


def _fraction(path: ModelPath, metadata: dict[str, str], key: str) -> float:
    try:
        value = float(metadata.get(key, ""))
    except ValueError:
        value = math.nan
    if not -1 <= value <= 1:
        raise ModelFileError(path, f"metadata {key!r} is {metadata.get(key)!r:.40}; expected a number from -1 to 1")
    return value
