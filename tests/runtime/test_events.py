import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.runtime import Word
from nearword.runtime.recognition.events import (
    VERSION,
    AudioLost,
    Command,
    Event,
    EventError,
    Final,
    FinalReason,
    Partial,
    Reset,
    SpeculativeFinal,
    SpeechStarted,
    from_dict,
    from_json,
    read_events,
)

numbers = st.floats(0, 1e6, allow_nan=False)
base = {"utterance": st.integers(1, 1000), "revision": st.integers(0, 1000), "time": numbers}
words = st.lists(st.builds(Word, st.text(), numbers, numbers, st.floats(0, 1)), max_size=4).map(tuple)
commands = st.none() | st.builds(Command, st.booleans(), st.text(), st.dictionaries(st.text(), st.text(), max_size=2))
events = st.one_of(
    st.builds(SpeechStarted, **base),
    st.builds(Partial, **base, text=st.text(), words=words, stable=st.integers(0, 4)),
    st.builds(SpeculativeFinal, **base, text=st.text(), words=words, command=commands),
    st.builds(Reset, **base),
    st.builds(
        Final,
        **base,
        text=st.text(),
        words=words,
        confirms=st.none() | st.integers(1, 9),
        reason=st.sampled_from(FinalReason),
        command=commands,
    ),
    st.builds(AudioLost, **base, seconds=numbers, reason=st.text()),
)


@given(events)
def test_an_event_comes_back_from_its_line_as_it_was(event: Event) -> None:
    line = event.to_json()
    assert "\n" not in line
    assert from_json(line) == event


def test_the_line_says_what_it_is() -> None:
    event = Final(2, 7, 1.5, "call ann", (Word("call", 0.1, 0.2, 0.9), Word("ann", 0.3, 0.4, 0.8)), 6)
    assert json.loads(event.to_json()) == {
        "type": "final",
        "version": 1,
        "utterance": 2,
        "revision": 7,
        "time": 1.5,
        "text": "call ann",
        "words": [
            {"word": "call", "start": 0.1, "end": 0.2, "confidence": 0.9},
            {"word": "ann", "start": 0.3, "end": 0.4, "confidence": 0.8},
        ],
        "confirms": 6,
        "reason": "silence",
        "n_best": [],
    }


def test_what_a_later_version_adds_is_left_aside() -> None:
    assert from_dict({"type": "reset", "utterance": 1, "revision": 2, "time": 3.0, "mood": "good"}) == Reset(1, 2, 3.0)


@pytest.mark.parametrize("line", ['{"type": "song"}', '{"utterance": 1}', "[]", '"final"', "no json"])
def test_what_is_no_event_is_told(line: str) -> None:
    with pytest.raises(ValueError):
        from_json(line)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match="time"):
        from_dict({"type": "reset", "utterance": 1, "revision": 2})


def test_stable_text_is_the_settled_beginning() -> None:
    said = (Word("turn", 0, 1, 1), Word("it", 1, 2, 1), Word("o", 2, 3, 1))
    assert Partial(1, 1, 3.0, "turn it o", said, 2).stable_text == "turn it"


def test_the_json_form_says_its_version_and_a_later_one_is_not_guessed_at() -> None:
    values = Reset(1, 2, 3.0).to_dict()
    assert list(values)[:2] == ["type", "version"]
    assert from_dict(values) == Reset(1, 2, 3.0)
    for version in (VERSION + 1, "1", None):
        with pytest.raises(EventError, match="version"):
            from_dict(values | {"version": version})


def test_what_listen_prints_is_read_back_line_by_line() -> None:
    events = [Reset(1, 2, 3.0), AudioLost(2, 0, 4.0, 0.5, "gone")]
    assert list(read_events([f"{event.to_json()}\n" for event in events] + ["\n"])) == events
    for wrong in ("{", "[]", '{"type": "final"}', '{"type": "final", "utterance": 1, "words": 3}', "[" * 100_000):
        with pytest.raises(EventError, match="line 2"):
            list(read_events([events[0].to_json(), wrong]))
