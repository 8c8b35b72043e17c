"""A transducer that says what a script says, whatever it hears: so what a search finds can be worked out by hand."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nearword.biasing import ClassSettings, Phrase
from nearword.models import Transducer
from nearword.runtime import BeamSettings
from nearword.runtime.recognition.biasing import load_biasing
from nearword.runtime.search import SearchOptions
from onnx import TensorProto, helper
from onnx_graphs import save_graph

FRAMES = 4
"""Feature frames per step; a step is one encoder frame of 40 ms."""
NEVER = -20.0
"""Logit of what the script does not mention."""


def write_scripted_model(folder: Path, tokens: Sequence[str], script: Sequence[dict[str, float]]) -> Path:
    """Write a folder that both nearword and sherpa-onnx can load, and return it.

    Args:
        folder: where to.
        tokens: the first is the blank.
        script: for each encoder frame, probabilities of tokens; after it there are only blanks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = len(tokens)
    logits = np.full((len(script) + 1, size), NEVER, np.float32)
    for row, probabilities in zip(logits, [*script, {tokens[0]: 1.0}], strict=True):
        for token, probability in probabilities.items():
            row[tokens.index(token)] = np.log(probability)
    n, real = helper.make_node, TensorProto.FLOAT
    save_graph(
        folder / "encoder.onnx",
        [
            # the state h counts the steps; c and the sound are only passed through, so that they are inputs
            n("Cast", ["h"], ["counted"], to=TensorProto.INT64),
            n("Min", ["counted", "last"], ["place"]),
            n("Reshape", ["place", "batch_and_frame"], ["row"]),
            n("Gather", ["logits", "row"], ["scripted"]),
            n("ReduceMean", ["x"], ["mean"], axes=[1, 2], keepdims=1),
            n("Mul", ["mean", "zero"], ["nothing"]),
            n("Add", ["scripted", "nothing"], ["encoder_out"]),
            n("Add", ["h", "one"], ["next_h"]),
            n("Identity", ["c"], ["next_c"]),
        ],
        [("x", real, ["N", FRAMES, 80]), ("h", real, [1, "N", 1]), ("c", real, [1, "N", 1])],
        [("encoder_out", real, ["N", 1, size]), ("next_h", real, [1, "N", 1]), ("next_c", real, [1, "N", 1])],
        {
            "logits": logits, "last": np.asarray(len(script)), "batch_and_frame": np.asarray([-1, 1]),
            "zero": np.float32(0), "one": np.float32(1),
        },
        {
            "model_type": "lstm", "T": FRAMES, "decode_chunk_len": FRAMES, "num_encoder_layers": 1, "d_model": 1,
            "rnn_hidden_size": 1,
        },
    )  # fmt: skip
    save_graph(
        folder / "decoder.onnx",
        [
            n("Cast", ["y"], ["real"], to=real),
            n("ReduceSum", ["real", "axis"], ["sum"], keepdims=1),
            n("Mul", ["sum", "zeros"], ["decoder_out"]),
        ],
        [("y", TensorProto.INT64, ["N", 2])],
        [("decoder_out", real, ["N", size])],
        {"axis": np.asarray([1]), "zeros": np.zeros((1, size), np.float32)},
        {"vocab_size": size, "context_size": 2},
    )
    save_graph(
        folder / "joiner.onnx",
        [n("Add", ["encoder_out", "decoder_out"], ["logit"])],
        [("encoder_out", real, ["N", size]), ("decoder_out", real, ["N", size])],
        [("logit", real, ["N", size])],
        {},
        {"joiner_dim": size},
    )
    (folder / "tokens.txt").write_text("".join(f"{token} {number}\n" for number, token in enumerate(tokens)))
    return folder


def hear_with(folder: Path, phrases: Sequence[str], max_active: int = 4) -> list[str]:
    """Return the tokens that are heard in half a second where phrases are on the list."""
    model = Transducer.load(folder)
    biasing, _ = load_biasing(model, [])
    biasing.replace("device", [Phrase(phrase) for phrase in phrases])
    biasing.set_class("device", ClassSettings(1.0))
    search = SearchOptions(BeamSettings(max_active=max_active), bias=biasing).begin(model)
    encoder = model.encoder_stream()
    for _ in range(12):
        search.advance(encoder.run(np.zeros((model.info.chunk_frames, 80), np.float32)).out)
    return [model.vocabulary.tokens[token] for token in search.tokens]
