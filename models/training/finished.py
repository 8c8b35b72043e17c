"""A finished model's folder back to a network: its shape as the graphs tell it, its weights scaled back from int8."""

from pathlib import Path

import onnx
from onnx import TensorProto, numpy_helper
from torch import Tensor

from ..encoder import DELAY
from ..errors import ModelFileError
from .export import read_weights
from .model import ModelConfig, TransducerModel

GRAPHS = ("encoder.int8.onnx", "encoder.onnx")


def encoder_file(folder: Path) -> Path:
    """Return the file of a model's encoder, int8 if there is one.

    Raises:
        ModelFileError: there is none.
    """
    for name in GRAPHS:
        if (folder / name).is_file():
            return folder / name
    raise ModelFileError(folder, f"has neither {' nor '.join(GRAPHS)}; expected a model of `export`")


def read_config(folder: Path) -> ModelConfig:
    """Return the shape of a network that `export` wrote.

    Raises:
        ModelFileError: something else wrote it, or a file is missing.
    """
    path = encoder_file(folder)
    model = onnx.load(path)
    said = {one.key: one.value for one in model.metadata_props}
    weights = read_weights(folder)
    try:
        width = len(weights["encoder.norm.weight"])
        layers, delay = int(said["num_encoder_layers"]), int(said[DELAY])
        vocabulary, joiner_dim = weights["predictor.embedding.weight"].shape
        return ModelConfig(
            vocab_size=vocabulary,
            phones=len(weights["encoder.phone_head.bias"]),
            width=width,
            heads=_heads(model, width),
            layers=layers,
            feed=_feed(weights, width),
            joiner_dim=joiner_dim,
            context_size=len(weights["predictor.weights"]),
            chunk_frames=int(said["decode_chunk_len"]),
            look_ahead=delay // 2 // layers,
            left=int(said["d_model"]) // width,
            dropout=0.0,
        )
    except (KeyError, ValueError, StopIteration) as error:
        raise ModelFileError(path, f"says nothing of {error}; expected an encoder of `export`") from error


def _feed(weights: dict[str, Tensor], width: int) -> int:
    feed = len(weights["encoder.layers.0.expand.bias"])
    return 0 if feed == 4 * width else feed


def _heads(model: onnx.ModelProto, width: int) -> int:
    """Return the number of heads: what attention reshapes its frames to says it."""
    for item in model.graph.initializer:
        if item.data_type == TensorProto.INT64 and list(item.dims) == [4]:
            batch, frames, heads, each = map(int, numpy_helper.to_array(item))
            if (batch, frames) == (0, -1) and heads * each == width:
                return heads
    raise KeyError("its heads")


def read_model(folder: Path) -> TransducerModel:
    """Return the network of a finished model, ready to run; what is not exported has random weights.

    Raises:
        ModelFileError: `export` did not write it, or a file is missing.
    """
    model = TransducerModel(read_config(folder))
    model.load_state_dict({**model.state_dict(), **read_weights(folder)})
    return model.eval()
