import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lattices import all_paths, lattices, words_of
from nearword.lattice import Lattice, LatticeError, Limits, decode, encode
from nearword.lattice.formats.bits import BitReader, BitWriter, unzigzag, zigzag


def by_nodes(lattice: Lattice) -> list[int]:
    """Arcs in an order that does not depend on how words are numbered."""
    named = [lattice.words[word] for word in lattice.word]
    return sorted(range(lattice.num_arcs), key=lambda arc: (lattice.source[arc], lattice.target[arc], named[arc]))


@given(lattices(deterministic=st.booleans()))
def test_times_are_kept_to_10_ms_and_bias_and_language_scores_to_a_64th(lattice: Lattice) -> None:
    again = decode(encode(lattice))
    assert set(again.words) == {lattice.words[word] for word in lattice.word}
    assert again.offset == lattice.offset
    order, before = by_nodes(again), by_nodes(lattice)
    assert [again.words[word] for word in again.word[order]] == [lattice.words[word] for word in lattice.word[before]]
    for name in ("source", "target"):
        assert np.array_equal(getattr(again, name)[order], getattr(lattice, name)[before])
    if len({*zip(lattice.source.tolist(), lattice.target.tolist(), lattice.word.tolist(), strict=True)}) == len(order):
        np.testing.assert_allclose(again.start[order], lattice.start[before], atol=0.00501)
        np.testing.assert_allclose(again.end[order], lattice.end[before], atol=0.00501)
        np.testing.assert_allclose(again.scores[order, 1:], lattice.scores[before, 1:], atol=0.5 / 64 + 1e-6)
    assert np.array_equal(np.isfinite(again.final), np.isfinite(lattice.final))
    ends = np.isfinite(lattice.final[:, 0])
    np.testing.assert_allclose(again.final[ends, 1:], lattice.final[ends, 1:], atol=0.5 / 64 + 1e-6)


@given(lattices())
def test_the_best_path_stays_and_no_total_drifts(lattice: Lattice) -> None:
    again = decode(encode(lattice))
    assert again.text(again.best_path()) == lattice.text(lattice.best_path())
    rounded = {words_of(again, arcs): total for arcs, total in all_paths(again)}
    paths = all_paths(lattice)
    assert len(rounded) == len(paths)
    best = lattice.best_path()
    for arcs, total in paths:
        off = abs(rounded[words_of(lattice, arcs)] - total)
        assert off <= (0.5 + (list(arcs) != best) * (len(arcs) + 1)) / 64 + 1e-6


@given(lattices(deterministic=st.booleans()))
def test_what_was_read_is_written_as_the_same_bytes(lattice: Lattice) -> None:
    data = encode(lattice)
    assert encode(decode(data)) == data


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=9, unique=True))
def test_words_of_any_letters_come_back(words: list[str]) -> None:
    place = np.arange(len(words))
    final = np.zeros((len(words) + 1, 3))
    final[:-1, 0] = -np.inf
    scores = np.zeros((len(words), 3))
    assert decode(encode(Lattice(tuple(words), place, place + 1, place, place, place, scores, final))).words == tuple(
        words
    )


@given(st.lists(st.integers(0, 2**39)), st.lists(st.integers(-(2**38), 2**38)))
def test_columns_of_numbers_come_back(numbers: list[int], others: list[int]) -> None:
    writer = BitWriter()
    writer.column(np.array(numbers, np.int64))
    writer.column(zigzag(np.array(others, np.int64)))
    reader = BitReader(writer.getvalue())
    assert reader.column(len(numbers)).tolist() == numbers
    assert unzigzag(reader.column(len(others))).tolist() == others
    reader.end()


def command() -> Lattice:
    words = ("turn", "on", "the", "kitchen", "lights", "please")
    place = np.arange(6)
    final = np.zeros((7, 3))
    final[:-1, 0] = -np.inf
    scores = np.zeros((6, 3))
    scores[:, 0] = (-0.31, -1.2, -0.02, -2.7, -0.4, -0.09)
    return Lattice(words, place, place + 1, place, 0.4 * place + 0.12, 0.4 * place + 0.48, scores, final, 12.34)


def test_six_words_take_less_than_sixty_bytes() -> None:
    assert len(encode(command())) < 60


def beginning(arcs: int, nodes: int) -> bytes:
    """The first bytes of a lattice of so many arcs and nodes."""
    bits = BitWriter()
    bits.bits(0, 5)
    bits.number(arcs, 3)
    bits.number(nodes, 3)
    return b"NL\x01" + bits.getvalue()


def test_only_whole_files_are_read() -> None:
    data = encode(command())
    for size in range(len(data)):
        with pytest.raises(LatticeError, match="binary lattice"):
            decode(data[:size])
    with pytest.raises(LatticeError, match="binary lattice"):
        decode(data + b"x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}", "expected b'NL'"),
        (b"NL\x02\x00", "version"),
        (b"NL", "version"),
        (b"NL\x01", "cut off"),
        (b"NL\x01" + bytes(9), "cut off"),
        (beginning(arcs=10**9, nodes=2), "1000000000 arcs; the limit is 20000"),
        (beginning(arcs=3, nodes=5), "5 nodes with 3 arcs"),
        (beginning(arcs=0, nodes=0), "0 nodes"),
        (beginning(arcs=1, nodes=2), "cut off"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, message: str) -> None:
    with pytest.raises(LatticeError, match=message):
        decode(data)


def test_limits_are_kept() -> None:
    data = encode(command())
    for limits in (Limits(max_arcs=5), Limits(max_nodes=6), Limits(max_bytes=30), Limits(max_word_characters=1)):
        with pytest.raises(LatticeError, match="limit"):
            decode(data, limits)


def test_scores_and_times_too_large_are_refused() -> None:
    one = np.zeros(1, int)
    final = np.array([[-np.inf, 0, 0], [0, 0, 0]])
    for start, score in ((0.0, -1e9), (1e9, -1.0)):
        scores = np.array([[score, 0, 0]])
        with pytest.raises(LatticeError, match="beyond"):
            encode(Lattice(("a",), one, one + 1, one, one + start, one + start, scores, final))
