import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.biasing import Biasing, BiasingError, BiasSource, BiasVocabulary, ClassSettings, Phrase, read_lines
from nearword.biasing.vocabulary import USUAL_SURPRISE
from nearword.biasing.weights import price

VOCABULARY = BiasVocabulary(["<blk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz'", "\u2581a", "\u2581b", "\u2581c", "ab"])


def tokens(text):
    return [token for word in text.split() for token in VOCABULARY.ranked(word, 1)[0][1]]


def score(biasing, text):
    return biasing.snapshot().score(tokens(text))


def test_what_is_on_a_list_earns_what_is_not_does_not():
    biasing = Biasing(VOCABULARY)
    assert score(biasing, "meg bauer") == 0
    assert biasing.replace("contact", [Phrase("Meg Bauer"), Phrase("Влад")])[0].text == "Влад"
    assert score(biasing, "meg bauer") > 0
    assert score(biasing, "meg bauer's") > 0
    assert score(biasing, "meg bauers") == score(biasing, "meg") == 0


words = st.text("abc", min_size=1, max_size=3)
texts = st.lists(words, min_size=1, max_size=3).map(" ".join)
edits = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove", "replace"]), texts, st.sampled_from([1.0, 2.0, 0.5])),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(edits, st.lists(texts, min_size=1, max_size=5))
def test_edits_give_what_a_new_list_gives(edits, said):
    edited = Biasing(VOCABULARY)
    expected = {}
    for kind, text, boost in edits:
        if kind == "add":
            assert edited.add(Phrase(text, boost=boost)) is None
            expected[text] = boost
        elif kind == "remove":
            assert edited.remove(text) == (expected.pop(text, None) is not None)
        else:
            edited.replace("phrase", [Phrase(text, boost=boost), Phrase("a b"), Phrase("c")])
            expected = {text: boost} | {other: 1.0 for other in ("a b", "c") if other != text}
        edited.snapshot()
    fresh = Biasing(VOCABULARY)
    fresh.add_all(Phrase(text, boost=boost) for text, boost in expected.items())
    assert len(edited) == len(fresh) == len(expected)
    assert {(phrase.text, phrase.boost) for phrase in edited.phrases} == set(expected.items())
    for text in said:
        assert score(edited, text) == score(fresh, text)


def test_a_snapshot_never_changes_and_is_the_same_until_something_does():
    biasing = Biasing(VOCABULARY)
    biasing.add(Phrase("meg"))
    before = biasing.snapshot()
    assert biasing.snapshot() is before
    biasing.remove("meg")
    biasing.add(Phrase("tom"))
    assert before.score(tokens("meg")) > 0
    assert before.score(tokens("tom")) == 0
    assert score(biasing, "tom") > 0
    assert score(biasing, "meg") == 0


def test_a_search_moves_to_an_edited_list_in_the_middle_of_an_utterance():
    biasing = Biasing(VOCABULARY)
    biasing.add_all([Phrase("call meg"), Phrase("tom")])
    old = biasing.snapshot()
    begun, rest = tokens("tom call"), tokens("meg")
    state, total = old.start, 0.0
    for token in begun:
        total += float(old.scores(state)[token])
        state = old.advance(state, token)
    biasing.remove("tom")
    biasing.add(Phrase("call meg", boost=2.0))
    new = biasing.snapshot()
    moved = new.replay(begun)
    total += new.pending(moved) - old.pending(state)
    for token in rest:
        total += float(new.scores(moved)[token])
        moved = new.advance(moved, token)
    total += new.final(moved)
    # what was earned before stays earned; the rest is the new list's
    assert total == old.score(tokens("tom")) + new.score(tokens("call meg"))


def test_classes_count_as_they_are_set():
    biasing = Biasing(VOCABULARY, settings=ClassSettings(0.5, 0.0))
    biasing.add_all([Phrase("meg", "contact"), Phrase("lamp", "device")])
    biasing.set_templates(["call $CONTACT"])
    assert score(biasing, "meg") == 0
    assert score(biasing, "call meg") > 0
    assert score(biasing, "lamp") > 0
    plain = score(biasing, "lamp")
    biasing.set_class("Device", ClassSettings(1.0))
    assert score(biasing, "lamp") == pytest.approx(2 * plain, abs=0.01)
    biasing.set_class("contact", ClassSettings(0.5, 0.5))
    assert score(biasing, "meg") == pytest.approx(score(biasing, "call meg") / 2, abs=0.01)
    assert biasing.templated == {"contact"}
    with pytest.raises(BiasingError, match="template"):
        biasing.set_templates(["call ("])
    assert biasing.templated == {"contact"}


def test_a_phrase_is_worth_what_the_model_has_against_it_less_what_the_list_has():
    alone, among = Biasing(VOCABULARY), Biasing(VOCABULARY)
    alone.add(Phrase("xylophone"))
    among.add_all([Phrase("xylophone"), *(Phrase(f"a{first}{second}") for first in "bcdefg" for second in "hijklm")])
    settings = ClassSettings()
    of_tokens = USUAL_SURPRISE * len(tokens("xylophone"))
    assert score(alone, "xylophone") == pytest.approx(settings.inside_score * (of_tokens - price(1)), abs=0.01)
    assert score(among, "xylophone") == pytest.approx(settings.inside_score * (of_tokens - price(37)), abs=0.01)


def test_all_on_a_list_earn_something_however_long_it_is():
    biasing = Biasing(VOCABULARY)
    biasing.add_all([Phrase("a"), *(Phrase(f"x{number} zed") for number in range(3000))])
    assert score(biasing, "a") > 0


def test_what_a_model_expects_anyway_is_worth_less():
    surprise = np.full(len(VOCABULARY.tokens), 9.0, np.float32)
    surprise[tokens("b")] = 2.0
    seen = []

    def told(contexts, tokens):
        seen.extend(map(tuple, contexts.tolist()))
        return surprise[tokens]

    biasing = Biasing(BiasVocabulary(VOCABULARY.tokens, surprise=told, context_size=3), ways=1)
    biasing.add_all([Phrase("b"), Phrase("c"), Phrase("cab xyz")])
    assert 0 < score(biasing, "b") < score(biasing, "c")
    begun = tokens("cab")
    assert {(-1, -1, 0), (-1, 0, begun[0]), (0, *begun)} <= set(seen)


def test_strength_zero_is_no_list():
    biasing = Biasing(VOCABULARY, settings=ClassSettings(0.0))
    biasing.add(Phrase("meg"))
    graph = biasing.snapshot()
    assert not graph.scores(graph.start).any()
    with pytest.raises(BiasingError, match="strength is 2"):
        ClassSettings(2)


def test_a_layer_has_what_is_beneath_and_what_is_its_own():
    shared = Biasing(VOCABULARY)
    shared.add(Phrase("meg"))
    one, other = shared.layer(), shared.layer()
    assert one.snapshot() is other.snapshot() is shared.snapshot(), "nothing is built twice for streams without edits"
    one.replace("screen", [Phrase("play")])
    assert (score(one, "play") > 0, score(one, "meg") > 0, len(one)) == (True, True, 2)
    assert (score(other, "play"), score(shared, "play"), len(other), len(shared)) == (0, 0, 1, 1)
    shared.add(Phrase("stop"))
    assert score(one, "stop") > 0
    assert score(other, "stop") > 0
    one.set_class("phrase", ClassSettings(0.0))
    assert (score(one, "meg"), score(other, "meg") > 0) == (0, True)
    one.replace("screen", [])
    assert len(one) == 2


def test_templates_of_a_layer_join_those_beneath():
    shared = Biasing(VOCABULARY)
    shared.set_templates(["call $CONTACT"])
    layer = shared.layer()
    assert layer.templated == {"contact"}
    layer.set_templates(["play $MEDIA", "call $CONTACT"])
    assert layer.templated == {"contact", "media"}
    assert shared.templated == {"contact"}


def test_each_share_of_the_strength_keeps_its_graph():
    biasing = Biasing(VOCABULARY)
    biasing.add(Phrase("meg"))
    whole, part = biasing.snapshot(), biasing.snapshot(0.4)
    assert whole is not part
    assert biasing.snapshot() is whole
    assert biasing.snapshot(0.4) is part
    biasing.add(Phrase("stop"))
    assert biasing.snapshot(0.4) is not part


def test_a_file_adds_phrases_templates_and_settings():
    biasing = Biasing(VOCABULARY)
    refused = biasing.load(
        BiasSource(
            read_lines("meg\n\u0416\nmeg", "l.txt", "contact"), ("call $CONTACT",), {"contact": ClassSettings(1, 0)}
        )
    )
    assert [(one.line, one.source) for one in refused] == [(3, "l.txt"), (2, "l.txt")]
    assert score(biasing, "call meg") > 0 == score(biasing, "meg")
    biasing.load(BiasSource(read_lines("tom", "", "contact"), ("ring $CONTACT",)))
    assert score(biasing, "call tom") == score(biasing, "ring tom") > 0


def test_lists_may_be_edited_by_one_thread_while_others_search():
    biasing = Biasing(VOCABULARY)
    biasing.replace("contact", [Phrase(f"{a}{b}") for a in "abcdefgh" for b in "klmnopqr"])
    said = [tokens(f"{a}{b} call") for a in "abcdefgh" for b in "klmn"]
    failed = []
    stop = threading.Event()

    def search():
        try:
            while not stop.is_set():
                graph = biasing.snapshot()
                assert [graph.score(each) for each in said] == [graph.score(each) for each in said]
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        biasing.add(Phrase("zoe", "contact"))
        biasing.remove("zoe", "contact")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed


def test_ten_thousand_phrases_and_edits_of_them():
    rng = np.random.default_rng(1)
    letters = np.asarray(list("abcdefghijklmnopqrstuvwxyz"))
    names = sorted({" ".join("".join(rng.choice(letters, 6)) for _ in range(2)) for _ in range(10_000)})
    biasing = Biasing(VOCABULARY)
    assert not biasing.replace("contact", map(Phrase, names))
    assert len(biasing) == len(names)
    shards = [id(part.trie) for part in biasing._lists["contact"].parts]
    for k in range(700):
        biasing.add(Phrase(f"new {names[k]}", "contact"))
    parts = biasing._lists["contact"].parts
    assert id(parts[0].trie) == shards[0]  # what did not change was not built again
    assert len(parts) < 12
    assert score(biasing, f"new {names[3]}") > score(biasing, names[3]) > 0
    assert biasing.remove(names[3], "contact")
    assert score(biasing, names[3]) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8), st.lists(st.integers(0, len(VOCABULARY.tokens) - 1), max_size=12))
def test_no_list_does_harm(lines, said):
    biasing = Biasing(VOCABULARY)
    listed = read_lines("\n".join(lines))
    biasing.load(BiasSource(listed))
    graph = biasing.snapshot()
    state = graph.start
    for token in said:
        assert np.isfinite(graph.scores(state)).all()
        state = graph.advance(state, token)
    assert graph.score(said) >= 0
