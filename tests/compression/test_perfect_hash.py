"""Perfect hashes number their keys, each once, and tell most of what is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import CompressionError, FingerprintHash, PackedInts, PerfectHash


def random_keys(count: int, seed: int = 1) -> np.ndarray:
    return np.unique(np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64))


@given(st.sets(st.integers(0, (1 << 64) - 1), max_size=300))
def test_keys_get_the_numbers_from_zero_each_once(keys):
    array = np.array(sorted(keys), np.uint64)
    found = PerfectHash.build(array)
    assert found.count == len(keys)
    assert sorted(found.numbers(array).tolist()) == list(range(len(keys)))


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000, 20_000])
def test_any_number_of_keys_is_numbered(count):
    keys = random_keys(count)
    assert np.array_equal(np.sort(PerfectHash.build(keys).numbers(keys)), np.arange(len(keys)))


def test_keys_that_count_up_are_keys_too():
    keys = np.arange(10_000, dtype=np.uint64)
    assert np.array_equal(np.sort(PerfectHash.build(keys).numbers(keys)), np.arange(10_000))


def test_many_keys_take_at_most_3_2_bits_each():
    keys = random_keys(100_000)
    assert PerfectHash.build(keys).num_bits / len(keys) <= 3.2


def test_numbers_do_not_depend_on_the_order_of_keys():
    keys = random_keys(500)
    mixed = np.random.default_rng(3).permutation(keys)
    assert np.array_equal(PerfectHash.build(keys).numbers(keys), PerfectHash.build(mixed).numbers(keys))


def test_numbers_of_what_is_no_key_stay_in_range():
    found = PerfectHash.build(random_keys(1000))
    strange = found.numbers(random_keys(50_000, seed=2))
    assert strange.min() >= -1
    assert strange.max() < 1000


def test_a_key_that_is_there_twice_is_refused():
    with pytest.raises(CompressionError, match="0x7 is there twice"):
        PerfectHash.build(np.array([7, 5, 7], np.uint64))


@pytest.mark.parametrize("width", [0, 1, 4, 8, 16, 24])
def test_fingerprints_let_one_stranger_in_2_to_their_width_pass(width):
    keys, strangers = random_keys(2000), random_keys(40_000, seed=2)
    found = FingerprintHash.build(keys, width)
    assert np.array_equal(np.sort(found.numbers(keys)), np.arange(2000))
    passed = np.count_nonzero(found.numbers(strangers) >= 0)
    expected = len(strangers) / 2**width
    assert abs(passed - expected) <= 5 * np.sqrt(expected) + 5


@given(st.integers(0, 24).flatmap(lambda width: st.tuples(
    st.just(width), st.lists(st.integers(0, (1 << width) - 1), max_size=80))))  # fmt: skip
def test_packed_numbers_come_back(given_numbers):
    width, numbers = given_numbers
    packed = PackedInts.pack(numbers, width)
    assert packed.take(np.arange(len(numbers))).tolist() == numbers
    assert [one for piece in packed.pieces() for one in piece.tolist()] == numbers


@pytest.mark.parametrize("numbers", [[-1], [8], [1 << 40]])
def test_numbers_that_do_not_fit_are_refused(numbers):
    with pytest.raises(CompressionError):
        PackedInts.pack(numbers, 3)
