"""The grammar of general English: every rule leads to words, and the same seed to the same sentences."""

import re
from itertools import islice

from nearword.models.training.phrases import label_text
from nearword.models.training.sentences import grammar, sentences


def test_every_rule_is_used_and_every_slot_is_a_rule() -> None:
    rules = grammar()
    used = {name for choices in rules.values() for choice in choices for name in re.findall(r"\{(\w+)\}", choice)}
    assert used <= set(rules)
    assert all(name == "sentence" or name.endswith(("_pp", "_ing")) for name in set(rules) - used)
    assert all(choice == " ".join(choice.split()) for choices in rules.values() for choice in choices)


def test_sentences_are_words_of_some_length_and_repeat_with_the_seed() -> None:
    first = list(islice(sentences(1), 2000))
    assert first == list(islice(sentences(1), 2000))
    assert first != list(islice(sentences(2), 2000))
    assert all(text == label_text(text) and 1 <= len(text.split()) <= 14 for text in first)
    assert len(set(first)) > 1500
    assert len({word for text in first for word in text.split()}) > 1000


def test_articles_fit_the_word_after_them() -> None:
    said = " ".join(islice(sentences(3), 3000))
    assert not re.search(r"\ba [aeio]|\ban [^aeio]", said)
