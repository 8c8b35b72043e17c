"""Copies of a recording in other voices: another pitch and length, the same words, anew from the same seed."""

import numpy as np
import pytest
from demo import DEMO, DEMO_TEXT

pytest.importorskip("pyworld", reason="needs the extra nearword[train]")

from nearword.models import Transducer, read_audio
from nearword.models.training.prepare import SPEEDS, VOICES, read_manifest
from nearword.models.training.voices import another_voice, world
from nearword.runtime import Transcriber


def test_another_voice_says_the_same_words(bundled: Transducer) -> None:
    speech = read_audio(DEMO)
    pitches, understood = [], 0
    for seed in range(4):
        bent = another_voice(speech, np.random.default_rng(seed))
        assert bent.dtype == np.float32
        assert np.isfinite(bent).all()
        assert 0.8 < len(bent) / len(speech) < 1.25
        pitch, _ = world().dio(bent.astype(np.float64), 16000)
        pitches.append(float(np.median(pitch[pitch > 0])))
        transcriber = Transcriber(bundled)
        transcriber.accept(bent)
        understood += len(set(transcriber.finish().text.split()) & set(DEMO_TEXT.split()))
    assert max(pitches) > 1.15 * min(pitches)
    assert understood > 0.5 * 4 * len(set(DEMO_TEXT.split()))
    np.testing.assert_array_equal(bent, another_voice(speech, np.random.default_rng(3)))


def test_silence_and_noise_have_no_voice_to_bend() -> None:
    rng = np.random.default_rng(0)
    for samples in (np.zeros(8000, np.float32), rng.normal(0, 0.1, 8000).astype(np.float32)):
        assert np.isfinite(another_voice(samples, rng)).all()


def test_copies_are_made_of_the_sets_that_are_named(tmp_path) -> None:
    (tmp_path / "m.tsv").write_text("path\ttext\na.flac\tYes please.\n")
    copies = read_manifest(tmp_path / "m.tsv", tmp_path, "speechocean762")
    assert [copy.bent for copy in copies] == [False] * len(SPEEDS["speechocean762"]) + [True] * VOICES["speechocean762"]
    assert [copy.bent for copy in read_manifest(tmp_path / "m.tsv", tmp_path, "synthetic")] == [False]
