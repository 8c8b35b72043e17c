"""Labelled texts are read in all their forms, and what is wrong with them is told with its place."""

import json
from dataclasses import replace

import pytest
from nearword.lattice.understanding import UnderstandingError
from nearword.lattice.understanding.training import (
    Example,
    Span,
    disagreements,
    learn_classes,
    read_examples,
    write_examples,
)
from nearword.lattice.understanding.training.templates import expand_document


def test_json_lines_come_back(tmp_path):
    examples = [Example("wake me at six", "alarm", (Span("time", 11, 14),)), Example("hello", "greet")]
    write_examples(examples, tmp_path / "a.jsonl")
    read = read_examples([tmp_path / "a.jsonl"])
    assert [replace(one, where="") for one in read] == examples


def test_words_get_labels_whatever_stands_between_them():
    tokens, labels = Example("Play 'Hey, Jude' - now", "play", (Span("song", 5, 16),)).labelled()
    assert [token.text for token in tokens] == ["play", "hey", "jude", "now"]
    assert labels == ["O", "B-song", "I-song", "O"]


def test_slots_side_by_side_stay_apart():
    _, labels = Example("from paris berlin", "go", (Span("city", 5, 10), Span("city", 11, 17))).labelled()
    assert labels == ["O", "B-city", "B-city"]


def test_files_of_the_snips_benchmark_are_read(tmp_path):
    parts = [{"text": "play "}, {"text": "jazz", "entity": "genre"}, {"text": " now"}]
    (tmp_path / "a.json").write_text(json.dumps({"Play": [{"data": parts}]}))
    newer = {"intents": {"Play": {"utterances": [{"data": [parts[0], {**parts[1], "slot_name": "style"}]}]}}}
    (tmp_path / "b.json").write_text(json.dumps(newer))
    one, other = read_examples([tmp_path / "a.json", tmp_path / "b.json"])
    assert (one.text, one.intent, one.slots) == ("play jazz now", "Play", (Span("genre", 5, 9),))
    assert (other.text, other.slots) == ("play jazz", (Span("style", 5, 9),))


def test_templates_say_all_they_can(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "language: en\n"
        "intents:\n  On:\n    data:\n      - sentences: ['<turn> on [the] {name:thing}']\n"
        "lists:\n  name: {values: [lamp, {in: big fan, out: fan}]}\n"
        "expansion_rules: {turn: (turn|switch)}\n"
    )
    read = read_examples([tmp_path / "a.yaml"])
    assert {one.text for one in read} == {
        f"{verb} on {the}{name}" for verb in ("turn", "switch") for the in ("", "the ") for name in ("lamp", "big fan")
    }
    assert all(one.text[span.start : span.end] in {"lamp", "big fan"} for one in read for span in one.slots)
    assert {span.slot for one in read for span in one.slots} == {"thing"}


def test_a_range_is_a_list_of_numbers():
    document = {"intents": {"Dim": {"data": [{"sentences": ["dim to {level}"]}]}},
                "lists": {"level": {"range": {"from": 10, "to": 30, "step": 10}}}}  # fmt: skip
    assert {one.text for one in expand_document(document, "x")} == {"dim to 10", "dim to 20", "dim to 30"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nothing", "a.jsonl:2: is no JSON"),
        ("[1]", "a.jsonl:2: has no 'text'"),
        ('{"text": "a", "intent": ""}', "a.jsonl:2: has an empty text or intent"),
        ('{"text": "ab", "intent": "b", "slots": [{"slot": "x", "start": 1, "end": 9}]}', "from 1 to 9 is beyond"),
        ('{"text": "ab", "intent": "b", "slots": [{"slot": "x", "start": "1", "end": 2}]}', "without name, start"),
        ("[" * 5000, "a.jsonl:2: is no JSON"),
    ],
)
def test_a_wrong_line_is_told_with_its_place(tmp_path, line, told):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "intent": "b"}}\n{line}\n')
    with pytest.raises(UnderstandingError) as raised:
        read_examples([tmp_path / "a.jsonl"])
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("turn (on|off", "no partner"),
        ("a ] b", "no partner"),
        ("a {b", "no partner"),
        ("{nobody}", "no sentence can be said"),
        ("<no>", "no rule"),
        ("[" * 50 + "]" * 50, "deep"),
    ],
)
def test_a_wrong_template_is_told(template, told):
    with pytest.raises(UnderstandingError, match=told):
        expand_document({"intents": {"A": {"data": [{"sentences": [template]}]}}}, "x")


def test_rules_that_name_each_other_end_in_an_error():
    document = {"intents": {"A": {"data": [{"sentences": ["<a>"]}]}}, "expansion_rules": {"a": "<b>", "b": "<a>"}}
    with pytest.raises(UnderstandingError, match="without end"):
        expand_document(document, "x")


def test_data_that_disagree_are_told():
    found = disagreements([
        Example("Play jazz!", "play", (Span("genre", 5, 9),), "a:1"),
        Example("play jazz", "search", (), "a:2"),
        Example("play jazz", "play", (Span("artist", 5, 9),), "a:3"),
        Example("stop", "stop"),
    ])  # fmt: skip
    assert [one.what for one in found] == ["intent", "slots"]
    assert "play (a:1); search (a:2)" in str(found[0])
    assert "jazz/B-genre (a:1)" in str(found[1])


def test_too_little_text_for_classes_is_told():
    with pytest.raises(UnderstandingError, match="twice as many"):
        learn_classes(["a few words"] * 10)


def test_words_that_are_used_alike_get_one_class():
    import random

    chance = random.Random(1)
    names, fruits, verbs = ([f"{kind}{letter}" for letter in "abcdefghij"] for kind in ("nam", "fru", "ver"))
    sentences = [f"{chance.choice(names)} {chance.choice(verbs)} the {chance.choice(fruits)}" for _ in range(3000)]
    learnt = learn_classes(sentences, fine=4, coarse=3)
    of = dict(zip(learnt.words, learnt.fine.tolist(), strict=True))
    assert len({of[name] for name in names}) == 1
    assert of[names[0]] != of[fruits[0]]
