"""What the encoder's matrices are multiplied with while it hears recordings: what calibrated rounding goes by."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .audio import read_audio
from .compression.calibration import inputs_of_products
from .compression.errors import CompressionError
from .compression.onnx_tensors import with_outputs
from .errors import ModelFileError
from .features import FeatureExtractor
from .transducer import Transducer

SECONDS = 360.0
"""Of recordings that are heard; more changes little."""
LONGEST = 20.0
"""Seconds that are heard of one recording, so that there are many voices."""


def second_moments(
    model: Transducer, recordings: Sequence[Path], progress: Callable[[float], None] = lambda _: None
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the sums of x x' over what each quantised matrix of the encoder is multiplied with, by its name.

    Args:
        model: whose encoder has int8 weights.
        recordings: speech of any kind, no texts; the first ``SECONDS`` of them, ``LONGEST`` each, are heard.
        progress: is told the share that is done.

    Raises:
        AudioError: a recording cannot be read.
        ModelFileError: the encoder has no int8 weights.
    """
    path, encoder = model.info.graphs[0], model.encoder
    graph = path.read_bytes()
    try:
        inputs = inputs_of_products(graph)
    except CompressionError as error:
        raise ModelFileError(path, str(error)) from error
    if not inputs:
        raise ModelFileError(path, "has no int8 weights; export it in int8 first")
    names = sorted(set(inputs.values()))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = ort.InferenceSession(with_outputs(graph, names), options, providers=["CPUExecutionProvider"])
    sums: dict[str, npt.NDArray[np.float32]] = {}
    heard = 0.0
    for recording in recordings:
        features = FeatureExtractor()
        samples = read_audio(recording)[: round(LONGEST * model.info.sample_rate)]
        features.accept(samples)
        features.finish()
        frames = features.take(0, features.frames_ready)
        states = list(encoder.initial)
        for begin in range(0, len(frames) - encoder.chunk_frames + 1, encoder.chunk_shift):
            feeds = dict(zip(encoder.states, states, strict=True))
            step = frames[begin : begin + encoder.chunk_frames]
            feeds["x"] = step[None].astype(encoder.dtype, copy=False)
            found = session.run([*encoder.outputs, *names], feeds)
            following = found[1 : len(encoder.outputs)]
            if encoder.uncounted is not None:
                following.insert(encoder.uncounted, states[encoder.uncounted] + encoder.chunk_shift)
            states = following
            for name, value in zip(names, found[len(encoder.outputs) :], strict=True):
                rows = value.reshape(-1, value.shape[-1])
                moment = rows.T @ rows
                sums[name] = sums[name] + moment if name in sums else moment
        heard += len(samples) / model.info.sample_rate
        progress(min(1.0, heard / SECONDS))
        if heard > SECONDS:
            break
    if not sums:
        raise ModelFileError(path, "no recording is as long as a step of the encoder; name more")
    return {matrix: sums[name] for matrix, name in inputs.items()}
