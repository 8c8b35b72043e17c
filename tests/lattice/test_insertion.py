"""Words put into a lattice by their sound: only where they were heard, and never over words that were heard as well."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.lattice import AlignedPath, Insertion, Lattice, align, insert, path_alone

WEIGHT = 0.2
SAID = {"call": (1, 2), "maria": (3, 4, 5), "now": (6, 7), "mario": (3, 4, 8), "anna": (9, 10, 9)}
CLASSES = 12


def heard(*words: str, clarity: float = 6.0) -> np.ndarray:
    """Natural log-probabilities [frames, classes]: each phone two frames long, a blank behind each."""
    labels = [label for word in words for phone in SAID[word] for label in (phone, phone, 0)]
    logits = np.zeros((len(labels), CLASSES), np.float32)
    logits[np.arange(len(labels)), labels] = clarity
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def line(*words: str) -> Lattice:
    known = tuple(dict.fromkeys(words))
    count = len(words)
    final = np.full((count + 1, 3), -np.inf, np.float32)
    final[:, 1:] = 0
    final[-1] = 0
    places = np.arange(count)
    return Lattice(
        known, places.astype(np.int32), (places + 1).astype(np.int32),
        np.asarray([known.index(word) for word in words], np.int32),
        places.astype(np.float32), (places + 1).astype(np.float32), np.full((count, 3), -1.0, np.float32), final,
    )  # fmt: skip


def with_phrase(
    best: tuple[str, ...], audio: np.ndarray, phrase: str, end: int, *, prior: float = 3.0, sure: float = 0.7
) -> str:
    lattice = line(*best)
    path = lattice.best_path()
    alignment = align(path_alone(lattice, path), [SAID[word] for word in lattice.words], audio)
    assert alignment is not None
    one = Insertion((phrase,), (SAID[phrase],), end, [[prior] * (len(best) + 1)])
    out = insert(lattice, [AlignedPath(tuple(path), best, alignment, (sure,) * len(best))], WEIGHT, [one])
    return out.text(out.best_path())


def test_what_was_heard_takes_the_place_of_what_was_not() -> None:
    assert with_phrase(("call", "anna", "now"), heard("call", "maria", "now"), "maria", 15) == "call maria now"


def test_what_the_best_path_left_out_comes_between_its_words() -> None:
    assert with_phrase(("call", "now"), heard("call", "maria", "now"), "maria", 15) == "call maria now"


@pytest.mark.parametrize("prior", [1.0, 5.0, 20.0])
def test_words_that_the_phones_agree_with_stay_whatever_speaks_for_others(prior: float) -> None:
    audio = heard("call", "maria", "now")
    assert with_phrase(("call", "maria", "now"), audio, "mario", 15, prior=prior) == "call maria now"
    assert with_phrase(("call", "maria", "now"), audio, "anna", 15, prior=prior) == "call maria now"


@pytest.mark.parametrize("end", range(8, 22))
@pytest.mark.parametrize("sure", [0.1, 0.9])
def test_what_is_there_is_not_put_in_again_over_its_neighbours(end: int, sure: float) -> None:
    audio = heard("call", "maria", "now")
    assert with_phrase(("call", "maria", "now"), audio, "maria", end, prior=20.0, sure=sure) == "call maria now"


def test_a_doubtful_word_yields_to_a_likely_one_that_sounds_nearly_so() -> None:
    audio = heard("call", "maria", "now", clarity=1.0)
    assert with_phrase(("call", "maria", "now"), audio, "mario", 15, prior=3.0, sure=0.3) == "call mario now"
    assert with_phrase(("call", "maria", "now"), audio, "mario", 15, prior=3.0, sure=0.9) == "call maria now"


@given(
    st.lists(st.sampled_from([*SAID]), min_size=1, max_size=5), st.sampled_from([*SAID]), st.integers(0, 40),
    st.floats(-5, 20), st.floats(0.5, 1.0),
)  # fmt: skip
def test_words_that_are_sure_and_sound_right_are_never_lost(
    words: list[str], phrase: str, end: int, prior: float, sure: float
) -> None:
    audio = heard(*words)
    assert with_phrase(tuple(words), audio, phrase, min(end, len(audio)), prior=prior, sure=sure) == " ".join(words)
