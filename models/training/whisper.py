"""Whisper's encoder (Radford et al. 2022, MIT licence): its weights from a file, its features, and what it hears.

It is where the network starts from, and the teacher that it follows: the offline encoder reads a whole utterance at
once, the streaming one learns to give the same frames from what has been heard so far.
"""

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import NearwordError
from ..samples import Samples
from .model import NUM_BINS, ModelConfig, TransducerModel

Weights = dict[str, Tensor]
HEAD_WIDTH = 64
"""Width of an attention head in all of Whisper's sizes."""
_CT2_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
_CT2_LAYER = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_0": "qkv",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
_HUB_PREFIX = "model.encoder."


class WhisperFileError(NearwordError, ValueError):
    """A file that holds no Whisper encoder that can be used. Names it, and what was expected."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; expected Whisper's weights: CTranslate2's model.bin, or model.safetensors")


def read_ctranslate2(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of a CTranslate2 model file (versions 5 and 6) by name.

    Layout, little-endian: version; name of the model's kind; revision; number of arrays, each with name, rank, sizes,
    type and bytes; number of aliases, each a name and the name it stands for. Strings have their length first and a
    zero byte last.
    """
    data = path.read_bytes()
    place = 0

    def number(kind: str) -> int:
        nonlocal place
        [value] = struct.unpack_from("<" + kind, data, place)
        place += struct.calcsize(kind)
        return int(value)

    def text() -> str:
        nonlocal place
        length = number("H")
        place += length
        return data[place - length : place - 1].decode()

    try:
        version = number("I")
        if version not in (5, 6):
            raise WhisperFileError(path, f"is of version {version}, or no CTranslate2 model")
        text(), number("I")
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        for _ in range(number("I")):
            name = text()
            shape = [number("I") for _ in range(number("B"))]
            kind = _CT2_TYPES[number("B")]
            size = number("I")
            arrays[name] = np.frombuffer(data, kind, size // np.dtype(kind).itemsize, place).reshape(shape)
            place += size
        for _ in range(number("I")):
            alias, name = text(), text()
            arrays[alias] = arrays[name]
    except (struct.error, UnicodeDecodeError, IndexError, KeyError, ValueError) as error:
        if isinstance(error, WhisperFileError):
            raise
        raise WhisperFileError(path, "is broken, or no CTranslate2 model") from error
    return arrays


def _from_ctranslate2(path: Path) -> Weights:
    arrays = read_ctranslate2(path)
    named: Weights = {}

    def put(name: str, source: str) -> None:
        for ours, theirs in (("weight", ("weight", "gamma")), ("bias", ("bias", "beta"))):
            found = next((f"{source}/{part}" for part in theirs if f"{source}/{part}" in arrays), None)
            if found is None:
                raise WhisperFileError(path, f"has no {source}")
            value = arrays[found].astype(np.float32)
            scale = arrays.get(f"{found}_scale")
            if scale is not None:
                value = value / scale.astype(np.float32).reshape(-1, *[1] * (value.ndim - 1))
            named[f"{name}.{ours}"] = torch.from_numpy(value.copy())

    for name in ("conv1", "conv2", "layer_norm"):
        put(name, f"encoder/{name}")
    layer = 0
    while f"encoder/layer_{layer}/ffn/linear_0/weight" in arrays:
        for source, name in _CT2_LAYER.items():
            put(f"layers.{layer}.{name}", f"encoder/layer_{layer}/{source}")
        layer += 1
    return named


def _from_safetensors(path: Path) -> Weights:
    kinds = {"F32": np.float32, "F16": np.float16}
    try:
        with path.open("rb") as file:
            [size] = struct.unpack("<Q", file.read(8))
            if not 0 < size < path.stat().st_size:
                raise WhisperFileError(path, "is broken, or no safetensors file")
            header = json.loads(file.read(size))
    except (struct.error, ValueError) as error:
        if isinstance(error, WhisperFileError):
            raise
        raise WhisperFileError(path, "is broken, or no safetensors file") from error
    data = np.memmap(path, np.uint8, "r", offset=8 + size)
    named: Weights = {}
    for name, entry in header.items():
        short = name.removeprefix(_HUB_PREFIX).removeprefix("encoder.")
        if short == name or entry.get("dtype") not in kinds:
            continue
        begin, end = entry["data_offsets"]
        if end > len(data):
            raise WhisperFileError(path, "is cut short")
        value = data[begin:end].view(kinds[entry["dtype"]]).reshape(entry["shape"])
        named[short] = torch.from_numpy(value.astype(np.float32))
    for layer in {name.split(".")[1] for name in named if name.startswith("layers.")}:
        start = f"layers.{layer}."
        parts = [f"{start}self_attn.{part}_proj" for part in "qkv"]
        if any(f"{part}.weight" not in named for part in parts):
            raise WhisperFileError(path, f"has no whole layer {layer} of an encoder")
        named[f"{start}qkv.weight"] = torch.cat([named.pop(f"{part}.weight") for part in parts])
        biases = [named.pop(f"{part}.bias", None) for part in parts]
        width = len(named[f"{start}fc2.bias"])
        named[f"{start}qkv.bias"] = torch.cat([torch.zeros(width) if b is None else b for b in biases])
    return named


def read_encoder(path: Path) -> Weights:
    """Return the weights of Whisper's encoder by our own names, without ``encoder.``.

    ``path`` is a CTranslate2 ``model.bin`` (faster-whisper's) or the hub's ``model.safetensors``.

    Raises:
        WhisperFileError: it is neither, or no Whisper.
    """
    if not path.is_file():
        raise WhisperFileError(path, "is not there" if not path.exists() else "is no file")
    named = _from_safetensors(path) if path.suffix == ".safetensors" else _from_ctranslate2(path)
    if "conv1.weight" not in named or named["conv1.weight"].shape[1] != NUM_BINS:
        raise WhisperFileError(path, f"has no encoder of {NUM_BINS} mel bands")
    width = named["conv1.weight"].shape[0]
    out: Weights = {f"{conv}.{p}": named[f"{conv}.{p}"] for conv in ("conv1", "conv2") for p in ("weight", "bias")}
    names = {
        "self_attn_layer_norm": "attention_norm",
        "self_attn.out_proj": "out",
        "final_layer_norm": "feed_norm",
        "fc1": "expand",
        "fc2": "contract",
    }
    layer = 0
    while f"layers.{layer}.fc1.weight" in named:
        old, new = f"layers.{layer}.", f"layers.{layer}."
        for part in ("weight", "bias"):
            for theirs, ours in names.items():
                out[f"{new}{ours}.{part}"] = named[f"{old}{theirs}.{part}"]
            both = named[f"{old}qkv.{part}"]
            out[f"{new}query.{part}"], out[f"{new}key_value.{part}"] = both[:width], both[width:]
        layer += 1
    for part in ("weight", "bias"):
        out[f"norm.{part}"] = named[f"layer_norm.{part}"]
    return out


def shape_of(encoder: Mapping[str, Tensor], vocab_size: int) -> ModelConfig:
    """Return the shape of a network on an encoder's weights."""
    width = encoder["conv1.weight"].shape[0]
    layers = 1 + max(int(name.split(".")[1]) for name in encoder if name.startswith("layers."))
    return ModelConfig(vocab_size=vocab_size, width=width, heads=width // HEAD_WIDTH, layers=layers)


def mel_filters() -> npt.NDArray[np.float32]:
    """Return Whisper's filter bank [80, 201]: triangles of equal area on Slaney's mel scale, up to 8 kHz."""
    step, start = 200.0 / 3, 1000.0
    log_step = math.log(6.4) / 27
    top = start / step + math.log(8000.0 / start) / log_step
    mels = np.linspace(0.0, top, NUM_BINS + 2)
    hertz = np.where(mels < start / step, mels * step, start * np.exp(log_step * (mels - start / step)))
    bins = np.fft.rfftfreq(400, 1 / 16000)
    ramps = hertz[:, None] - bins[None]
    widths = np.diff(hertz)
    up, down = -ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]
    triangles = np.maximum(0, np.minimum(up, down)) * (2 / (hertz[2:] - hertz[:-2]))[:, None]
    return np.asarray(triangles, np.float32)


def log_mel(samples: Samples) -> npt.NDArray[np.float32]:
    """Return Whisper's features of a recording [n] at 16 kHz: [n / 160, 80], the loudest at most 2 above the least."""
    padded = np.pad(np.asarray(samples, np.float64), 200, mode="reflect" if len(samples) > 200 else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160][: len(samples) // 160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    mel = np.log10(np.maximum(power @ mel_filters().T, 1e-10))
    return np.asarray((np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0, np.float32)


def sinusoids(frames: int, width: int) -> Tensor:
    """Return Whisper's own position codes [frames, width]."""
    turns = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(frames)[:, None] * turns
    return torch.cat([angles.sin(), angles.cos()], -1)


class Teacher:
    """Whisper's encoder as it is: whole utterances, its own features."""

    def __init__(self, encoder: Mapping[str, Tensor]) -> None:
        self._model = TransducerModel(shape_of(encoder, 2))
        self._model.encoder.load_state_dict({**self._model.encoder.state_dict(), **encoder})
        self._model.eval()

    @torch.inference_mode()
    def __call__(self, samples: Samples) -> npt.NDArray[np.float16]:
        """Return the frames of a recording at 16 kHz, one per 20 ms: [n / 320, width]."""
        encoder = self._model.encoder
        x = functional.pad(torch.from_numpy(log_mel(samples)).T[None], (1, 1))
        x = functional.pad(functional.gelu(encoder.conv1(x)), (1, 1))
        x = functional.gelu(encoder.conv2(x)).transpose(1, 2)
        x = x + sinusoids(x.shape[1], x.shape[2])
        for layer in encoder.layers:
            x = layer(x, None)
        frames: npt.NDArray[np.float16] = encoder.norm(x)[0].half().numpy()
        return frames


def start_weights(encoder: Mapping[str, Tensor], adapt: tuple[Tensor, Tensor]) -> Weights:
    """Return an encoder's weights by the network's names; ``adapt`` maps our features to Whisper's."""
    return {
        **{f"encoder.{name}": value for name, value in encoder.items()},
        "encoder.adapt.weight": adapt[0],
        "encoder.adapt.bias": adapt[1],
    }


class FeatureFit:
    """Least squares from our features to Whisper's, summed over recordings: a line through each of 80 bands."""

    def __init__(self) -> None:
        self._inner = np.zeros((NUM_BINS + 1, NUM_BINS + 1))
        self._outer = np.zeros((NUM_BINS + 1, NUM_BINS))

    def add(self, ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> None:
        """Take the features of one recording, both [frames, 80]."""
        count = min(len(ours), len(theirs))
        rows = np.concatenate([ours[:count], np.ones((count, 1), np.float32)], 1).astype(np.float64)
        self._inner += rows.T @ rows
        self._outer += rows.T @ theirs[:count]

    def solve(self) -> tuple[Tensor, Tensor]:
        """Return weight [80, 80] and bias [80] of a linear layer."""
        solution = np.linalg.solve(self._inner + 1e-3 * np.eye(NUM_BINS + 1), self._outer).astype(np.float32)
        return torch.from_numpy(solution[:-1].T.copy()), torch.from_numpy(solution[-1].copy())
