"""What clients say of their samples, with values of any type."""

import pytest
from nearword.models import RawFormat
from nearword.runtime.daemon import ProtocolError
from nearword.runtime.daemon.audio_form import audio_form, integer_form


@pytest.mark.parametrize(
    "values",
    [
        {"rate": 0}, {"rate": 10**9}, {"rate": "fast"}, {"rate": True}, {"rate": 16000.5}, {"channels": 0},
        {"channels": 99}, {"channels": None}, {"encoding": "mp3"}, {"encoding": ["int16"]}, {"encoding": "x" * 10**6},
    ],
)  # fmt: skip
def test_an_impossible_form_is_refused_with_what_is_possible(values: dict) -> None:
    with pytest.raises(ProtocolError, match="expected") as refused:
        audio_form(**values)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("width", [0, 5, None, True, "2", 2.0])
def test_integers_have_one_to_four_bytes(width: object) -> None:
    with pytest.raises(ProtocolError, match="width is .*: expected"):
        integer_form(16000, width, 1)


def test_a_form_is_known_by_the_names_that_programs_have_for_it() -> None:
    assert audio_form(48000, "float32", 2) == RawFormat("float32", 48000, 2)
    assert audio_form(encoding="s16le") == integer_form(16000, 2, 1) == RawFormat()
    assert audio_form(8000, "ulaw").encoding == "mulaw"
