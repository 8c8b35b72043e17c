"""How final a voice sounds: on voices made of harmonics, and on real speech."""

from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.endpointing import PRESETS, VoiceFinality, finality, scorecard
from nearword.endpointing.finality import features, measure
from nearword.models import SAMPLE_RATE, Transducer, read_audio
from nearword.runtime.evaluation.endpoints import observe, own_system, read_ends, read_recording

ENDS = Path(__file__).parent.parent / "benchmarks" / "barista_ends.jsonl"


def voice(seconds: float, begin: float, end: float, fade: float = 0.0) -> np.ndarray:
    """A voice whose pitch goes from ``begin`` to ``end`` hertz in its last half second, ``fade`` decibels quieter."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    late = np.clip((time - (seconds - 0.5)) / 0.5, 0, 1)
    phase = 2 * np.pi * np.cumsum(begin + (end - begin) * late) / SAMPLE_RATE
    harmonics = sum(np.sin(number * phase) / number for number in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time)
    noise = np.random.default_rng(0).normal(0, 1e-4, len(time))
    return (0.1 * harmonics * syllables * 10 ** (-fade * late / 20) + noise).astype(np.float32)


def then_silence(samples: np.ndarray, seconds: float = 0.14) -> np.ndarray:
    quiet = np.random.default_rng(1).normal(0, 1e-4, round(seconds * SAMPLE_RATE))
    return np.concatenate([samples, quiet]).astype(np.float32)


@pytest.mark.parametrize("hertz", [80, 120, 200, 320])
def test_pitch_is_measured_without_octave_errors(hertz: float) -> None:
    tracks = measure(voice(1.0, hertz, hertz))
    heard = tracks.periodicity > 0.6
    assert heard.mean() > 0.9
    assert np.median(tracks.pitch[heard]) == pytest.approx(12 * np.log2(hertz / 100), abs=0.5)


def test_noise_has_no_voice() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    assert np.mean(measure(noise).periodicity > 0.6) < 0.1
    assert finality(noise, 0.14, 0.8) == 0.5


def test_a_falling_and_fading_voice_is_more_final_than_one_that_is_kept_up() -> None:
    def judged(end: float, fade: float) -> float:
        return finality(then_silence(voice(2.0, 130, end, fade)), 0.14, 2.0)

    assert judged(95, 12) > judged(130, 0) + 0.2
    assert judged(95, 0) > judged(165, 0)
    assert judged(130, 12) > judged(130, 0)


def test_who_has_said_little_is_less_likely_to_have_finished() -> None:
    samples = then_silence(voice(1.5, 130, 110, 6))
    assert finality(samples, 0.14, 0.6) < finality(samples, 0.14, 3.0)


@given(st.integers(0, 4), st.floats(0, 1), st.integers(0, 5000), st.floats(0.01, 5))
@settings(deadline=None, max_examples=40)
def test_any_audio_gives_a_share(seed: int, level: float, count: int, spoken: float) -> None:
    samples = np.random.default_rng(seed).normal(0, level, count * 8).astype(np.float32)
    assert 0 <= finality(samples, 0.14, spoken) <= 1
    for silence in (np.zeros(count, np.float32), np.full(count, 0.5, np.float32)):
        assert 0 <= finality(silence, 0.14, spoken) <= 1


def test_what_comes_behind_the_last_sound_does_not_count() -> None:
    """A recording cut off behind the word and one with a long room's silence are judged alike."""
    samples = read_audio(DEMO)[: int(2.5 * SAMPLE_RATE)]
    noisy = then_silence(samples)
    digital = np.concatenate([samples, np.zeros(len(noisy) - len(samples), np.float32)])
    first, second = features(noisy, 0.14, 2.2), features(digital, 0.14, 2.2)
    assert first is not None
    assert second is not None
    assert first == pytest.approx(second, abs=0.2)


def test_the_voice_is_judged_once_in_a_silence_and_anew_after_speech() -> None:
    listener = VoiceFinality()
    listener.begin()
    speech = voice(2.0, 130, 95, 12)
    for start in range(0, len(speech) - 319, 320):
        listener.accept(speech[start : start + 320], speech=True)
        assert listener.value == 1
    quiet = np.zeros(320, np.float32)
    values = []
    for _ in range(20):
        listener.accept(quiet, speech=False)
        values.append(listener.value)
    assert values[:6] == [1] * 6
    assert len(set(values[6:])) == 1
    assert 0 < values[6] < 1
    for _ in range(4):  # fewer are a click
        assert listener.value == values[-1]
        listener.accept(speech[:320], speech=True)
    assert listener.value == 1


@pytest.fixture(scope="module")
def recordings(speech_folder: Path) -> list:
    return read_ends(ENDS, root=speech_folder)[::4]


def test_real_commands_are_ended_soon_and_not_too_soon(bundled: Transducer, recordings: list) -> None:
    rows = [
        observe(own_system(bundled, PRESETS["balanced"]), row.path.name, row.end, read_recording(row))
        for row in recordings
    ]
    card = scorecard("balanced", rows)
    assert card.final_latency.p50.value <= 0.55
    assert card.final_latency.p90.value <= 0.95
    assert card.early_cut_offs.value <= 0.04
    assert card.speculation is not None
    assert card.speculation.lead.p50.value >= 0.2
    assert card.speculation.right.value >= 0.85


def test_pauses_between_words_cut_few_off_and_wrong_guesses_are_taken_back(
    bundled: Transducer, recordings: list
) -> None:
    from pauses import between_words, with_pauses

    generator = np.random.default_rng(0)
    system = own_system(bundled, PRESETS["balanced"])
    rows = []
    for recording in recordings:
        samples = read_recording(recording)
        paused = with_pauses(
            samples, recording.end, between_words(bundled, samples, recording.end), generator, most=2
        )  # fmt: skip
        rows.append(observe(system, recording.path.name, paused.end, paused.samples))
    assert sum(row.is_cut for row in rows) <= 2
    wrong = [(row, guess) for row in rows for guess in row.speculations if guess is not row.standing and not row.is_cut]
    assert len(wrong) > 5
    for row, guess in wrong:
        assert guess.reset is not None
        assert row.closing is not None
        assert guess.reset <= row.closing.time
