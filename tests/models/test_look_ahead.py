"""How far ahead of its words an encoder hears, where that can be chosen."""

import asyncio
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import ModelError, ModelFileError, Transducer, read_audio
from nearword.runtime import Pipeline, Transcriber, load_model
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.settings import ServeSettings
from nearword.runtime.search.options import GREEDY


def lattice_of(model: Transducer, samples: np.ndarray, pieces: list[int]) -> str:
    transcriber = Transcriber(model)
    for piece in np.split(samples, np.minimum(np.cumsum(pieces), len(samples))):
        transcriber.accept(piece)
    transcriber.finish()
    return str(transcriber.lattice())


def test_the_longest_that_fits_is_taken(bundled: Transducer) -> None:
    asked = {0.11: 0.11, 0.19: 0.19, 0.26: 0.19, 0.67: 0.67, 2.59: 2.59}
    looking = {seconds: bundled.looking_ahead(seconds).info for seconds in asked}
    assert {seconds: info.look_ahead_seconds for seconds, info in looking.items()} == pytest.approx(asked)
    assert bundled.info.look_ahead_seconds == pytest.approx(0.19)


@pytest.mark.parametrize("seconds", [0.0, 0.1, -1.0, 2.7, math.inf, math.nan])
def test_what_no_frame_fits_into_is_refused(bundled: Transducer, seconds: float) -> None:
    with pytest.raises(ModelError, match=r"look-ahead of .* s: expected 0\.11 to 2\.59 s"):
        bundled.looking_ahead(seconds)


def test_a_model_that_lets_none_choose_says_so(toy: Transducer) -> None:
    with pytest.raises(ModelError, match=r"look-ahead of 0\.5 s: this model's cannot be chosen, it is 0\.05 s"):
        toy.looking_ahead(0.5)


def test_its_own_asked_for_gives_its_own_numbers(bundled: Transducer) -> None:
    rng = np.random.default_rng(0)
    other = bundled.looking_ahead(0.67).looking_ahead(0.19)
    one, two = bundled.encoder_stream(phones=True), other.encoder_stream(phones=True)
    for features in rng.normal(-6, 3, (8, bundled.info.chunk_frames, 80)).astype(np.float32):
        ours, theirs = one.run(features), two.run(features)
        np.testing.assert_array_equal(ours.out, theirs.out)
        np.testing.assert_array_equal(ours.phones, theirs.phones)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 20_000), max_size=12), st.sampled_from([0.11, 0.43, 0.67]))
def test_any_chunking_gives_the_same_lattice(bundled: Transducer, pieces: list[int], seconds: float) -> None:
    model, samples = bundled.looking_ahead(seconds), read_audio(DEMO)
    assert lattice_of(model, samples, pieces) == lattice_of(model, samples, [])


def test_words_lie_where_they_were_said(bundled: Transducer) -> None:
    """What is heard ahead delays results, not the times in them."""
    starts = []
    for model in (bundled, bundled.looking_ahead(0.67)):
        transcriber = Transcriber(model, GREEDY)
        transcriber.accept(read_audio(DEMO))
        starts.append({word.text: word.start for word in transcriber.finish().words})
    both = starts[0].keys() & starts[1].keys()
    assert len(both) > 8
    assert np.median([abs(starts[0][word] - starts[1][word]) for word in both]) <= 0.1


def test_a_pipeline_loads_a_model_so(bundled: Transducer) -> None:
    async def opened() -> float:
        async with Pipeline(look_ahead=0.67) as pipeline:
            return pipeline.model.info.look_ahead_seconds

    assert asyncio.run(opened()) == pytest.approx(0.67)
    assert load_model(bundled.info.folder, look_ahead=0.3).info.look_ahead_seconds == pytest.approx(0.27)


def test_a_daemon_loads_a_model_so() -> None:
    engine = Engine.load(ServeSettings(look_ahead=0.67))
    assert engine.model.info.look_ahead_seconds == pytest.approx(0.67)
    with pytest.raises(ModelError, match="less than full effort fits a look-ahead of"):
        Engine.load(ServeSettings(look_ahead=0.67, effort="low"))


def test_the_cheap_branch_wants_its_own(bundled: Transducer) -> None:
    bundled.looking_ahead(0.19).encoder_stream(effort="balanced")
    with pytest.raises(ModelError, match=r"less than full effort fits a look-ahead of 0\.19 s alone, not 0\.67"):
        bundled.looking_ahead(0.67).encoder_stream(effort="low")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("look_ahead", "100", "metadata 'look_ahead' is '100'; expected a number from 0 to 32"),
        ("look_ahead_size", "x", "metadata 'look_ahead_size' is 'x'; expected a number from 1 to 100000"),
        ("rnn_hidden_size", "5", "metadata 'rnn_hidden_size' is '5'"),
        ("delay_frames", "15", "metadata 'look_ahead' is 2, but no state grows with it"),
    ],
)
def test_metadata_that_does_not_fit_is_told(
    bundled: Transducer, tmp_path: Path, key: str, value: str, told: str
) -> None:
    for file in bundled.info.folder.iterdir():
        if file.name in ("decoder.onnx", "joiner.onnx", "tokens.txt"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    model = onnx.load(str(bundled.info.folder / "encoder.int8.onnx"))
    [entry] = [one for one in model.metadata_props if one.key == key]
    entry.value = value
    onnx.save(model, tmp_path / "encoder.int8.onnx")
    with pytest.raises(ModelFileError) as raised:
        Transducer.load(tmp_path)
    assert told in str(raised.value)
