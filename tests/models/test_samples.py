import array
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from hypothesis import given
from hypothesis import strategies as st
from nearword.models import AudioConverter, AudioError, NearwordError, Transducer, read_audio, to_samples
from nearword.runtime import Pipeline, Recognizer, Transcriber
from nearword.runtime.recognition.segmenter import Segmenter
from nearword.runtime.sources import Blocks

TYPES = (
    "int8",
    "uint8",
    "int16",
    ">i2",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
)


def of_type(samples: np.ndarray, name: str) -> np.ndarray:
    """Samples in [-1, 1) as a type has them."""
    kind = np.dtype(name)
    if kind.kind == "f":
        return samples.astype(kind)
    scaled = np.floor(samples.astype(np.float64) * 2.0 ** (8 * kind.itemsize - 1))
    return (scaled + (2.0 ** (8 * kind.itemsize - 1) if kind.kind == "u" else 0)).astype(kind)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_every_type_of_number_is_heard_by_its_own_scale(name: str, shape: tuple[int, ...]) -> None:
    samples = np.random.default_rng(0).uniform(-0.99, 0.99, 4000).astype(np.float32)
    heard = to_samples(of_type(samples, name).reshape(shape))
    assert (heard.dtype, heard.shape) == (np.float32, (4000,))
    np.testing.assert_allclose(heard, samples, atol=1.01 / 128 if "8" in name else 1e-3)


def test_extremes_of_integers_are_full_scale() -> None:
    assert to_samples(np.asarray([-32768, 32767, 0], np.int16)).tolist() == [-1.0, 32767 / 32768, 0.0]
    assert to_samples(np.asarray([0, 128, 255], np.uint8)).tolist() == [-1.0, 0.0, 127 / 128]


def test_what_numpy_can_see_without_a_copy_is_an_array_too() -> None:
    assert to_samples(array.array("h", [16384, 0])).tolist() == [0.5, 0.0]
    assert to_samples(memoryview(array.array("h", [16384, 0]))).tolist() == [0.5, 0.0]
    assert to_samples([0.5, 0.0]).tolist() == [0.5, 0.0]
    assert to_samples(np.asarray([0.0, 0.5, 0.25, 0.5], np.float32)[::-2]).tolist() == [0.5, 0.5]


BAD = {
    "bytes": (b"\0\0\0\0", "not bytes; bytes become one by np.frombuffer"),
    "bytearray": (bytearray(4), "not bytearray"),
    "view of bytes": (memoryview(b"\0\0"), "not memoryview"),
    "name": ("a.wav", "not str"),
    "nothing": (None, "not NoneType"),
    "number": (0.5, "not float"),
    "one sample": (np.float32(0.5), r"shape \(\)"),
    "list of integers": ([1, 2, 3], "list of int64"),
    "ragged list": ([[0.1], [0.2, 0.3]], "expected an array"),
    "words": (np.asarray(["a"]), "expected float32"),
    "objects": (np.asarray([None]), "expected float32"),
    "truth": (np.zeros(3, bool), "expected float32"),
    "complex": (np.zeros(3, complex), "expected float32"),
    "times": (np.zeros(3, "M8[s]"), "expected float32"),
    "records": (np.zeros(3, "i2,i2"), "expected float32"),
    "channels first": (np.zeros((2, 16000), np.float32), r"shape \(2, 16000\).*\.T"),
    "no channels": (np.zeros((5, 0), np.float32), r"shape \(5, 0\)"),
    "a batch": (np.zeros((1, 5, 2), np.float32), r"shape \(1, 5, 2\)"),
    "nan": (np.asarray([0.0, np.nan], np.float32), "not finite"),
    "infinite": (np.asarray([0.0, -np.inf]), "not finite"),
    "beyond float32": (np.asarray([1e300]), "not finite"),
    "integers made floats": (np.asarray([0.0, 12345.0]), "up to 12345.*integers as an integer type"),
}


@pytest.mark.parametrize("what", BAD)
def test_all_else_is_one_clear_error(what: str) -> None:
    audio, told = BAD[what]
    with pytest.raises(AudioError, match=told) as caught:
        to_samples(audio, source="radio")
    assert str(caught.value).startswith("radio: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rate": 5}, "sample rate 5"),
        ({"rate": float("nan")}, "sample rate"),
        ({"rate": "fast"}, "audio: "),
        ({"channel": 0}, "from 1"),
        ({"channel": -1}, "from 1"),
        ({"channel": True}, "from 1"),
        ({"channel": 1.0}, "from 1"),
        ({"channel": "left"}, "from 1"),
    ],
)
def test_a_rate_or_channel_that_cannot_be_is_told_before_any_audio(options: dict, told: str) -> None:
    with pytest.raises(AudioError, match=told):
        AudioConverter(**options)


def test_a_channel_is_chosen_or_all_are_mixed() -> None:
    left, right = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 3200)).astype(np.float32)
    both = np.stack([left, right], 1)
    np.testing.assert_array_equal(to_samples(both, channel=1), left)
    np.testing.assert_array_equal(to_samples(both, channel=2), right)
    np.testing.assert_allclose(to_samples(both), (left + right) / 2, atol=1e-7)
    with pytest.raises(AudioError, match="no channel 3: there are 2 channels"):
        to_samples(both, channel=3)
    with pytest.raises(AudioError, match="no channel 2: only one"):
        to_samples(left, channel=2)
    converter = AudioConverter()
    converter.accept(both)
    with pytest.raises(AudioError, match="1 channels after 2"):
        converter.accept(left)


@given(
    sizes=st.lists(st.integers(0, 3000), max_size=8),
    rate=st.sampled_from((16000, 8000, 44100)),
    channels=st.integers(1, 3),
    turned=st.booleans(),
)
def test_pieces_of_any_size_give_the_same(sizes: list[int], rate: int, channels: int, turned: bool) -> None:
    audio = (np.random.default_rng(2).normal(0, 3000, (6000, channels))).astype(np.int16)
    if turned and channels > 1:
        audio[2000:4000, 1] = -audio[2000:4000, 0]
    converter, heard, start = AudioConverter(rate), [], 0
    for size in [*sizes, len(audio)]:
        heard.append(converter.accept(audio[start : start + size]))
        start += size
    heard.append(converter.finish())
    np.testing.assert_allclose(np.concatenate(heard), to_samples(audio, rate), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("offset", [0.0, 0.1])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_channels_that_cancel_each_other_are_heard(rate: int, offset: float, noise: float) -> None:
    rng = np.random.default_rng(3)
    voice = np.sin(2 * np.pi * 700 * np.arange(rate) / rate) * 0.3
    both = np.stack([voice, -voice], 1) + offset + rng.normal(0, noise, (rate, 2))
    heard = to_samples(both, rate)[1600:-1600]
    assert np.std(heard) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0, -0.3])
def test_channels_that_do_not_cancel_are_their_mean(share: float) -> None:
    speech = read_audio(DEMO)
    both = np.stack([speech, share * speech], 1)
    np.testing.assert_allclose(to_samples(both), speech * (1 + share) / 2, atol=1e-6)
    rng = np.random.default_rng(4)
    two = rng.normal(0, 0.1, (32000, 2)).astype(np.float32)
    np.testing.assert_allclose(to_samples(two), two.mean(axis=1), atol=1e-6)


def words_of(listener: object, audio: np.ndarray) -> str:
    """The words that a class hears in audio that comes in pieces."""
    heard = []
    for start in range(0, len(audio), 5000):
        heard.append(listener.accept(audio[start : start + 5000]))
    ended = listener.finish()
    if isinstance(listener, Recognizer):
        events = [event for part in [*heard, ended] for event in part]
        return " ".join(event.text for event in events if type(event).__name__ == "Final")
    return ended.text


@pytest.mark.parametrize("listener", [Transcriber, Recognizer, Segmenter])
def test_every_class_that_takes_audio_takes_it_through_the_door(listener: type, bundled: Transducer) -> None:
    speech = read_audio(DEMO)[: int(2.6 * 16000)]
    pcm = (speech * 32768).astype(np.int16)
    said = words_of(listener(bundled), pcm.astype(np.float32) / 32768)
    assert said
    assert words_of(listener(bundled), pcm) == said
    assert words_of(listener(bundled), pcm[:, None]) == said
    assert words_of(listener(bundled), np.stack([pcm, pcm], 1)) == said
    assert words_of(listener(bundled), np.stack([pcm, -pcm], 1)) == said
    assert words_of(listener(bundled, channel=2), np.stack([np.zeros_like(pcm), pcm], 1)) == said
    twice = np.repeat(pcm, 2)
    assert words_of(listener(bundled, rate=32000), twice)
    for audio, told in BAD.values():
        stream = listener(bundled)
        with pytest.raises(NearwordError, match=told):
            stream.accept(audio)


def test_a_pipeline_takes_a_path_and_arrays_of_any_kind(toy: Transducer, tmp_path: Path) -> None:
    pcm = (np.random.default_rng(5).normal(0, 0.2, (24000, 2)) * 32767).astype(np.int16)

    async def pieces() -> AsyncIterator[np.ndarray]:
        yield pcm

    async def run(source: object) -> list[str]:
        async with Pipeline(toy) as pipeline:
            return [event.to_json() async for event in pipeline.run(source)]

    assert asyncio.run(run(str(DEMO))) == asyncio.run(run(DEMO)) != []
    assert asyncio.run(run(pieces()))
    assert asyncio.run(run(Blocks(pieces(), rate=8000, channel=2)))
    for wrong in (pcm, None, 7, b"a.wav", [pcm]):
        with pytest.raises(NearwordError, match="no source of audio"):
            asyncio.run(run(wrong))
    with pytest.raises(AudioError, match="no such file"):
        asyncio.run(run("none.wav"))
