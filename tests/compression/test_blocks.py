import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import CompressionError
from nearword.models.compression.blocks import MAX_BLOCK, decode_block, encode_block, fill_block, plan_block, plan_of
from nearword.models.compression.rans import PRECISION, decode, encode, frequencies


def numbers_of(seed: int, count: int, kinds: int, spread: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn = np.rint(rng.normal(kinds / 2, spread, count))
    return np.clip(drawn, 0, kinds - 1).astype(np.uint8)


@given(
    seed=st.integers(0, 1000),
    count=st.integers(0, 30_000),
    kinds=st.integers(1, 256),
    spread=st.floats(0.01, 100),
    zeros=st.floats(0, 1),
)
def test_what_was_coded_comes_back(seed: int, count: int, kinds: int, spread: float, zeros: float) -> None:
    numbers = numbers_of(seed, count, kinds, spread)
    numbers[: int(zeros * count)] = 0
    block = encode_block(numbers)
    assert np.array_equal(decode_block(block, count), numbers)
    # the plan and the numbers say every byte: so an update need not send them
    assert fill_block(plan_of(block), numbers) == block


@given(counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=256).filter(any))
def test_a_table_adds_up_and_leaves_nothing_out(counts: list[int]) -> None:
    table = frequencies(np.asarray(counts))
    assert int(table.sum()) == 1 << PRECISION
    assert [each > 0 for each in table.tolist()] == [each > 0 for each in counts]


def test_coded_numbers_take_little_more_than_their_entropy() -> None:
    for kinds, spread, more in ((256, 35.0, 1.012), (15, 2.5, 1.005), (31, 6.0, 1.012), (3, 0.4, 1.01)):
        numbers = numbers_of(1, 1 << 20, kinds, spread)
        share = np.bincount(numbers)[np.bincount(numbers) > 0] / len(numbers)
        entropy = -(share * np.log2(share)).sum() / 8 * len(numbers)
        assert len(encode_block(numbers)) < more * entropy + 3000


def test_lanes_of_one_number_cost_nearly_nothing() -> None:
    numbers = np.full(1 << 22, 128, np.uint8)
    numbers[1_000_000:1_001_000] = np.arange(1000) % 5
    assert len(encode_block(numbers)) < 1000


def test_the_coder_says_every_bit_of_a_worked_example() -> None:
    # two symbols of equal frequency: a bit each, and the state grows by it
    table = frequencies(np.asarray([1, 1]))
    symbols = np.asarray([[0], [1], [1]], np.uint8)
    states, words = encode(symbols, np.zeros(1, np.uint8), table[None])
    half = 1 << PRECISION - 1
    state = 1 << 16
    for symbol in (1, 1, 0):
        state = (state // half << PRECISION) + state % half + symbol * half
    assert (states.tolist(), words.tolist()) == ([state], [])
    assert np.array_equal(decode(states, words, 3, np.zeros(1, np.uint8), table[None]), symbols)


def test_what_is_damaged_is_told() -> None:
    numbers = numbers_of(3, 5000, 40, 6.0)
    block = encode_block(numbers)
    for place in range(0, len(block), 3):
        broken = bytearray(block)
        broken[place] ^= 0x10
        try:
            assert np.array_equal(decode_block(bytes(broken), len(numbers)), numbers)
        except CompressionError:
            continue
        # all that may change is what nobody reads: a symbol that no lane has
        assert place < len(plan_of(block)) + 4
    for end in range(0, len(block), 7):
        with pytest.raises(CompressionError):
            decode_block(block[:end], len(numbers))
    for wrong in (0, len(numbers) - 1, len(numbers) + 1, MAX_BLOCK + 1):
        with pytest.raises(CompressionError):
            decode_block(block, wrong)


def test_a_plan_is_for_its_own_numbers() -> None:
    plan = plan_block(numbers_of(3, 5000, 40, 6.0))
    with pytest.raises(CompressionError, match="plan"):
        fill_block(plan, np.full(5000, 99, np.uint8))
    with pytest.raises(CompressionError, match="limit"):
        plan_block(np.zeros(MAX_BLOCK + 1, np.uint8))
