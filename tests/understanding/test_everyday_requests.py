"""The bundled model on a hundred requests that people make at home, none of which it was learnt of."""

from pathlib import Path

import pytest
from marked_requests import read_requests
from nearword.runtime.evaluation.requests import answer, score_requests
from nearword.runtime.recognition.understanding_file import load_understanding, resolve_understanding

REQUESTS = read_requests(Path(__file__).with_name("everyday_requests.txt"))


@pytest.fixture(scope="module")
def assistant():
    return load_understanding(resolve_understanding("assistant"))


@pytest.fixture(scope="module")
def score(assistant):
    return score_requests(list(answer(assistant, REQUESTS)))


def test_the_list_has_a_hundred_and_none_that_a_template_says():
    plan = Path(__file__).parents[2] / "lattice" / "understanding" / "training" / "assistant.json"
    templates = plan.read_text(encoding="utf-8")
    assert len(REQUESTS) >= 100
    assert not [one.text for one in REQUESTS if f'"{one.text}"' in templates]


def test_nearly_all_are_accepted_with_the_right_intent(score):
    assert score.intents.value >= 0.93
    assert score.accepted.value >= 0.95


def test_most_are_understood_with_every_slot(score):
    assert score.understood.value >= 0.78
    assert score.slot_f1 >= 0.88


def test_most_talk_is_refused(score):
    assert score.others == 10
    assert score.refused.value >= 0.7


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("wake me at twenty to nine", "alarm_set", {"time": ("twenty to nine", "8:40")}),
        ("set a timer for half an hour", "timer_set", {"duration": ("half an hour", "PT30M")}),
        ("remind me to call anna on the third of may", "reminder_set", {"date": ("the third of may", "--05-03")}),
    ],
)
def test_values_come_with_them(assistant, text, intent, slots):
    found = assistant.understand_text(text)
    assert (found.accepted, found.intent) == (True, intent)
    assert {slot.name: (slot.text, slot.value) for slot in found.slots}.items() >= slots.items()
