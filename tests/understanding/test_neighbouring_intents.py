"""An intent that is taken for its neighbour does not cost the slots."""

import numpy as np
import pytest
from nearword.lattice.understanding.training import Example, Settings, train
from nearword.lattice.understanding.training.examples import Span
from nearword.lattice.understanding.training.intents import beginnings_of


def said(text: str, intent: str, word: str, slot: str) -> Example:
    at = text.find(word)
    return Example(text, intent, (Span(slot, at, at + len(word)),) if word else ())


@pytest.fixture(scope="module")
def model():
    rooms, hours = ("kitchen", "hall", "cellar"), ("six", "seven", "nine")
    examples = [said(f"make the {room} bright", "light_on", room, "room") for room in rooms]
    examples += [said(f"{word} is it dark", "light_query", "", "") for word in ("where", "why", "so")]
    examples += [said(f"wake me at {hour}", "alarm_set", hour, "time") for hour in hours]
    return train(examples, settings=Settings(iterations=3)).model


def test_labels_go_with_all_intents_whose_names_begin_alike(model):
    found = {
        intent: {model.labels[label] for label in model.labels_of(number)[0]}
        for number, intent in enumerate(model.intents)
    }
    assert found["light_query"] == found["light_on"] == {"O", "B-room"}
    assert found["alarm_set"] == {"O", "B-time"}


def test_names_without_a_joint_stand_alone():
    groups = beginnings_of(["light_on", "lights", "light.off", "light"])
    assert np.array_equal(groups == groups[0], [True, False, True, True])
    assert len(set(groups.tolist())) == 2
