from pathlib import Path

import numpy as np
import pytest
import soundfile
from nearword.endpointing import PRESETS, Ending, Speculation
from nearword.models import SAMPLE_RATE, AudioError, Transducer
from nearword.runtime.evaluation.endpoints import (
    TAIL_SECONDS,
    Recording,
    decisions,
    observe,
    own_system,
    read_ends,
    read_recording,
)
from nearword.runtime.recognition.events import Final, FinalReason, Reset, SpeculativeFinal, SpeechStarted


def test_events_become_what_was_decided() -> None:
    decided = decisions(
        [
            SpeechStarted(1, 0, 0.5),
            SpeculativeFinal(1, 1, 1.0, "call", ()),
            Reset(1, 1, 1.3),
            SpeculativeFinal(1, 2, 2.0, "call maria", ()),
            Final(1, 3, 2.3, "call maria", (), 2),
            SpeechStarted(2, 0, 3.0),
            Final(2, 1, 4.0, "", (), None, FinalReason.no_speech),
            SpeechStarted(3, 0, 5.0),
            Final(3, 1, 6.0, "lights", (), None, FinalReason.end_of_stream),
        ]
    )
    assert decided.speculations == (Speculation(1.0, "call", 1.3), Speculation(2.0, "call maria"))
    assert decided.endings == (Ending(2.3, "call maria"),)
    assert decided.unended == "lights"


def test_a_short_recording_gets_silence_as_loud_as_its_own(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    samples = np.concatenate([generator.normal(0, 0.1, SAMPLE_RATE), generator.normal(0, 1e-3, SAMPLE_RATE // 2)])
    soundfile.write(tmp_path / "a.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    longer = read_recording(Recording(tmp_path / "a.wav", 1.0))
    assert len(longer) == round((1.0 + TAIL_SECONDS) * SAMPLE_RATE)
    assert np.std(longer[len(samples) :]) == pytest.approx(1e-3, rel=0.2)
    again = read_recording(Recording(tmp_path / "a.wav", 1.0))
    assert np.array_equal(longer, again)
    with pytest.raises(AudioError, match="said to end at 2.0 s"):
        read_recording(Recording(tmp_path / "a.wav", 2.0))


def test_a_long_recording_is_left_as_it_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(5 * SAMPLE_RATE), SAMPLE_RATE)
    assert len(read_recording(Recording(tmp_path / "a.wav", 1.0))) == 5 * SAMPLE_RATE


def test_the_first_known_column_holds_the_end_and_lines_without_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("path\tend\taligned_end\na.wav\t1.5\t9\nb.wav\t\t9\n")
    assert read_ends(tmp_path / "m.tsv") == [Recording(tmp_path / "a.wav", 1.5)]
    assert [row.end for row in read_ends(tmp_path / "m.tsv", end_key="aligned_end")] == [9, 9]
    assert read_ends(tmp_path / "m.tsv", root=Path("/r"))[0].path == Path("/r/a.wav")


def test_observations_depend_on_the_audio_alone(toy: Transducer, noise: np.ndarray) -> None:
    system = own_system(toy, PRESETS["fast"])
    assert observe(system, "noise", 2.0, noise) == observe(system, "noise", 2.0, noise)
