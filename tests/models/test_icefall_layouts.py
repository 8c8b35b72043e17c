"""Every layout of icefall's streaming exporters: loaded as it is, and the same tokens as sherpa-onnx's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from icefall_layouts import LAYOUTS, write_layout
from nearword.models import ModelFileError, Transducer, read_audio
from nearword.models.graphs import find_graphs
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.recognition.transcriber import Transcriber

sherpa_onnx = pytest.importorskip("sherpa_onnx")
GREEDY = SearchOptions(BeamSettings(max_active=1), language=None, phones=False)
TAIL = np.zeros(20800, np.float32)
PARTS = ("encoder", "decoder", "joiner")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each layout, in float and in int8 as the exporters quantise."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = tmp_path_factory.mktemp("layouts")
    made = {name: write_layout(root / name, layout()) for name, layout in LAYOUTS.items()}
    for folder in made.values():
        for part in PARTS:
            kinds = ["MatMul", "Gather"] if part == "decoder" else ["MatMul"]
            plain = folder / f"{part}-epoch-99-avg-1.onnx"
            quantize_dynamic(
                plain, plain.with_suffix(".int8.onnx"), op_types_to_quantize=kinds, weight_type=QuantType.QInt8
            )
    return made


def tokens_of_sherpa(folder: Path, precision: str, samples: np.ndarray) -> list[str]:
    """What sherpa-onnx hears, greedily; it waits for a frame more than a step takes, so it gets one more."""
    paths = find_graphs(folder, precision)
    recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"), num_threads=1, **{part: str(paths[part]) for part in PARTS}
    )
    stream = recogniser.create_stream()
    stream.accept_waveform(16000, np.concatenate([samples, np.zeros(160, np.float32)]))
    while recogniser.is_ready(stream):
        recogniser.decode_stream(stream)
    return [token.strip() for token in recogniser.tokens(stream)]


def tokens_here(model: Transducer, samples: np.ndarray) -> list[str]:
    transcriber = Transcriber(model, GREEDY)
    transcriber.accept(samples)
    return [model.vocabulary.tokens[token].replace("▁", " ").strip() for token in transcriber.tokens]


@pytest.mark.parametrize("precision", ["float", "int8"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_tokens_are_those_of_sherpa(folders: dict[str, Path], name: str, precision: str) -> None:
    model = Transducer.load(folders[name], precision=precision)
    samples = np.concatenate([read_audio(DEMO), TAIL])
    theirs = tokens_of_sherpa(folders[name], precision, samples)
    assert len(set(theirs)) > 4
    assert tokens_here(model, samples) == theirs


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_the_files_say_is_read(folders: dict[str, Path], name: str) -> None:
    layout, info = LAYOUTS[name](), Transducer.load(folders[name], precision="float").info
    assert info.model_type == name
    assert info.states == len(layout.caches)
    assert info.encoder_frames == layout.frames
    assert (info.chunk_frames, info.chunk_shift) == (layout.metadata["T"], layout.metadata["decode_chunk_len"])


def test_a_count_that_does_not_come_out_is_kept_for_each_stream(folders: dict[str, Path]) -> None:
    model = Transducer.load(folders["conformer"], precision="float")
    steps = np.random.default_rng(0).normal(-8, 3, (4, model.info.chunk_frames, 80)).astype(np.float32)
    alone = model.encoder_stream()
    expected = [alone.run(step).out for step in steps]
    stream = model.encoder_stream()
    for step, out in zip(steps, expected, strict=True):
        fork = stream.fork()
        np.testing.assert_array_equal(fork.run(step).out, out)
        np.testing.assert_array_equal(stream.run(step).out, out)


def test_a_state_that_is_lost_otherwise_is_refused(tmp_path: Path) -> None:
    layout = LAYOUTS["lstm"]()
    lost = replace(layout, caches=(layout.caches[0], replace(layout.caches[1], returned=False)))
    with pytest.raises(ModelFileError, match="2 states go in and 1 come out"):
        Transducer.load(write_layout(tmp_path / "m", lost))
