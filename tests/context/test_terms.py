import pytest
from nearword.runtime.context import Act, act_of, find_terms
from nearword.runtime.context.compute import with_parts


def texts(*arguments, **named) -> list[str]:
    return [term.text for term in find_terms(*arguments, **named)]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Do you mean Meg Jones or Meg Bauer?", {"Meg Jones", "Meg Bauer"}),
        ("I found the Lord of the Rings.", {"Lord of the Rings"}),
        ("Calling Ann-Marie O'Neil now.", {"Ann-Marie O'Neil"}),
        ("Here is what I found.", set()),
        ("Tomorrow it will rain.", set()),
        ("Meg, or Ann?", {"Meg", "Ann"}),
        ("", set()),
        ("?!", set()),
    ],
)
def test_capital_letters_tell_names(reply: str, expected: set[str]) -> None:
    found = set(texts(reply))
    assert expected <= {text.removeprefix("Calling ") for text in found}
    assert expected or not found


def test_entries_of_lists_are_found_in_any_case_the_longest_first() -> None:
    lists = {"contact": ["Meg", "Meg Bauer"], "room": ["sun room"]}
    found = {term.text: term.cls for term in find_terms("shall i call meg bauer in the Sun Room", lists)}
    assert found == {"meg bauer": "contact", "Sun Room": "room"}


def test_what_is_rare_is_a_term_and_what_is_common_is_not() -> None:
    def rarity(word: str) -> float:
        return -20.0 if word == "ratatouille" else -2.0

    assert texts("how about ratatouille for tonight", rarity=rarity) == ["ratatouille"]


def test_a_text_without_small_letters_has_no_names_by_capitals() -> None:
    assert texts("DO YOU MEAN MEG") == []


def test_words_that_tell_terms_apart_are_worth_more_than_those_they_share() -> None:
    terms = with_parts(find_terms("Do you mean Meg Jones or Meg Bauer?"))
    values = {term.text: term.value for term in terms}
    assert values["Meg Bauer"] > values["Bauer"] > values["Meg"]
    assert values["Jones"] == values["Bauer"]


@pytest.mark.parametrize(
    ("reply", "act"),
    [
        ("Do you mean Meg Jones or Meg Bauer?", Act.clarify),
        ("How do you spell that?", Act.spell),
        ("When shall I remind you?", Act.when),
        ("For what time?", Act.when),
        ("Which room?", Act.room),
        ("Shall I send it?", Act.yes_no),
        ("Calling Meg. Is that right?", Act.confirm),
        ("How many eggs?", Act.number),
        ("Playing Take Five.", Act.open),
        ("It is raining.", Act.open),
    ],
)
def test_the_words_of_a_reply_tell_what_it_asks_for(reply: str, act: Act) -> None:
    assert act_of(reply) is act
