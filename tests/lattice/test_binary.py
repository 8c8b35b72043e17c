import numpy as np
import pytest
from hypothesis import given
from lattices import all_paths, lattices, words_of
from nearword.lattice import Lattice, LatticeError, Limits, decode, encode


@given(lattices())
def test_times_are_kept_to_10_ms_and_scores_to_a_64th(lattice: Lattice) -> None:
    again = decode(encode(lattice))
    assert again.words == lattice.words
    assert again.offset == lattice.offset
    for name in ("source", "target", "word"):
        assert np.array_equal(getattr(again, name), getattr(lattice, name))
    np.testing.assert_allclose(again.start, lattice.start, atol=0.00501)
    np.testing.assert_allclose(again.end, lattice.end, atol=0.00501)
    np.testing.assert_allclose(again.scores[:, 1:], lattice.scores[:, 1:], atol=0.5 / 64 + 1e-6)
    np.testing.assert_allclose(again.totals, lattice.totals, atol=2 / 64)
    assert np.array_equal(np.isfinite(again.final), np.isfinite(lattice.final))


@given(lattices())
def test_the_best_path_stays_and_no_total_drifts(lattice: Lattice) -> None:
    again = decode(encode(lattice))
    assert again.best_path() == lattice.best_path()
    before, after = all_paths(lattice), all_paths(again)
    assert [arcs for arcs, _ in before] == [arcs for arcs, _ in after]
    for (arcs, total), (_, rounded) in zip(before, after, strict=True):
        assert abs(total - rounded) <= (len(arcs) + 1.5) / 64
        assert words_of(lattice, arcs) == words_of(again, arcs)


@given(lattices())
def test_what_was_read_is_written_as_the_same_bytes(lattice: Lattice) -> None:
    data = encode(lattice)
    assert encode(decode(data)) == data


def command() -> Lattice:
    words = ("turn", "on", "the", "kitchen", "lights", "please")
    place = np.arange(6)
    final = np.zeros((7, 3))
    final[:-1, 0] = -np.inf
    scores = np.zeros((6, 3))
    scores[:, 0] = (-0.31, -1.2, -0.02, -2.7, -0.4, -0.09)
    return Lattice(words, place, place + 1, place, 0.4 * place + 0.12, 0.4 * place + 0.48, scores, final, 12.34)


def test_six_words_take_less_than_a_hundred_bytes() -> None:
    assert len(encode(command())) < 100


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
        (b"{}", "expected b'NWL'"),
        (b"NWL\x02\x00", "version 2"),
        (b"NWL\x01\xff", "unknown flags"),
        (b"NWL\x01\x01abc", "damaged"),
        (b"NWL\x01\x00\x01\x80\x00\x01", "shortest form"),
        (b"NWL\x01\x00\x00\xff\xff\xff\xff\x0f\x00", "nodes"),
        (b"NWL\x01\x00\x00\x00\x00", "no nodes"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, message: str) -> None:
    with pytest.raises(LatticeError, match=message):
        decode(data)


def test_limits_are_kept() -> None:
    data = encode(command())
    for limits in (Limits(max_arcs=5), Limits(max_nodes=6), Limits(max_bytes=40), Limits(max_word_characters=1)):
        with pytest.raises(LatticeError, match="limit"):
            decode(data, limits)


def test_scores_and_times_too_large_are_refused() -> None:
    one = np.zeros(1, int)
    final = np.array([[-np.inf, 0, 0], [0, 0, 0]])
    for start, score in ((0.0, -1e9), (1e9, -1.0)):
        scores = np.array([[score, 0, 0]])
        with pytest.raises(LatticeError, match="beyond"):
            encode(Lattice(("a",), one, one + 1, one, one + start, one + start, scores, final))
