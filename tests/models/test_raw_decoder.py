"""Raw samples of every form come out as what was recorded."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models import AudioError, RawDecoder, RawFormat

INTEGERS = {1: "uint8", 2: "int16", 3: "int24", 4: "int32"}
TONE = (0.5 * np.sin(np.arange(16000) / 16000 * 2 * np.pi * 440)).astype(np.float32)


def decoded(form: RawFormat, data: bytes, cuts: list[int] | None = None) -> np.ndarray:
    decoder = RawDecoder(form)
    edges = [0, *sorted(cuts or []), len(data)]
    parts = [decoder.decode(data[a:b]) for a, b in itertools.pairwise(edges)]
    return np.concatenate([*parts, decoder.finish()])


def as_width(samples: np.ndarray, width: int) -> bytes:
    if width == 1:
        return np.round(samples * 127 + 128).astype(np.uint8).tobytes()
    whole = np.round(samples.astype(np.float64) * (2 ** (8 * width - 1) - 1)).astype("<i4")
    return whole.view(np.uint8).reshape(-1, 4)[:, :width].tobytes()


@pytest.mark.parametrize(("width", "tolerance"), [(1, 0.01), (2, 1e-4), (3, 1e-6), (4, 1e-6)])
def test_integers_of_every_width_are_scaled_to_one(width: int, tolerance: float) -> None:
    np.testing.assert_allclose(decoded(RawFormat(INTEGERS[width]), as_width(TONE, width)), TONE, atol=tolerance)


@pytest.mark.parametrize("width", [4, 8])
def test_floats_stay_as_they_are(width: int) -> None:
    form = RawFormat(f"float{8 * width}")
    np.testing.assert_allclose(decoded(form, TONE.astype(f"<f{width}").tobytes()), TONE)


def test_channels_are_averaged() -> None:
    both = np.stack([TONE, np.zeros_like(TONE)], axis=1).astype("<f4").tobytes()
    np.testing.assert_allclose(decoded(RawFormat("float32", channels=2), both), TONE / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 44100, 48000])
def test_other_rates_keep_the_tone(rate: int) -> None:
    tone = (0.5 * np.sin(np.arange(rate) / rate * 2 * np.pi * 440)).astype(np.float32)
    out = decoded(RawFormat("float32", rate), tone.tobytes())
    assert abs(len(out) - 16000) <= 8
    np.testing.assert_allclose(out[2000:14000], TONE[2000:14000], atol=0.01)


@pytest.mark.parametrize(("encoding", "codes"), [("ulaw", (0x00, 0x80, 0xFF)), ("alaw", (0x2A, 0xAA, 0xD5))])
def test_telephone_codes_have_the_values_of_g711(encoding: str, codes: tuple[int, int, int]) -> None:
    lowest, highest, quietest = decoded(RawFormat(encoding), bytes(codes)) * 32768
    assert lowest == -highest
    assert highest == 32124 if encoding == "ulaw" else highest == 32256
    assert abs(quietest) <= 8


@given(st.lists(st.integers(0, 4000), max_size=6), st.sampled_from([(2, 1), (3, 2), (4, 3), (1, 5)]))
def test_where_the_bytes_are_cut_does_not_matter(cuts: list[int], form: tuple[int, int]) -> None:
    width, channels = form
    data = np.random.default_rng(3).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    one = decoded(RawFormat(INTEGERS[width], channels=channels), data)
    np.testing.assert_array_equal(one, decoded(RawFormat(INTEGERS[width], channels=channels), data, cuts))


def test_a_sample_that_is_no_number_is_refused() -> None:
    with pytest.raises(AudioError, match="not finite"):
        RawDecoder(RawFormat("float32")).decode(np.float32([0, np.nan]).tobytes())
