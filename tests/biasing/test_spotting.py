"""Phrases found by their sound: against every stretch of what was heard, and where templates have their class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import Biasing, BiasVocabulary, ClassSettings, Phrase
from nearword.biasing.spotting import (
    FEWEST_PHONES,
    MOST_ALIGNED,
    PER_PHONE,
    RIVALS,
    SHORT_BY,
    SLACK,
    PhonesTable,
    PhraseSounds,
)
from nearword.biasing.weights import price

CLASSES = 27


def pronounce(words):
    """Each letter is a phone; "q" is none."""
    return [tuple(ord(letter) - 96 for letter in word if letter.isalpha() and letter != "q") for word in words]


def heard(text: str, sure: float = 0.9) -> np.ndarray:
    """Log-probabilities of a model that hears a letter or a blank (".") in each frame."""
    labels = [0 if letter == "." else ord(letter) - 96 for letter in text]
    out = np.full((len(labels), CLASSES), np.log((1 - sure) / (CLASSES - 1)), np.float32)
    out[np.arange(len(labels)), labels] = np.log(sure)
    return out


def best_fit(phones, relative) -> float:
    """The best of all ways to lay phones along frames, blanks between them allowed, by definition."""
    best = np.full(len(relative) + 1, -np.inf)
    for place, phone in enumerate(phones):
        ended = np.full(len(relative) + 1, -np.inf)
        for frame in range(1, len(relative) + 1):
            for start in range(frame):
                before = [
                    best[gap] + relative[gap:start, 0].sum() for gap in range(start + 1)
                ] if place else [0.0]  # fmt: skip
                ended[frame] = max(ended[frame], max(before) + relative[start:frame, phone].sum())
        best = ended
    return float(best.max())


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_scores_are_those_of_the_best_fit_and_none_that_is_near_enough_is_ruled_out(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(list("abcd"), rng.integers(4, 7))) for _ in range(MOST_ALIGNED)]
    log_probs = np.log(rng.dirichlet(np.full(5, 0.3), 8) + 1e-5).astype(np.float32)
    sounds = PhraseSounds.of(dict.fromkeys(words, 1.0), pronounce, 5)
    table = PhonesTable(log_probs)
    expected = {
        word: best_fit(phones, table.relative) + PER_PHONE * len(phones)
        for word, phones in zip(words, pronounce(words), strict=True)
    }
    least = float(np.median(list(expected.values()))) + SHORT_BY + 0.01
    found = {spot.words[0]: spot.score for spot in sounds.find(table, "contact", least - 2.0, 2.0)}
    # a short phrase has to be clearer than its list alone would want
    rivals = {word: price(1) + RIVALS - (len(word) - FEWEST_PHONES) - SLACK + 2.0 for word in words}
    spare = {word: score - max(least, rivals[word]) for word, score in expected.items()}
    assert found == {word: pytest.approx(score, abs=1e-3) for word, score in spare.items() if score >= -SHORT_BY}


def listed(*phrases: str, templates=(), strength=0.5) -> Biasing:
    biasing = Biasing(BiasVocabulary(["<blk>", *"\u2581abcdefghijklmnopqrstuvwxyz"]), settings=ClassSettings(strength))
    biasing.replace("contact", [Phrase(text, "contact") for text in phrases])
    biasing.set_templates(templates)
    return biasing


def test_phrases_are_found_where_they_end() -> None:
    spotter = listed("meg bauer", "ann miller", "quq").spotter(pronounce, CLASSES)
    spot, *others = spotter.find(heard("...ca.ll..mm.eg.bbauu.er..pleassse"))
    assert (spot.words, spot.end) == (("meg", "bauer"), 24)
    assert spot.phones == tuple(pronounce(["meg", "bauer"]))
    assert all(other.words[0] == "meg" and other.score < spot.score for other in others)
    assert spotter.find(heard("..turn.on.the.lights..")) == []
    assert spotter.find(np.zeros((0, CLASSES), np.float32)) == []


def test_strength_says_how_near_a_phrase_must_come() -> None:
    near = heard("..call.meg.bouer..", sure=0.95)
    scores = [
        [spot.score for spot in listed("meg bauer", strength=strength).spotter(pronounce, CLASSES).find(near)]
        for strength in (0.0, 0.05, 0.5, 1.0)
    ]
    assert scores[0] == scores[1] == []
    assert 0 <= scores[2][0] < scores[3][0]


def test_what_falls_short_a_little_is_found_and_says_so() -> None:
    spotter = listed("meg bauer", "ann miller", strength=0.1).spotter(pronounce, CLASSES)
    [spot] = spotter.find(heard("..call.mog.bouer.."))
    assert spot.words == ("meg", "bauer")
    assert -SHORT_BY <= spot.score < 0
    assert spotter.worth(spot, ("call",)) == spot.score
    assert spotter.find(heard("..call.mog.biiir..")) == []


def test_a_boost_is_worth_what_strength_is() -> None:
    near = heard("..call.meg.bouer..", sure=0.95)
    biasing = listed("ann miller", strength=0.25)
    biasing.add(Phrase("meg bauer", "contact", boost=2.0))
    [spot] = biasing.spotter(pronounce, CLASSES).find(near)
    [same] = listed("meg bauer", "ann miller").spotter(pronounce, CLASSES).find(near)
    assert spot.score == pytest.approx(same.score)


def test_outside_of_its_templates_a_phrase_has_to_fit_better() -> None:
    spotter = listed("meg bauer", templates=["call $CONTACT"]).spotter(pronounce, CLASSES)
    spot = spotter.find(heard("..meg.bauer.."))[0]
    assert spotter.worth(spot, ("please", "call")) == spot.score
    assert spotter.worth(spot, ("call", "and")) < spot.score
    assert spotter.worth(spot, ()) < spot.score
    free = listed("meg bauer").spotter(pronounce, CLASSES)
    assert free.worth(spot, ("the",)) == spot.score


def test_what_is_not_looked_for_is_not_denied() -> None:
    spotter = listed("meg bauer", "bo", "ann miller").spotter(pronounce, CLASSES)
    found = spotter.find(heard("..call.meg.bauer.."))
    assert [spotter.confirms(word, found) for word in ("meg", "bauer's", "bo", "bo's", "ann", "call")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def test_edits_are_heard() -> None:
    biasing = listed("meg bauer")
    said = heard("..call.ann.miller..")
    unheard = biasing.nbytes
    assert biasing.spotter(pronounce, CLASSES).find(said) == []
    assert biasing.nbytes > unheard
    biasing.add(Phrase("ann miller", "contact"))
    assert biasing.spotter(pronounce, CLASSES).find(said)[0].words == ("ann", "miller")
    biasing.remove("ann miller", "contact")
    assert biasing.spotter(pronounce, CLASSES).find(said) == []
    assert biasing.spotter(pronounce, CLASSES).find(heard("..call.meg.bauer.."))[0].words == ("meg", "bauer")


def test_what_is_taken_out_of_a_list_leaves_the_others() -> None:
    names = ["meg bauer", "ann miller", "tom fielder"]
    biasing = listed(*names)
    assert len(biasing.spotter(pronounce, CLASSES).find(heard("..".join(names).replace(" ", ".")))) >= 3
    biasing.remove("ann miller", "contact")
    left = listed("meg bauer", "tom fielder").spotter(pronounce, CLASSES)
    for name in names:
        said = heard(f"..call.{name.replace(' ', '.')}..")
        assert biasing.spotter(pronounce, CLASSES).find(said) == left.find(said)
