"""Understanding of lattices is what brute force over all paths says."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from home_requests import home_examples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from nearword.lattice import Lattice
from nearword.lattice.prune import ROUNDING, prune, subset
from nearword.lattice.understanding import NOTHING_LISTED, ExactWeights, WordClasses
from nearword.lattice.understanding.graph import graph_of_lattice, graph_of_words, share_within
from nearword.lattice.understanding.intent_features import intent_features
from nearword.lattice.understanding.windows import best_path, count_windows, marginals, windows_of, within_limits
from nearword.lattice.understanding.words import PLAIN, attributes, distinct, hash_of, hashes_of
from nearword.lattice.viterbi import losses

sys.path.insert(0, str(Path(__file__).parent.parent / "lattice"))

from lattices import all_paths, random_lattice

MANY = 10_000
SEEDS = st.integers(0, 10**6)


def confused(*choices: dict[str, float]) -> Lattice:
    """A lattice of words one after the other, each with what it may have been and how that scores."""
    words = tuple(dict.fromkeys(word for choice in choices for word in choice))
    arcs = [(at, words.index(word), score) for at, choice in enumerate(choices) for word, score in choice.items()]
    source, word, score = (np.array(column) for column in zip(*arcs, strict=True))
    scores = np.zeros((len(arcs), 3), np.float32)
    scores[:, 0] = score
    final = np.zeros((len(choices) + 1, 3), np.float32)
    final[:-1, 0] = -np.inf
    return Lattice(words, source, source + 1, word, 0.3 * source, 0.3 * source + 0.3, scores, final, 2.0)


@given(st.lists(st.integers(0, 6), max_size=40))
def test_keys_that_come_again_are_looked_up_once(keys):
    found, place = distinct(np.array(keys, np.uint64))
    wanted, wanted_place = np.unique(np.array(keys, np.uint64), return_inverse=True)
    assert np.array_equal(found, wanted)
    assert np.array_equal(place, wanted_place)


@given(st.lists(st.text(max_size=9), max_size=9))
def test_texts_are_hashed_together_as_they_are_alone(texts):
    assert hashes_of(texts).tolist() == [hash_of(text) for text in texts]


@settings(max_examples=40, suppress_health_check=[HealthCheck.filter_too_much])  # words that come twice are many
@given(SEEDS)
def test_features_count_as_often_as_they_are_to_be_expected(seed):
    lattice = random_lattice(seed, nodes=5, vocabulary=9)
    # each word a class of its own: what two words share would come twice on a path
    hashes = attributes(lattice.words)[:, PLAIN]
    numbers = np.arange(len(hashes) + 1)
    classes = WordClasses(ExactWeights.gather(hashes, 0 * numbers[1:], numbers[1:], 1), numbers)
    graph = graph_of_lattice(lattice, classes, 1.0)
    paths = all_paths(lattice)
    totals = np.array([total for _, total in paths])
    shares = np.exp(totals - totals.max())
    expected: dict[int, float] = {}
    for (arcs, _), share in zip(paths, shares / shares.sum(), strict=True):
        words = [lattice.words[lattice.word[arc]] for arc in arcs]
        assume(len(set(words)) == len(words))  # what comes twice on a path counts once there, twice in the sum
        keys, _counts = intent_features(graph_of_words(words, classes), NOTHING_LISTED)
        for key in keys.tolist():
            expected[key] = expected.get(key, 0.0) + share
    keys, counts = intent_features(graph, NOTHING_LISTED)
    found = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    for key, count in expected.items():
        # an utterance without words has a pair of its ends in text alone
        assert found.get(key, 0.0) == pytest.approx(min(count, 1.0), abs=1e-6) or not all(arcs for arcs, _ in paths)


@settings(max_examples=60)
@given(SEEDS)
def test_viterbi_finds_the_best_path_and_labels_of_all(seed):
    lattice = random_lattice(seed, nodes=5, vocabulary=4)
    graph = graph_of_lattice(lattice, None, 1.0)
    windows = windows_of(graph, MANY)
    chance = np.random.default_rng(seed)
    labels = 3
    emissions = chance.normal(size=(len(windows.arc), labels)) + windows.score[:, None]
    transitions = chance.normal(size=(labels, labels))
    follows: dict[int, list[int]] = {}
    for before, after in zip(windows.before.tolist(), windows.after.tolist(), strict=True):
        follows.setdefault(before, []).append(after)

    def ways(window: int):
        if windows.last[window]:
            yield [window]
        for after in follows.get(window, ()):
            for rest in ways(after):
                yield [window, *rest]

    all_ways = [way for first in range(windows.steps[1]) for way in ways(first)]
    said = sorted(tuple(windows.arc[way].tolist()) for way in all_ways)
    assert said == sorted(arcs for arcs, _ in all_paths(lattice) if arcs)
    best = -np.inf
    for way in all_ways:
        for chosen in itertools.product(range(labels), repeat=len(way)):
            score = emissions[way, chosen].sum() + sum(transitions[pair] for pair in itertools.pairwise(chosen))
            best = max(best, score)
    at, chosen = best_path(windows, emissions, transitions)
    score = emissions[at, chosen].sum() + sum(transitions[pair] for pair in itertools.pairwise(chosen.tolist()))
    assert score == pytest.approx(best)
    assert at.tolist() in all_ways


@given(SEEDS, st.integers(1, 60), st.integers(1, 200))
def test_a_lattice_is_pruned_to_so_many_windows(seed, most_arcs, most_windows):
    lattice = random_lattice(seed, nodes=6, vocabulary=4)
    arcs, ends = within_limits(lattice, most_arcs, most_windows)
    small = subset(lattice, arcs, ends)
    windows = windows_of(graph_of_lattice(lattice, None, 1.0, (arcs, ends)), MANY)
    [counted] = count_windows(lattice.source, lattice.target, arcs[None], ends[None] & (lattice.final_totals > -np.inf))
    assert len(windows.arc) == counted
    assert small.text(small.best_path()) == lattice.text(lattice.best_path())
    within = small.num_arcs <= most_arcs and counted <= most_windows
    assert within or small.num_arcs == len(lattice.best_path())
    # no wider beam would have kept to both
    beams = sorted({*losses(lattice).arcs.tolist(), *losses(lattice).ends[losses(lattice).ends < np.inf].tolist()})
    for beam in beams if within else []:
        wider = prune(lattice, beam)
        many = (
            wider.num_arcs > most_arcs or len(windows_of(graph_of_lattice(wider, None, 1.0), MANY).arc) > most_windows
        )
        assert many or wider.num_arcs <= small.num_arcs


@given(SEEDS, st.floats(0, 5))
def test_part_of_a_lattice_has_the_graph_of_the_lattice_of_that_part(seed, beam):
    lattice = random_lattice(seed, nodes=6, vocabulary=5)
    lost = losses(lattice)
    arcs, ends = lost.arcs <= beam + ROUNDING, lost.ends <= beam + ROUNDING
    part, alone = graph_of_lattice(lattice, None, 0.7, (arcs, ends)), graph_of_lattice(prune(lattice, beam), None, 0.7)
    assert part.words == alone.words
    for name in ("attributes", "source", "target", "word", "posterior", "totals", "final_totals"):
        assert np.array_equal(getattr(part, name), getattr(alone, name))
    assert np.array_equal(part.heard.start, alone.heard.start)
    assert np.array_equal(part.heard.end, alone.heard.end)


@given(SEEDS)
def test_it_is_known_how_probable_certain_words_alone_are(seed):
    lattice = random_lattice(seed, nodes=5, vocabulary=4)
    words = lattice.words[::2]
    paths = all_paths(lattice)
    totals = np.exp(np.array([total for _, total in paths]) - max(total for _, total in paths))
    inside = [all(lattice.words[lattice.word[arc]] in words for arc in arcs) for arcs, _ in paths]
    share = share_within(graph_of_lattice(lattice, None, 1.0), {word.lower() for word in words})
    assert share == pytest.approx(totals[inside].sum() / totals.sum(), abs=1e-6)


@given(st.integers(1, 4), SEEDS)
def test_marginals_are_those_of_all_labellings(count, seed):
    chance = np.random.default_rng(seed)
    emissions, transitions = chance.normal(size=(count, 3)), chance.normal(size=(3, 3))
    sums = np.zeros((count, 3))
    for chosen in itertools.product(range(3), repeat=count):
        score = emissions[np.arange(count), chosen].sum() + sum(
            transitions[pair] for pair in itertools.pairwise(chosen)
        )
        sums[np.arange(count), chosen] += np.exp(score)
    assert marginals(emissions, transitions) == pytest.approx(sums / sums.sum(1, keepdims=True))


def test_a_lattice_of_one_path_is_understood_as_its_text_is(home):
    for example in home_examples()[::23]:
        tokens, _ = example.labelled()
        lattice = confused(*({token.text: -1.0} for token in tokens))
        by_text = home.understand_words([token.text for token in tokens])
        by_lattice = home.understand_lattice(lattice)
        assert by_lattice.intent == by_text.intent
        assert by_lattice.text == by_text.text
        assert [(slot.name, slot.text) for slot in by_lattice.slots] == [
            (slot.name, slot.text) for slot in by_text.slots
        ]


def test_a_path_that_makes_sense_beats_the_one_that_sounds_best(home):
    lattice = confused(
        {"turn": -0.1}, {"on": -0.1}, {"the": -0.1}, {"chicken": -0.5, "kitchen": -1.2}, {"like": -0.4, "light": -0.9}
    )
    found = home.understand_lattice(lattice)
    assert found.text == "turn on the kitchen light"
    assert (found.intent, found.slots[0].text) == ("light_on", "kitchen")


def test_slots_have_the_times_and_the_confidence_of_their_words(home):
    sure = home.understand_lattice(confused({"call": -1}, {"anna": -0.1})).slots[0]
    unsure = home.understand_lattice(confused({"call": -1}, {"anna": -0.7, "hannah": -0.8})).slots[0]
    assert (sure.text, sure.start_time, sure.end_time) == ("anna", 2.3, 2.6)
    assert unsure.confidence < sure.confidence


def test_a_basic_intent_may_be_spread_over_paths(home):
    found = home.understand_lattice(confused({"yes": -0.9, "yeah": -1.0, "jess": -1.2}))
    assert (found.intent, found.source) == ("yes", "basic")


def test_a_large_lattice_is_pruned_and_understood(home):
    choices = [{f"{word}{number}": -float(number) for number in range(8)} for word in "abcdefghijklmnop"]
    found = home.understand_lattice(confused(*choices))
    assert len(found.text.split()) == len(choices)


def test_silence_asks_for_nothing(home):
    empty = Lattice((), *(np.zeros(0) for _ in range(5)), np.zeros((0, 3)), np.zeros((1, 3)))
    assert not home.understand_lattice(empty).accepted


def test_what_was_hardly_heard_is_less_sure_and_still_accepted(home):
    words = ["turn", "on", "the", "kitchen", "light"]
    clear = home.understand_lattice(confused(*({word: -0.1} for word in words)))
    choices = [{word: -0.1} for word in words[:3]] + [{"kitchen": -0.5, "kitten": -0.6}, {"light": -0.4, "night": -0.5}]
    unclear = home.understand_lattice(confused(*choices))
    assert (unclear.intent, unclear.text) == (clear.intent, clear.text)
    assert clear.accepted
    assert unclear.accepted
    assert unclear.confidence < clear.confidence - 0.1
