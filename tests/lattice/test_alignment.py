"""Lattices along phones: against every path and every segmentation, and words put in where they were heard."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import all_paths, end_of, lattices, words_of
from nearword.lattice import AlignedPath, Insertion, Lattice, align, insert, path_alone

CLASSES = 5
NONE = (-np.inf, 0, 0)


def best_segmentation(words, emissions) -> float:
    """Score of phones and blanks over all frames by the best of all segmentations, by definition."""
    labels = [(phone, place) for phones in words for place, phone in enumerate(phones or (0,))]
    sums = np.concatenate([np.zeros((1, emissions.shape[1])), np.cumsum(emissions, 0, dtype=np.float64)])
    frames = len(emissions)

    @cache
    def ended(count: int, frame: int) -> float:
        if count == 0:
            return 0.0 if frame == 0 else -np.inf
        label = labels[count - 1][0]
        return max((began(count, s) + sums[frame, label] - sums[s, label] for s in range(frame)), default=-np.inf)

    def began(count: int, frame: int) -> float:
        label, place = labels[count - 1]
        twice = place > 0 and labels[count - 2][0] == label
        until = frame if not twice else frame - 1
        return max((ended(count - 1, e) + sums[frame, 0] - sums[e, 0] for e in range(until + 1)), default=-np.inf)

    return max(ended(len(labels), e) + sums[frames, 0] - sums[e, 0] for e in range(frames + 1))


def heard(labels, classes: int = CLASSES, sure: float = 0.9) -> np.ndarray:
    """Log-probabilities of a phone model that hears one class per frame."""
    out = np.full((len(labels), classes), np.log((1 - sure) / (classes - 1)), np.float32)
    out[np.arange(len(labels)), labels] = np.log(sure)
    return out


@settings(max_examples=60)
@given(lattices(), st.integers(0, 10**6), st.integers(1, 14))
def test_arcs_score_what_the_best_alignment_through_them_does(lattice: Lattice, seed: int, frames: int) -> None:
    if not lattice.num_arcs:
        return
    rng = np.random.default_rng(seed)
    phones = [tuple(rng.integers(1, CLASSES, rng.integers(0, 4)).tolist()) for _ in lattice.words]
    log_probs = np.log(rng.dirichlet(np.full(CLASSES, 0.4), frames) + 1e-6).astype(np.float32)
    emissions = log_probs - log_probs.max(1, keepdims=True)
    scores = {
        path: best_segmentation([phones[lattice.word[arc]] for arc in path], emissions)
        for path, _ in all_paths(lattice)
    }
    best = max(scores, key=lambda path: scores[path])
    found = align(lattice, phones, log_probs)
    if found is None:
        assert scores[best] == -np.inf
        return
    assert found.arcs[list(best)].sum() + found.ends[end_of(lattice, best)] == pytest.approx(scores[best], abs=1e-3)
    for arc in range(lattice.num_arcs):
        through = max((score for path, score in scores.items() if arc in path), default=-np.inf)
        claimed = found.arcs[arc] + found.before[lattice.source[arc]] + found.after[lattice.target[arc]]
        assert claimed == pytest.approx(through, abs=1e-3) if through > -np.inf else claimed < -1e6


def chain(*words: str) -> Lattice:
    """One path; half a second per word."""
    count = len(words)
    times = 0.5 * np.arange(count)
    return Lattice(
        tuple(dict.fromkeys(words)), np.arange(count), np.arange(1, count + 1),
        [list(dict.fromkeys(words)).index(word) for word in words], times, times + 0.4,
        np.full((count, 3), (-2.0, 0.0, -1.0)), [*([NONE] * count), (0.0, 0.0, 0.0)],
    )  # fmt: skip


SAID = {"a": (1,), "b": (2, 3), "c": (4,)}


def along_best(lattice: Lattice, phones: dict[str, tuple[int, ...]], log_probs: np.ndarray) -> AlignedPath | None:
    """Return the best path, of whose words the search is not sure, laid along the phones."""
    path = lattice.best_path()
    if not path:
        return None
    alone = path_alone(lattice, path)
    alignment = align(alone, [phones[word] for word in alone.words], log_probs)
    words = tuple(lattice.words[lattice.word[arc]] for arc in path)
    return None if alignment is None else AlignedPath(tuple(path), words, alignment, (0.1,) * len(path))


def put_in(
    lattice: Lattice, log_probs: np.ndarray, words, phones, end: int, scores: list[float] | None = None
) -> Lattice:
    best = along_best(lattice, SAID, log_probs)
    assert best is not None
    scores = [0.0] * (len(best.words) + 1) if scores is None else scores
    return insert(lattice, [best], 0.0, [Insertion(words, phones, end, [scores])])


def best_text(lattice: Lattice) -> str:
    return lattice.text(lattice.best_path())


def test_a_word_takes_the_place_of_one_that_was_not_heard() -> None:
    log_probs = heard([1, 1, 0, 3, 3, 1, 1, 0, 4, 4])
    found = put_in(chain("a", "b", "c"), log_probs, ("new",), ((3, 1),), 7)
    assert best_text(found) == "a new c"
    assert best_text(put_in(chain("a", "b", "c"), log_probs, ("new",), ((3, 1),), 7, [-50.0] * 4)) == "a b c"
    assert best_text(put_in(chain("a", "b", "c"), log_probs, ("new",), ((2, 2),), 7)) == "a b c"


def test_a_word_begins_only_where_it_may() -> None:
    lattice, log_probs = chain("a", "b", "c"), heard([1, 1, 0, 3, 3, 1, 1, 0, 4, 4])
    assert put_in(lattice, log_probs, ("new",), ((3, 1),), 7, [-np.inf] * 4) == lattice
    only = [-np.inf, 0.0, -np.inf, -np.inf]
    assert best_text(put_in(lattice, log_probs, ("new",), ((3, 1),), 7, only)) == "a new c"


def test_words_come_in_order_and_within_the_place_they_take() -> None:
    log_probs = heard([1, 0, 3, 1, 3, 3, 2, 2, 0, 4])
    found = put_in(chain("a", "b", "c"), log_probs, ("one", "two"), ((3, 1), (3, 2)), 8)
    path = found.best_path()
    assert found.text(path) == "a one two c"
    assert [round(float(time), 3) for time in found.start[path]] == [0.0, 0.5, 0.7, 1.0]
    assert [round(float(time), 3) for time in found.end[path]] == [0.4, 0.7, 0.9, 1.4]


@pytest.mark.parametrize(("labels", "words", "expected"), [
    ([1, 0, 3, 1, 3, 0, 4], ("a", "c"), "a new c"),
    ([1, 0, 0, 3, 1, 3], ("a",), "a new"),
    ([3, 1, 3, 0, 1, 0], ("a",), "new a"),
])  # fmt: skip
def test_a_word_that_was_left_out_comes_in_between(labels, words, expected) -> None:
    end = len(labels) - labels[::-1].index(3)
    found = put_in(chain(*words), heard(labels), ("new",), ((3, 1, 3),), end)
    assert best_text(found) == expected
    assert found.start[found.best_path()].tolist() == sorted(found.start[found.best_path()].tolist())


@settings(max_examples=60)
@given(lattices(), st.integers(0, 10**6))
def test_what_was_there_stays(lattice: Lattice, seed: int) -> None:
    rng = np.random.default_rng(seed)
    phones = {word: tuple(rng.integers(1, CLASSES, rng.integers(1, 3)).tolist()) for word in lattice.words}
    log_probs = np.log(rng.dirichlet(np.full(CLASSES, 0.4), 25) + 1e-6).astype(np.float32)
    best = along_best(lattice, phones, log_probs) if lattice.num_arcs else None
    if best is None:
        return
    found = [
        Insertion(
            ("x", "y"), ((1, 2), (3,)), int(rng.integers(4, 26)), [rng.normal(0, 3, len(best.words) + 1).tolist()]
        )
        for _ in range(int(rng.integers(0, 3)))
    ]
    result = insert(lattice, [best], 0.2, found)

    def paths(of: Lattice) -> set[tuple[tuple[str, ...], float]]:
        return {(words_of(of, path), round(total, 2)) for path, total in all_paths(of)}

    assert paths(lattice) <= paths(result)
    added = {words for words, _ in paths(result)} - {words for words, _ in paths(lattice)}
    assert all("x" in words and words[words.index("x") + 1] == "y" for words in added)
    assert bool(added) <= bool(found)


def test_what_is_too_long_is_left_alone() -> None:
    lattice = chain(*"abc" * 100)
    phones = [SAID[word] for word in lattice.words]
    assert align(lattice, phones, heard([0] * 70_000)) is None
    assert align(lattice, phones, heard([1, 2, 3, 4] * 100)) is not None
