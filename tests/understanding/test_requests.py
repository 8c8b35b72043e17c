"""Requests in text are understood, and what is none is refused."""

import dataclasses
import zlib

import numpy as np
import pytest
from home_requests import home_examples, home_model
from nearword.lattice.understanding import Listed, Understanding, UnderstandingError
from nearword.lattice.understanding.training import Example, Settings, train
from nearword.runtime.recognition.understanding_file import (
    list_understanding_models,
    load_understanding,
    resolve_understanding,
)


def said(found):
    return {slot.name: slot.text for slot in found.slots}


@pytest.mark.parametrize(
    ("text", "intent", "slots"),
    [
        ("turn on the kitchen light", "light_on", {"room": "kitchen"}),
        ("please switch off the lights in the living room", "light_off", {"room": "living room"}),
        ("Wake me up at twenty to nine!", "alarm", {"time": "twenty to nine"}),
        ("phone doctor brown", "call", {"contact": "doctor brown"}),
    ],
)
def test_a_request_is_understood(home, text, intent, slots):
    found = home.understand_text(text)
    assert (found.accepted, found.intent, said(found)) == (True, intent, slots)
    assert 0.5 < found.confidence <= 1
    assert found.source == "model"


def test_slots_have_values_and_say_where_they_stand(home):
    [slot] = home.understand_text("wake me at twenty to nine").slots
    assert (slot.kind, slot.value, slot.first, slot.end) == ("time", "8:40", 3, 6)
    assert 0 < slot.confidence <= 1


def test_what_asks_for_nothing_is_refused(home):
    for text in ("the weather was rather nice in paris", "she has never read that book", "his doctor knows nobody", ""):
        assert not home.understand_text(text).accepted, text


def test_a_word_that_no_example_has_is_a_slot_by_its_place(home):
    assert said(home.understand_text("turn on the attic light")) == {"room": "attic"}


def test_basic_intents_need_no_examples(home):
    for text, intent in (("yes please", "yes"), ("never mind", "cancel"), ("say that again", "repeat")):
        found = home.understand_text(text)
        assert (found.accepted, found.intent, found.source) == (True, intent, "basic")


def test_a_basic_intent_that_was_learnt_is_the_model_s():
    texts = ["stop", "stop it", "go on", "continue please", "carry on"]
    examples = [Example(text, "stop" if "stop" in text else "go") for text in texts]
    model = train(examples, settings=Settings(max_bytes=None)).model
    assert model.understand_text("stop").source == "model"


def test_the_stored_model_says_what_the_exact_one_does(home):
    exact = home_model()
    for example in home_examples()[::7]:
        one, other = exact.understand_text(example.text), home.understand_text(example.text)
        assert (one.intent, said(one)) == (other.intent, said(other))
        assert abs(one.confidence - other.confidence) < 0.05


def test_a_phrase_of_a_list_is_known_by_its_class():
    names, rooms = ["anna", "bob", "carl", "dora", "emil"], ["hall", "bath", "attic", "cellar", "garden"]
    listed = Listed({(name,): "contact" for name in names} | {(room,): "room" for room in rooms})
    rows = [(f"put {one} on", "call" if one in names else "light") for one in [*names, *rooms] for _ in range(3)]
    model = train([Example(*row) for row in rows], listed=listed, settings=Settings(max_bytes=None)).model
    changed = Listed({("zoe", "quill"): "contact", ("veranda",): "room"})
    assert model.understand_text("put zoe quill on", changed).intent == "call"
    assert model.understand_text("put veranda on", changed).intent == "light"


def test_an_understanding_comes_back_from_plain_values(home):
    found = home.understand_text("wake me at twenty to nine")
    assert Understanding.from_dict(dataclasses.asdict(found)) == found


def test_words_that_speak_for_an_intent_are_told(home):
    reasons = dict(home.reasons("wake me at noon"))
    assert reasons["wake"] == max(reasons.values()) > 0


def test_fewer_than_two_intents_are_refused():
    with pytest.raises(UnderstandingError, match="1 intents; expected two"):
        train([Example("a", "b"), Example("c", "b")])


def test_a_smaller_file_understands_nearly_as_much(tmp_path):
    from nearword.runtime.recognition.understanding_file import save_understanding

    examples = home_examples()
    small = train(examples, settings=Settings(max_bytes=20_000)).model
    assert save_understanding(small, tmp_path / "small.nlu") < 22_000
    right = [small.understand_text(one.text).intent == one.intent for one in examples]
    assert np.mean(right) > 0.97


def test_a_model_that_is_not_there_is_one_line_with_the_names(tmp_path):
    with pytest.raises(UnderstandingError, match=r"no\.nlu: no such file.*or a name"):
        resolve_understanding(tmp_path / "no.nlu")
    for name, path in list_understanding_models().items():
        assert resolve_understanding(name) == path


def test_a_mutated_file_is_one_clear_error_or_a_model(home_file, tmp_path):
    """With the checksum made right again, so that all that stands behind it is tried."""
    whole, path = home_file.read_bytes(), tmp_path / "mutated.nlu"
    random = np.random.default_rng(8)
    refused = 0
    for number in range(150):
        data = bytearray(whole)
        # every second one in its header, where most can go wrong
        for _ in range(random.integers(1, 5)):
            data[random.integers(20, 2500 if number % 2 else len(data))] = random.integers(256)
        data[16:20] = np.uint32(zlib.crc32(bytes(data[20:]))).tobytes()
        path.write_bytes(data)
        try:
            found = load_understanding(path).understand_text("wake me at twenty to nine")
        except UnderstandingError as error:
            assert str(path) in str(error)  # noqa: PT017 (which of them is refused is not known)
            refused += 1
        else:
            assert 0 <= found.confidence <= 1
    assert refused > 50


def test_the_model_in_the_package_understands_what_people_ask_of_assistants():
    path = resolve_understanding("assistant")
    assert path.stat().st_size <= 400_000
    model = load_understanding(path)
    for text, intent, slots in (
        ("set a timer for an hour and a half", "timer_set", {"duration": "an hour and a half"}),
        ("turn on the kitchen lights", "light_on", {"room": "kitchen"}),
        ("phone doctor brown", "call", {"contact": "doctor brown"}),
        ("play some jazz by miles davis", "play_music", {"genre": "jazz", "artist": "miles davis"}),
        ("what's the weather like in paris on friday", "weather", {"place": "paris", "date": "friday"}),
    ):
        found = model.understand_text(text)
        assert (found.accepted, found.intent, said(found)) == (True, intent, slots), text
    for text in ("what is the meaning of life", "how do i file my taxes"):
        assert not model.understand_text(text).accepted
