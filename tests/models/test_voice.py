"""The graph that tells voices apart: what it takes of an encoder, and which files are refused."""

import numpy as np
import pytest
from nearword.models import ModelFileError, Transducer
from nearword.models.encoder import Tap
from nearword.models.voice import VoiceEncoder
from toy_models import write_toy_model
from toy_voices import TOY_TAP, write_voices


@pytest.fixture
def folder(tmp_path):
    return write_toy_model(tmp_path / "toy")


def test_a_tap_reads_what_comes_out_as_the_next_state(toy):
    rng, tap = np.random.default_rng(0), Tap("cached_b", (0,), 2, 6, 2, 1)
    assert toy.encoder.fits(tap)
    tapped, plain = toy.encoder_stream(tap=tap), toy.encoder_stream()
    for _ in range(3):
        features = rng.normal(-5, 2, (toy.info.chunk_frames, 80)).astype(np.float32)
        heard, same = tapped.run(features), plain.run(features)
        np.testing.assert_array_equal(heard.out, same.out)
        assert same.voice is None
        state = tapped.states[toy.encoder.states.index("cached_b")]
        np.testing.assert_array_equal(heard.voice, state[0, 0, 2:6].reshape(2, 2))


def test_a_fork_goes_on_with_the_tap(toy):
    stream = toy.encoder_stream(tap=Tap("cached_b", (0,), 0, 6, 6, 1))
    features = np.full((toy.info.chunk_frames, 80), -4.0, np.float32)
    stream.run(features)
    np.testing.assert_array_equal(stream.fork().run(features).voice, stream.run(features).voice)


@pytest.mark.parametrize(
    "tap",
    [
        Tap("cached_z", (0,), 0, 6, 6, 1), Tap("cached_b", (1,), 0, 6, 6, 1), Tap("cached_b", (0,), 0, 7, 7, 1),
        Tap("cached_b", (0,), 0, 6, 4, 1), Tap("cached_c", (0,), 0, 6, 6, 1),
    ],
)  # fmt: skip
def test_a_tap_that_the_encoder_has_not_does_not_fit(toy, tap):
    assert not toy.encoder.fits(tap)


def test_a_voice_has_a_vector_of_length_one_and_a_probability(folder):
    model = Transducer.load(write_voices(folder))
    encoder = VoiceEncoder(model)
    assert (encoder.size, encoder.threshold, encoder.tap.state) == (4, 0.5, "cached_b")
    voice = encoder.hear(np.random.default_rng(1).normal(0, 1, (40, 6)).astype(np.float32))
    assert np.linalg.norm(voice.vector) == pytest.approx(1, abs=1e-5)
    assert 0 <= voice.whispered <= 1
    assert voice.seconds == pytest.approx(40 * 0.08)


def test_of_too_little_nothing_is_said(folder):
    encoder = VoiceEncoder(Transducer.load(write_voices(folder)))
    assert encoder.hear(np.zeros((4, 6), np.float32)) is None
    assert encoder.hear(np.zeros((0, 6), np.float32)) is None


def test_another_graph_has_another_identity(folder):
    one = VoiceEncoder(Transducer.load(write_voices(folder)))
    same = VoiceEncoder(Transducer.load(write_voices(folder)))
    other = VoiceEncoder(Transducer.load(write_voices(folder, seed=1)))
    assert one.identity == same.identity != other.identity


def test_a_model_without_the_graph_says_so(toy):
    with pytest.raises(ModelFileError, match=r"speaker\.onnx: missing: this model cannot tell speakers apart"):
        VoiceEncoder(toy)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"state": "c0"}, "which this model's encoder has not"),
        ({"layers": "0 1"}, "which this model's encoder has not"),
        ({"layers": "first"}, "metadata 'layers' is 'first'"),
        ({"layers": ""}, "metadata 'layers' is ''"),
        ({"width": 0}, "metadata 'width' is '0'"),
        ({"end": 0}, "metadata 'end' is '0'"),
        ({"stride": -1}, "metadata 'stride' is '-1'"),
        ({"threshold": "high"}, "metadata 'threshold' is 'high'"),
        ({"threshold": 1.5}, "metadata 'threshold' is '1.5'"),
    ],
)
def test_metadata_that_do_not_fit_are_named(folder, changed, told):
    write_voices(folder, TOY_TAP, **changed)
    with pytest.raises(ModelFileError, match=r"speaker\.onnx") as caught:
        VoiceEncoder(Transducer.load(folder))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [b"", b"no graph", None])
def test_a_damaged_file_is_named(folder, damage):
    file = write_voices(folder) / "speaker.onnx"
    file.write_bytes(file.read_bytes()[:200] if damage is None else damage)
    with pytest.raises(ModelFileError, match=r"speaker\.onnx"):
        VoiceEncoder(Transducer.load(folder))


def test_another_kind_of_graph_is_refused(folder):
    write_voices(folder)
    (folder / "speaker.onnx").write_bytes((folder / "joiner.onnx").read_bytes())
    with pytest.raises(ModelFileError, match="expected heard to vector and whispered"):
        VoiceEncoder(Transducer.load(folder))
