"""Small model folders in the icefall layout, made with the onnx helpers: random weights, awkward shapes."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper
from onnx_graphs import save_graph

WORD_TOKENS = ("<blk>", "<unk>", "▁THE", "S", "▁CALL", "ING", "'", "▁A", "<0xC3>", "<0xA9>", "▁")


@dataclass(frozen=True)
class ToyModel:
    """What the folder is to look like."""

    tokens: tuple[str, ...] = WORD_TOKENS
    frames: int = 13
    """Feature frames per step, metadata T."""
    shift: int = 8
    out_frames: int = 2
    dim: int = 6
    context_size: int = 2
    seed: int = 0
    quantise_joiner: bool = False
    phones: tuple[str, ...] = ()
    """Classes of phones that the encoder tells, blank first, and where the words' phones are in ``pronunciation``."""
    pronunciation: Path | None = None


def write_encoder(path: Path, toy: ToyModel, **metadata: object) -> None:
    """States of four ranks: one with the batch first, one in the middle, one last, and an int64 counter.

    Every output depends on every state, so a state that is lost or swapped shows.
    """
    rng = np.random.default_rng(toy.seed)
    f = TensorProto.FLOAT
    constants = {
        "w": rng.normal(0, 1.5, (80, toy.dim)).astype(np.float32),
        "decay": np.float32(0.5),
        "one": np.asarray(1, np.int64),
        "axes1": np.asarray([1]),
        "tiny": np.float32(0.01),
        "first": np.asarray([0]),
        "last": np.asarray([-1]),
        "starts": np.asarray([toy.frames - toy.out_frames]),
        "ends": np.asarray([toy.frames]),
        "to_b": np.asarray([1, -1, toy.dim]),
        "to_c": np.asarray([toy.dim, 1, 1, -1]),
    }
    n = helper.make_node
    nodes = [
        n("Slice", ["x", "starts", "ends", "axes1"], ["cut"]),
        n("MatMul", ["cut", "w"], ["raw"]),
        n("Mul", ["raw", "tiny"], ["small"]),
        n("ReduceMean", ["small"], ["mean"], axes=[1], keepdims=1),
        # a: batch first, [N, 1, dim]
        n("Mul", ["cached_a", "decay"], ["a_old"]),
        n("Add", ["a_old", "mean"], ["new_cached_a"]),
        # b: batch in the middle, [1, N, dim]
        n("Mul", ["cached_b", "decay"], ["b_old"]),
        n("Transpose", ["mean"], ["mean_b"], perm=[1, 0, 2]),
        n("Sub", ["b_old", "mean_b"], ["new_cached_b"]),
        # c: rank 4, batch last, [dim, 1, 1, N]
        n("Transpose", ["mean"], ["mean_t"], perm=[2, 1, 0]),
        n("Unsqueeze", ["mean_t", "axes1"], ["mean_c"]),
        n("Mul", ["cached_c", "decay"], ["c_old"]),
        n("Add", ["c_old", "mean_c"], ["new_cached_c"]),
        # counter: int64 [N]
        n("Add", ["processed_lens", "one"], ["new_processed_lens"]),
        n("Cast", ["processed_lens"], ["count"], to=f),
        n("Sin", ["count"], ["wave"]),
        n("Transpose", ["new_cached_b"], ["b_first"], perm=[1, 0, 2]),
        n("Squeeze", ["new_cached_c", "axes1"], ["c_three"]),
        n("Transpose", ["c_three"], ["c_first"], perm=[2, 1, 0]),
        n("Add", ["small", "new_cached_a"], ["s1"]),
        n("Sub", ["s1", "b_first"], ["s2"]),
        n("Add", ["s2", "c_first"], ["s3"]),
        n("Add", ["s3", "wave"], ["s4"]),
        n("Tanh", ["s4"], ["encoder_out"]),
    ]
    d = toy.dim
    told = [("phones", f, ["N", toy.out_frames, len(toy.phones)])] if toy.phones else []
    if toy.phones:
        constants["to_phones"] = rng.normal(0, 2.5, (d, len(toy.phones))).astype(np.float32)
        nodes += [n("MatMul", ["encoder_out", "to_phones"], ["told"]), n("LogSoftmax", ["told"], ["phones"], axis=-1)]
        metadata = {"phones": " ".join(toy.phones)} | metadata
    states = [
        ("cached_a", f, ["N", 1, d]),
        ("cached_b", f, [1, "N", d]),
        ("cached_c", f, [d, 1, 1, "N"]),
        ("processed_lens", TensorProto.INT64, ["N"]),
    ]
    save_graph(
        path,
        nodes,
        [("x", f, ["N", toy.frames, 80]), *states],
        [
            ("encoder_out", f, ["N", toy.out_frames, d]),
            *[(f"new_{name}", kind, shape) for name, kind, shape in states],
            *told,
        ],
        constants,
        {"model_type": "toy", "T": toy.frames, "decode_chunk_len": toy.shift} | metadata,
    )


def write_decoder(path: Path, toy: ToyModel, **metadata: object) -> None:
    rng = np.random.default_rng(toy.seed + 1)
    size, d = toy.context_size, toy.dim
    n = helper.make_node
    constants = {
        "embedding": rng.normal(0, 1, (len(toy.tokens), d)).astype(np.float32),
        "zero": np.asarray(0, np.int64),
        "place": rng.normal(0, 1, (size, d)).astype(np.float32),
        "axes1": np.asarray([1]),
    }
    nodes = [
        n("Max", ["y", "zero"], ["ids"]),
        n("Gather", ["embedding", "ids"], ["e"]),
        n("Mul", ["e", "place"], ["p"]),
        n("ReduceSum", ["p", "axes1"], ["decoder_out"], keepdims=0),
    ]
    save_graph(
        path,
        nodes,
        [("y", TensorProto.INT64, ["N", size])],
        [("decoder_out", TensorProto.FLOAT, ["N", d])],
        constants,
        {"vocab_size": len(toy.tokens), "context_size": size} | metadata,
    )


def write_joiner(path: Path, toy: ToyModel) -> None:
    rng = np.random.default_rng(toy.seed + 2)
    f, v, d = TensorProto.FLOAT, len(toy.tokens), toy.dim
    bias = np.zeros(v, np.float32)
    bias[0] = 1.5
    nodes = [
        helper.make_node("Add", ["encoder_out", "decoder_out"], ["sum"]),
        helper.make_node("Tanh", ["sum"], ["act"]),
        helper.make_node("MatMul", ["act", "w"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logit"]),
    ]
    save_graph(
        path,
        nodes,
        [("encoder_out", f, ["N", d]), ("decoder_out", f, ["N", d])],
        [("logit", f, ["N", v])],
        {"w": rng.normal(0, 1.5, (d, v)).astype(np.float32), "bias": bias},
        {"joiner_dim": d},
    )


def write_toy_model(folder: Path, toy: ToyModel = ToyModel()) -> Path:
    """Write a whole folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_encoder(folder / "encoder.onnx", toy)
    write_decoder(folder / "decoder.onnx", toy)
    write_joiner(folder / "joiner.onnx", toy)
    if toy.quantise_joiner:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            folder / "joiner.onnx",
            folder / "joiner.int8.onnx",
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
        )
        (folder / "joiner.onnx").unlink()
    if toy.pronunciation is not None:
        shutil.copyfile(toy.pronunciation, folder / "pronounce.onnx")
    (folder / "tokens.txt").write_text("".join(f"{t} {i}\n" for i, t in enumerate(toy.tokens)), encoding="utf-8")
    return folder
