import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from nearword.lattice import Calibration, Lattice
from nearword.models import ModelFileError, Transducer, read_audio
from nearword.runtime import Final, Recognizer
from nearword.runtime.recognition.confidence import FILE, read_calibration, with_confidences, write_calibration
from nearword.runtime.recognition.transcript import Word
from nearword.runtime.search import GREEDY


def two_ways() -> Lattice:
    """ "on" with a probability of 0.75, "off" with 0.25, then "now"."""
    return Lattice(
        words=("on", "off", "now"),
        source=[0, 0, 1],
        target=[1, 1, 2],
        word=[0, 1, 2],
        start=[0, 0, 0.5],
        end=[0.5, 0.5, 1],
        scores=[[np.log(0.75), 0, 0], [np.log(0.25), 0, 0], [0, 0, 0]],
        final=[[-np.inf, 0, 0], [-np.inf, 0, 0], [0, 0, 0]],
    )


WORDS = (Word("on", 0.0, 0.5, 0.8), Word("now", 0.5, 1.0, 0.6))


def test_tokens_and_lattice_both_speak_for_a_word() -> None:
    on, now = with_confidences(WORDS, two_ways(), None)
    assert (on.confidence, now.confidence) == (pytest.approx(0.6), pytest.approx(0.6))
    assert (on.text, on.start, on.end) == ("on", 0.0, 0.5)


def test_confidences_are_calibrated() -> None:
    calibration = Calibration(temperature=2.0, bias=-1.0, margin=0.01)
    sure = [word.confidence for word in with_confidences(WORDS, two_ways(), calibration)]
    assert sure == pytest.approx(calibration([0.6, 0.6]).tolist(), abs=1e-4)


def test_words_beyond_the_lattice_have_their_tokens_probabilities() -> None:
    words = (dataclasses.replace(WORDS[0], text="of"), WORDS[1])
    assert [word.confidence for word in with_confidences(words, two_ways(), None)] == [0.8, 0.6]
    assert with_confidences((), two_ways(), Calibration()) == ()


def test_what_is_written_is_read_and_without_a_file_there_is_no_calibration(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None
    written = Calibration(1.5, -0.25, 0.03)
    write_calibration(tmp_path, written)
    assert read_calibration(tmp_path) == written


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "{}", '{"temperature": 1, "bias": 0}', '{"temperature": 0, "bias": 0, "margin": 0.1}',
     '{"temperature": NaN, "bias": 0, "margin": 0.1}', '{"temperature": 1, "bias": 1e999, "margin": 0.1}',
     '{"temperature": 1, "bias": 0, "margin": 0.5}', '{"temperature": "hot", "bias": 0, "margin": 0.1}',
     "[" * 9999],
)  # fmt: skip
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ModelFileError, match=FILE):
        read_calibration(tmp_path)


def finals(model: Transducer, **options) -> list[Final]:
    recognizer = Recognizer(model, **options)
    events = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
    return [event for event in events if isinstance(event, Final) and event.words]


def test_the_bundled_model_comes_with_a_calibration(bundled: Transducer) -> None:
    calibration = read_calibration(bundled.info.folder)
    assert calibration is not None
    assert json.loads((bundled.info.folder / FILE).read_text()) == dataclasses.asdict(calibration)
    for final in finals(bundled):
        assert all(0.05 < word.confidence < 0.999 for word in final.words)


def test_the_greedy_search_tells_words_apart_too(bundled: Transducer) -> None:
    assert len({word.confidence for final in finals(bundled, search=GREEDY) for word in final.words}) > 3
