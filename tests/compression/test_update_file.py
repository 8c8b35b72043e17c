import random

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import CompressionError
from nearword.models.compression.block_delta import Segment, predicted, segments_between
from nearword.models.compression.byte_delta import apply_byte_delta, byte_delta
from nearword.models.compression.model_file import pack_files
from nearword.models.compression.update_file import apply_update, info_of, make_update, sha256
from packed_models import quantised_graph, spoilt, tensors_of

WORDS = st.lists(st.sampled_from([b"call anna\n", b"play jazz\n", b"lights off please\n", b"\x00\xff"]), max_size=60)


@given(old=WORDS, new=WORDS, extra=st.binary(max_size=200))
def test_a_file_is_made_of_another(old: list[bytes], new: list[bytes], extra: bytes) -> None:
    one, other = b"".join(old), b"".join(new) + extra
    assert apply_byte_delta(one, byte_delta(one, other), len(other)) == other


def test_what_stayed_is_copied_wherever_it_went() -> None:
    old = random.Random(0).randbytes(200_000)
    new = old[120_000:] + b"new" + old[:50_000] + old[50_001:120_000]
    assert len(byte_delta(old, new)) < 100


def test_a_damaged_delta_makes_no_more_than_it_says() -> None:
    chance = random.Random(1)
    old = random.Random(0).randbytes(5000)
    new = old[1000:] + bytes(300) + old[:2000]
    delta = byte_delta(old, new)
    for _ in range(1000):
        broken = bytearray(delta)
        broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        try:
            assert len(apply_byte_delta(old, bytes(broken), len(new))) == len(new)
        except CompressionError:
            continue


def moved(graph: bytes, changes: int, by: int = 1) -> bytes:
    """The same graph with some weights one level on."""
    weights = tensors_of(graph)["w_quantized"]
    after = weights.ravel().copy()
    after[np.random.default_rng(0).choice(len(after), changes, replace=False)] += by
    assert graph.count(weights.tobytes()) == 1
    return graph.replace(weights.tobytes(), after.astype(np.int8).tobytes())


GRAPH = quantised_graph(rows=300, columns=300, step=4)
OLD = pack_files({"encoder.int8.onnx": GRAPH, "tokens.txt": b"a 0\n" * 100}, {"name": "m"})


@pytest.mark.parametrize("changes", [0, 1, 50, 90_000])
def test_a_packed_model_is_made_of_the_one_before(changes: int) -> None:
    files = {"encoder.int8.onnx": moved(GRAPH, changes, 4), "tokens.txt": b"a 0\n" * 100 + b"b 1\n"}
    new = pack_files(files, {"name": "m"})
    update = make_update(OLD, new)
    assert apply_update(OLD, update) == new
    assert (info_of(update).old, info_of(update).new, info_of(update).size) == (sha256(OLD), sha256(new), len(new))
    if changes < 100:
        assert len(update) < len(new) / 10


def with_more(graph: bytes, *, first: bool) -> bytes:
    """The same graph with one more matrix, before or after the others."""
    more, model = onnx.load_from_string(quantised_graph(seed=9, rows=40, columns=50)), onnx.load_from_string(graph)
    new = next(one for one in more.graph.initializer if one.name == "w_quantized")
    new.name = "more_quantized"
    old = list(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend([new, *old] if first else [*old, new])
    return model.SerializeToString()


@pytest.mark.parametrize("first", [True, False])
def test_of_a_graph_that_grew_only_what_is_new_is_sent(first: bool) -> None:
    files = {"encoder.int8.onnx": with_more(GRAPH, first=first), "a.txt": b"a file before it"}
    new = pack_files(files, {"name": "m"})
    update = make_update(OLD, new)
    assert apply_update(OLD, update) == new
    grown = len(new) - len(pack_files({"encoder.int8.onnx": GRAPH}, {"name": "m"}))
    assert len(update) < grown + 2500 < len(new) / 4
    back = make_update(new, OLD)
    assert apply_update(new, back) == OLD
    assert len(back) < 2500


@given(
    old=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 9)), unique_by=lambda one: one[0]),
    new=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 9)), unique_by=lambda one: one[0], min_size=1),
)
def test_what_stands_for_a_constant_is_the_one_of_its_name(
    old: list[tuple[str, int]], new: list[tuple[str, int]]
) -> None:
    def laid(constants: list[tuple[str, int]]) -> dict[str, tuple[int, int]]:
        return {name: (sum(n for _, n in constants[:place]), count) for place, (name, count) in enumerate(constants)}

    numbers = np.concatenate([np.zeros(0, np.uint8), *(np.full(count, ord(name), np.uint8) for name, count in old)])
    segments = segments_between(laid(old), laid(new))
    known = [np.full(count, ord(name) if (name, count) in old else 128, np.uint8) for name, count in new]
    assert np.array_equal(predicted(numbers, segments), np.concatenate(known))
    for wrong in (Segment(0, 0), Segment(3, -2), Segment(1, len(numbers)), Segment(1 << 31, -1)):
        with pytest.raises(CompressionError, match="an update"):
            predicted(numbers, [*segments, wrong])


def test_files_that_come_and_go_are_no_harm() -> None:
    files = {"decoder.onnx": GRAPH, "lm.bin": random.Random(3).randbytes(3000)}
    for new in (pack_files(files, {"name": "m"}), b"", b"something else entirely"):
        assert apply_update(OLD, make_update(OLD, new)) == new
        assert apply_update(new, make_update(new, OLD)) == OLD


def test_an_update_is_for_one_version() -> None:
    new = pack_files({"encoder.int8.onnx": moved(GRAPH, 5, 4), "tokens.txt": b""}, {"name": "m"})
    update = make_update(OLD, new)
    with pytest.raises(CompressionError, match="another version"):
        apply_update(new, update)
    with pytest.raises(CompressionError, match="limit"):
        make_update(b"", bytes((1 << 30) + 1))


def test_damaged_updates_are_told_or_make_the_new_version() -> None:
    chance = random.Random(2)
    new = pack_files({"encoder.int8.onnx": moved(GRAPH, 500, 4), "tokens.txt": b"x"}, {"name": "m"})
    update = make_update(OLD, new)
    told = 0
    for _ in range(400):
        try:
            assert apply_update(OLD, spoilt(update, chance)) == new
        except CompressionError as error:
            told += "\n" not in str(error)
    assert told > 300
