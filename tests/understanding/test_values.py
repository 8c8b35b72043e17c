"""Words that are values come out as values."""

import datetime as dt
import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.lattice.understanding import basic_intent, find_values, resolve, value_of
from nearword.lattice.understanding.values import letters, numbers, times
from nearword.lattice.understanding.values.find import READERS, may_begin
from said import in_words

WORDS_OF_VALUES = sorted(
    {word for module in (letters, numbers, times) for word in re.findall(r"[a-z0-9'.-]+", inspect.getsource(module))}
)
"""All words that readers know, and some that they do not."""
NOW = dt.datetime(2026, 5, 6, 15, 30)  # noqa: DTZ001 (a wall clock; it is a Wednesday)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("twenty to nine", "time", "8:40"),
        ("half past seven", "time", "7:30"),
        ("a quarter past six in the morning", "time", "06:15"),
        ("ten minutes to six", "time", "5:50"),
        ("seven thirty p m", "time", "19:30"),
        ("eight in the evening", "time", "20:00"),
        ("five o'clock", "time", "5:00"),
        ("at seven", "time", "7:00"),
        ("ten at night", "time", "22:00"),
        ("twelve thirty a m", "time", "00:30"),
        ("7:30pm", "time", "19:30"),
        ("noon", "time", "12:00"),
        ("the third of may", "date", "--05-03"),
        ("may third", "date", "--05-03"),
        ("the twenty third of june twenty twenty six", "date", "2026-06-23"),
        ("monday", "date", "W-1"),
        ("next friday", "date", "W+1-5"),
        ("the day after tomorrow", "date", "P2D"),
        ("an hour and a half", "duration", "PT1H30M"),
        ("one and a half hours", "duration", "PT1H30M"),
        ("half an hour", "duration", "PT30M"),
        ("three quarters of an hour", "duration", "PT45M"),
        ("ninety seconds", "duration", "PT1M30S"),
        ("two hours and five minutes", "duration", "PT2H5M"),
        ("two weeks", "duration", "P2W"),
        ("third", "ordinal", 3),
        ("two hundred and fifth", "ordinal", 205),
        ("21st", "ordinal", 21),
        ("twenty one", "number", 21),
        ("two point five", "number", 2.5),
        ("minus three", "number", -3),
        ("three and a half", "number", 3.5),
        ("nineteen eighty four", "number", 1984),
        ("b as in bravo", "letters", "b"),
        ("j o n a s", "letters", "jonas"),
        ("a double n a", "letters", "anna"),
        ("november x-ray", "letters", "nx"),
        ("five double five oh one two", "digits", "555012"),
    ],
)
def test_what_is_said_has_a_value(text, kind, value):
    found = value_of(text.split())
    assert found is not None
    assert (found.kind.value, found.value) == (kind, value)


@pytest.mark.parametrize("text", ["the lamp", "i a", "go to the point", "quarter", "past", "", "second hand shop sign"])
def test_what_is_no_value_has_none(text):
    assert value_of(text.split()) is None


def test_values_are_found_where_they_stand():
    words = "wake me at twenty to nine tomorrow for ten minutes".split()
    found = [(one.kind.value, one.value, words[one.first : one.end]) for one in find_values(words)]
    assert found == [
        ("time", "8:40", ["twenty", "to", "nine"]),
        ("date", "P1D", ["tomorrow"]),
        ("duration", "PT10M", ["ten", "minutes"]),
    ]


@given(st.integers(0, 999_999_999))
def test_every_whole_number_is_read_as_it_is_said(number):
    found = value_of(in_words(number).split())
    # "nineteen hundred" and the like are said so too, but never by the rules above
    assert found is not None
    assert found.value == number


@given(st.lists(st.sampled_from(
    "a an half quarter to past at in the one two twenty five o'clock hundred thousand point minus and may third of "
    "monday next hours minutes b as for double oh 7 2026 7:30 99999999999999999999".split()), max_size=9))  # fmt: skip
def test_any_words_are_read_without_an_error_and_values_never_overlap(words):
    ends = [0]
    for one in find_values(words):
        assert ends[-1] <= one.first < one.end <= len(words)
        ends.append(one.end)
        resolve(one, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twenty to nine", dt.time(20, 40)),
        ("half past three", dt.time(3, 30)),
        ("quarter to four", dt.time(15, 45)),
        ("seven in the morning", dt.time(7)),
        ("tomorrow", dt.date(2026, 5, 7)),
        ("wednesday", dt.date(2026, 5, 6)),
        ("monday", dt.date(2026, 5, 11)),
        ("next monday", dt.date(2026, 5, 11)),
        ("the third of may", dt.date(2027, 5, 3)),
        ("may the twentieth", dt.date(2026, 5, 20)),
        ("next month", dt.date(2026, 6, 6)),
        ("an hour and a half", dt.timedelta(minutes=90)),
        ("two weeks", dt.timedelta(14)),
        ("twenty one", None),
    ],
)
def test_times_and_dates_are_resolved_from_now(text, expected):
    found = value_of(text.split())
    assert found is not None
    assert resolve(found, NOW) == expected


def test_a_date_that_is_not_there_is_none():
    found = value_of("the thirtieth of february".split())
    assert found is not None
    assert resolve(found, NOW) is None


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("yes please", "yes"), ("yeah", "yes"), ("no thanks", "no"), ("no no no", "no"), ("stop", "stop"),
        ("please stop", "stop"), ("never mind", "cancel"), ("cancel that please", "cancel"),
        ("can you say that again", "repeat"), ("yes that's right", "yes"), ("okay stop", "stop"),
        ("no forget it", "cancel"), ("yes no", ""), ("stop cancel", ""), ("no don't do that", "no"),
        ("sorry what did you say", "repeat"), ("yes the lamp", ""), ("turn on the lamp", ""),
        ("stop the music in the kitchen", ""), ("", ""),
    ],
)  # fmt: skip
def test_basic_intents_are_whole_utterances(text, intent):
    assert basic_intent(text.split()) == intent


@given(st.lists(st.sampled_from(WORDS_OF_VALUES), min_size=1, max_size=6))
def test_no_value_begins_with_a_word_that_is_said_to_begin_none(words):
    assert may_begin(words[0]) or not any(read(words, 0) for _, read in READERS)


@pytest.mark.parametrize("word", [word for word in WORDS_OF_VALUES if not may_begin(word)])
def test_a_word_that_is_said_to_begin_no_value_begins_none_before_any_other(word):
    assert not any(read([word, other], 0) for other in WORDS_OF_VALUES for _, read in READERS)
