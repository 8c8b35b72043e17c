"""Small folders in the layouts of icefall's streaming exporters: names, shapes and metadata are theirs.

The graphs between are our own and tiny. Each cache is a window over what was heard, or a decaying sum of it; all that
comes out depends on every value of every cache and on its place, so one that is lost, swapped or turned shows in the
tokens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, helper
from onnx_graphs import save_graph
from toy_models import ToyModel, write_decoder, write_joiner

DIM = 8
"""Width of what goes into the joiner."""


@dataclass(frozen=True)
class Cache:
    """A state of an encoder, from step to step."""

    name: str
    shape: tuple[int | str, ...]
    """``N`` where the batch is."""
    time: int | None = None
    """The axis along which it moves on, by one each step; None for one that decays."""
    kind: int = TensorProto.FLOAT
    step: int = 0
    """What an int64 cache grows by each step."""
    returned: bool = True
    """Whether its next value comes out; the conformer's exporter leaves the count of frames to who runs it."""


@dataclass(frozen=True)
class Layout:
    """What an exporter makes of an encoder."""

    metadata: dict[str, object]
    """With T and decode_chunk_len."""
    frames: int
    """Encoder frames that come out of a step."""
    caches: tuple[Cache, ...]


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def lstm() -> Layout:
    """``lstm_transducer_stateless2``: projected LSTM layers, their states in two tensors."""
    layers, width, hidden = 3, 6, 10
    return Layout(
        {
            "model_type": "lstm", "decode_chunk_len": 4, "T": 9, "num_encoder_layers": layers, "d_model": width,
            "rnn_hidden_size": hidden,
        },
        1,
        (Cache("state0", (layers, "N", width)), Cache("state1", (layers, "N", hidden))),
    )  # fmt: skip


def conformer() -> Layout:
    """``pruned_transducer_stateless5``, streaming: the count of frames goes in and does not come out."""
    layers, width, kernel, left, chunk = 2, 6, 5, 12, 4
    frames = 4 * chunk + 11
    return Layout(
        {
            "model_type": "conformer", "decode_chunk_len": 4 * chunk, "T": frames, "pad_length": 11,
            "num_encoder_layers": layers, "encoder_dim": width, "cnn_module_kernel": kernel, "left_context": left,
            "right_context": 0, "chunk_size": chunk,
        },
        chunk,
        (
            Cache("cached_attn", (layers, left, "N", width), 1),
            Cache("cached_conv", (layers, kernel - 1, "N", width), 1),
            Cache("processed_lens", ("N",), kind=TensorProto.INT64, returned=False),
        ),
    )  # fmt: skip


def zipformer() -> Layout:
    """``pruned_transducer_stateless7_streaming``: seven kinds of cache, one tensor of each for a stack of layers."""
    layers, widths, attention, kernels, lefts, chunk = (1, 2, 1), (6, 8, 6), (8, 4, 8), (5, 3, 5), (8, 4, 2), 4
    stacks = list(zip(layers, widths, attention, kernels, lefts, strict=True))
    kinds: tuple[list[Cache], ...] = tuple([] for _ in range(7))
    for i, (n, width, keys, kernel, left) in enumerate(stacks):
        convolved = (n, "N", width, kernel - 1)
        for kind, cache in zip(
            kinds,
            (
                Cache(f"cached_len_{i}", (n, "N"), kind=TensorProto.INT64, step=left),
                Cache(f"cached_avg_{i}", (n, "N", width)),
                Cache(f"cached_key_{i}", (n, left, "N", keys), 1),
                Cache(f"cached_val_{i}", (n, left, "N", keys // 2), 1),
                Cache(f"cached_val2_{i}", (n, left, "N", keys // 2), 1),
                Cache(f"cached_conv1_{i}", convolved, 3),
                Cache(f"cached_conv2_{i}", convolved, 3),
            ),
            strict=True,
        ):
            kind.append(cache)
    return Layout(
        {
            "model_type": "zipformer", "decode_chunk_len": 4 * chunk, "T": 4 * chunk + 7,
            "num_encoder_layers": _listed(layers), "encoder_dims": _listed(widths),
            "attention_dims": _listed(attention), "cnn_module_kernels": _listed(kernels),
            "left_context_len": _listed(lefts),
        },
        chunk,
        tuple(cache for kind in kinds for cache in kind),
    )  # fmt: skip


def zipformer2() -> Layout:
    """``zipformer``: six caches for each layer, then those of the subsampling and the count of frames."""
    layers, widths, heads, kernels, lefts, chunk = (1, 2), (8, 12), (2, 4), (7, 5), (8, 4), 4
    query, value = 4, 3
    caches: list[Cache] = []
    for n, width, head, kernel, left in zip(layers, widths, heads, kernels, lefts, strict=True):
        for _ in range(n):
            i = len(caches) // 6
            convolved = ("N", width, kernel // 2)
            caches += [
                Cache(f"cached_key_{i}", (left, "N", query * head), 0),
                Cache(f"cached_nonlin_attn_{i}", (1, "N", left, 3 * width // 4), 2),
                Cache(f"cached_val1_{i}", (left, "N", value * head), 0),
                Cache(f"cached_val2_{i}", (left, "N", value * head), 0),
                Cache(f"cached_conv1_{i}", convolved, 2),
                Cache(f"cached_conv2_{i}", convolved, 2),
            ]
    caches += [
        Cache("embed_states", ("N", 128, 3, 19), 2),
        Cache("processed_lens", ("N",), kind=TensorProto.INT64, step=2 * chunk),
    ]
    return Layout(
        {
            "model_type": "zipformer2", "decode_chunk_len": 4 * chunk, "T": 4 * chunk + 13,
            "num_encoder_layers": _listed(layers), "encoder_dims": _listed(widths), "num_heads": _listed(heads),
            "query_head_dims": _listed([query] * len(layers)), "value_head_dims": _listed([value] * len(layers)),
            "cnn_module_kernels": _listed(kernels), "left_context_len": _listed(lefts),
        },
        chunk,
        tuple(caches),
    )  # fmt: skip


LAYOUTS = {"lstm": lstm, "conformer": conformer, "zipformer": zipformer, "zipformer2": zipformer2}


class _Graph:
    """Nodes and constants as they come."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """Add a node with one output and return its name."""
        name = output or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: object, kind: type = np.int64) -> str:
        """Add a constant and return its name."""
        name = f"constant{len(self.constants)}"
        self.constants[name] = np.asarray(value, kind)
        return name

    def normal(self, scale: float, shape: Sequence[int]) -> str:
        return self.constant(self.random.normal(0, scale, shape), np.float32)

    def following(self, cache: Cache, heard: str) -> str:
        """Add the next value of a cache, from its present one and what was heard [N, DIM]."""
        output = f"new_{cache.name}" if cache.returned else ""
        if cache.kind == TensorProto.INT64:
            return self.node("Add", cache.name, self.constant(cache.step), output=output)
        batch = cache.shape.index("N")
        level = self.node("MatMul", heard, self.normal(1, (DIM, 1)))
        level = self.node("Reshape", level, self.constant([-1 if k == batch else 1 for k in range(len(cache.shape))]))
        one_step = [1 if k in (batch, cache.time) else int(size) for k, size in enumerate(cache.shape)]
        fresh = self.node("Mul", level, self.normal(1, one_step))
        if cache.time is None:
            return self.node("Add", self.node("Mul", cache.name, self.constant(0.5, np.float32)), fresh, output=output)
        joined = self.node("Concat", cache.name, fresh, axis=cache.time)
        cut = [self.constant([value]) for value in (1, 2**31, cache.time)]
        return self.node("Slice", joined, *cut, output=output)

    def heard_from(self, cache: Cache, value: str) -> str:
        """Add what a cache says to all frames [N, 1, DIM]."""
        if cache.kind == TensorProto.INT64:
            value = self.node("Sin", self.node("Cast", value, to=TensorProto.FLOAT))
        batch = cache.shape.index("N")
        sizes = [1 if k == batch else int(size) for k, size in enumerate(cache.shape)]
        weighed = self.node("Mul", value, self.normal(np.prod(sizes) ** -0.5, sizes))
        others = [k for k in range(len(sizes)) if k != batch]
        level = self.node("ReduceSum", weighed, self.constant(others), keepdims=0) if others else weighed
        return self.node("Mul", self.node("Reshape", level, self.constant([-1, 1, 1])), self.normal(0.8, (1, 1, DIM)))


def write_layout(folder: Path, layout: Layout, seed: int = 0) -> Path:
    """Write a whole folder, its token list as icefall's recipes write it, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = _Graph(seed)
    frames = int(str(layout.metadata["T"]))
    last = [graph.constant([value]) for value in (frames - layout.frames, frames, 1)]
    centred = graph.node("Add", graph.node("Slice", "x", *last), graph.constant(8, np.float32))
    sound = graph.node("MatMul", centred, graph.normal(0.05, (80, DIM)))
    heard = graph.node("Sin", graph.node("ReduceMean", sound, axes=[1], keepdims=0))
    total = sound
    for cache in layout.caches:
        total = graph.node("Add", total, graph.heard_from(cache, graph.following(cache, heard)))
    graph.node("Mul", graph.node("Tanh", total), graph.constant(3, np.float32), output="encoder_out")
    returned = [cache for cache in layout.caches if cache.returned]
    save_graph(
        folder / "encoder-epoch-99-avg-1.onnx",
        graph.nodes,
        [("x", TensorProto.FLOAT, ("N", frames, 80)), *((c.name, c.kind, c.shape) for c in layout.caches)],
        [
            ("encoder_out", TensorProto.FLOAT, ("N", layout.frames, DIM)),
            *((f"new_{c.name}", c.kind, c.shape) for c in returned),
        ],
        graph.constants,
        {"version": 1, "model_author": "toy", **layout.metadata},
    )
    toy = ToyModel(dim=DIM, seed=seed)
    write_decoder(folder / "decoder-epoch-99-avg-1.onnx", toy)
    write_joiner(folder / "joiner-epoch-99-avg-1.onnx", toy)
    tokens = [*toy.tokens, "#0", "#1"]
    (folder / "tokens.txt").write_text("".join(f"{t} {i}\n" for i, t in enumerate(tokens)), encoding="utf-8")
    return folder
