"""Weights to a model folder: ONNX graphs with cached states in the icefall / sherpa-onnx layout, float and int8."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, numpy_helper

from .augment import FLOOR
from .encoder_graph import encoder_graph
from .graph_writing import QUANTISED_OPERATORS, Array, Graph, halved, info, without_advice
from .model import NUM_BINS, ModelConfig, TransducerModel

KEPT_FLOAT = ["encoder.adapt", "encoder.conv1"]
"""Products of features, in which small differences between large numbers count: int8 there costs four errors in ten."""


def decoder_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write the predictor: y [N, context_size] int64 -> decoder_out [N, dim]."""
    g = Graph(weights)
    zero = g.constant("zero", np.int64(0))
    embedding = g.constant("predictor.embedding.weight", weights["predictor.embedding.weight"])
    embedded = g.op("Gather", embedding, g.op("Max", "y", zero), axis=0)
    known = g.op("Cast", g.op("GreaterOrEqual", "y", zero), to=TensorProto.FLOAT)
    embedded = g.op("Mul", embedded, g.op("Unsqueeze", known, g.ints(2)))
    weighted = g.op("Mul", embedded, g.constant("predictor.weights", weights["predictor.weights"]))
    hidden = g.op("Relu", g.op("ReduceSum", weighted, g.ints(1), keepdims=0))
    g.linear(hidden, "predictor.project", output="decoder_out")
    return g.model(
        [info("y", ["N", config.context_size], TensorProto.INT64)],
        [info("decoder_out", ["N", config.joiner_dim])],
        {"vocab_size": config.vocab_size, "context_size": config.context_size},
    )


def joiner_graph(weights: dict[str, npt.NDArray[np.float32]], config: ModelConfig) -> onnx.ModelProto:
    """Write the joiner: encoder_out [N, dim], decoder_out [N, dim] -> logit [N, vocab_size]."""
    g = Graph(weights)
    g.linear(g.op("Tanh", g.op("Add", "encoder_out", "decoder_out")), "joiner.output", output="logit")
    return g.model(
        [info("encoder_out", ["N", config.joiner_dim]), info("decoder_out", ["N", config.joiner_dim])],
        [info("logit", ["N", config.vocab_size])],
        {"joiner_dim": config.joiner_dim, "vocab_size": config.vocab_size},
    )


@torch.inference_mode()
def frames_of_silence(model: TransducerModel) -> npt.NDArray[np.float32]:
    """Return what the encoder's last layer makes of digital silence, [width]."""
    config = model.config
    silence = torch.full((1, config.padded_frames(4 * config.chunk_frames), NUM_BINS), FLOOR)
    frames: npt.NDArray[np.float32] = model.encoder(silence).frames[0, -config.step :].mean(0).numpy()
    return frames


def export(
    model: TransducerModel, vocabulary: Path, folder: Path, *, per_channel: bool = True, temperature: float = 1.0
) -> None:
    """Write a model folder: ``encoder|decoder|joiner.onnx`` and ``.int8.onnx``, ``tokens.txt``, ``bpe.model``.

    ``vocabulary`` is a folder that holds ``tokens.txt`` and ``bpe.model``. The joiner's logits are divided by
    ``temperature`` (Guo et al. 2017, "On calibration of modern neural networks"): greedy search gives the same tokens.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    weights["silence"] = frames_of_silence(model)
    for part in ("weight", "bias"):
        weights[f"joiner.output.{part}"] = weights[f"joiner.output.{part}"] / np.float32(temperature)
    for name, build in (("encoder", encoder_graph), ("decoder", decoder_graph), ("joiner", joiner_graph)):
        path, graph = folder / f"{name}.onnx", build(weights, model.config)
        onnx.save(graph, path)
        with without_advice():
            quantize_dynamic(
                path,
                folder / f"{name}.int8.onnx",
                op_types_to_quantize=QUANTISED_OPERATORS,
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=KEPT_FLOAT,
            )
        if name != "encoder":  # these run in float
            onnx.save(halved(graph), path)
    for name in ("tokens.txt", "bpe.model"):
        shutil.copyfile(vocabulary / name, folder / name)


def read_weights(source: Path) -> dict[str, torch.Tensor]:
    """Read weights back by parameter name, from a run's ``checkpoint.pt`` or from an exported folder (int8 or float).

    Every graph names its constants after the parameters; int8 ones are scaled back. What is not exported
    (the CTC helpers) is absent.
    """
    if source.is_file():
        saved: dict[str, torch.Tensor] = torch.load(source, weights_only=True)["average"]
        return saved
    weights: dict[str, torch.Tensor] = {}
    for name in ("encoder", "decoder", "joiner"):
        path = source / f"{name}.onnx"
        graph = onnx.load(path if path.exists() else source / f"{name}.int8.onnx").graph
        values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        for key in list(values):
            if key.endswith("_quantized"):
                base = key.removesuffix("_quantized")
                zero = values[f"{base}_zero_point"].astype(np.float32)
                values[base] = (values[key].astype(np.float32) - zero) * values[f"{base}_scale"]
        for key, value in values.items():
            if "." not in key or key.rsplit(".", 1)[1] not in ("weight", "bias", "weights"):
                continue
            weights[key] = torch.from_numpy(np.array(_as_parameter(key, value), np.float32))
    return weights


def _as_parameter(name: str, value: Array) -> Array:
    """Undo the layout changes that the graphs make."""
    if not name.endswith(".weight") or value.ndim != 2 or name == "predictor.embedding.weight":
        return value
    if name.startswith("encoder.conv"):
        return np.asarray(value.reshape(3, -1, value.shape[1]).transpose(2, 1, 0))
    return np.asarray(value.T)
