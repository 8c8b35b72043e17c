"""The encoder's cheap branch: what may follow what, what it leaves, and what becomes of files that do not fit."""

import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import ModelFileError, Transducer, read_audio
from nearword.models.branching import BRANCH, GATE, KEYS, REST, Branch
from nearword.models.voice import VoiceEncoder
from nearword.runtime.recognition.encoder_stream import AudioEncoder


def steps_of(model: Transducer, seconds: float = 8.0) -> list[np.ndarray]:
    """Return the features of steps of speech, of silence, and of noise."""
    rng, info = np.random.default_rng(0), model.info
    features = rng.normal(-12, 1, (round(100 * seconds), 80)).astype(np.float32)
    features[200:300] = rng.normal(-5, 3, (100, 80))
    starts = range(0, len(features) - info.chunk_frames, info.chunk_shift)
    return [features[start : start + info.chunk_frames] for start in starts]


def choose(monkeypatch: pytest.MonkeyPatch, branch: Branch, choices: list[bool]) -> None:
    """Have the gate say which steps after the first are cheap, one after the other."""
    look, left = branch.look, iter(choices)

    def chosen(*heard: np.ndarray) -> tuple[float, np.ndarray]:
        return (0.0 if next(left) else 2.0), look(*heard)[1]

    monkeypatch.setattr(branch, "look", chosen)


def test_nothing_is_cheap_without_loss_and_all_bits_are_those_of_the_encoder_alone(bundled: Transducer) -> None:
    branching, plain = bundled.branch.stream(0.0, phones=True), bundled.encoder_stream(phones=True)
    for step in steps_of(bundled):
        ours, theirs = branching.run(step), plain.run(step)
        assert not ours.is_cheap
        np.testing.assert_array_equal(ours.out, theirs.out)
        np.testing.assert_array_equal(ours.phones, theirs.phones)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.booleans(), min_size=23, max_size=23), st.integers(0, 23))
def test_caches_hold_what_each_step_left_whatever_followed_what(
    bundled: Transducer, choices: list[bool], cheap: int
) -> None:
    """Caches are put together when a full step needs them; the reference puts them together at every step."""
    choices[:cheap] = [True] * cheap  # more in a row than the caches hold
    branch, encoder = bundled.branch, bundled.encoder
    keys, rest = encoder.states.index(KEYS), encoder.states.index(REST)
    gate = ort.InferenceSession(str(bundled.info.folder / GATE))
    with pytest.MonkeyPatch.context() as patch:
        choose(patch, branch, choices)
        stream, reference = branch.stream(1.0, phones=True), encoder.stream(phones=True)
        before, held = None, reference.states
        for step, is_cheap in zip(steps_of(bundled), [False, *choices], strict=True):
            encoded = stream.run(step)
            assert encoded.is_cheap == is_cheap
            if not is_cheap:
                if held is not reference.states:  # the step before was cheap, and is made up for
                    assert encoded.runs == 2
                    reference.states = held
                    reference.run(before)
                expected = reference.run(step)
                held = reference.states
            else:
                held = reference.states
                count = held[rest][0, :, -1:]
                x = np.concatenate([before[:32], step])[None]
                hidden = gate.run(["hidden"], {"x": x, "count": count})[0]
                expected, left = branch.step(hidden, count, phones=True)
                rows, past = left.keys.shape[2], held[keys].shape[2]
                states = [state.copy() for state in held]
                states[keys][:, :, :-rows] = held[keys][:, :, rows:]
                states[keys][:, :, -rows:] = left.keys
                states[rest][:, :, : past - rows] = held[rest][:, :, rows:past]
                states[rest][:, :, past - rows : past] = left.values
                states[rest][:, :, past:-1] = left.waiting
                states[rest][:, :, -1] += 16
                reference.states = states
            np.testing.assert_array_equal(encoded.out, expected.out)
            np.testing.assert_array_equal(encoded.phones, expected.phones)
            before = step


def test_a_fork_goes_its_own_way(bundled: Transducer) -> None:
    stream, alone = (bundled.branch.stream(1.0) for _ in range(2))
    first, then, last = steps_of(bundled)[:3]
    for step in (first, then):
        stream.run(step)
        alone.run(step)
    stream.fork().run(np.zeros_like(last))
    np.testing.assert_array_equal(stream.run(last).out, alone.run(last).out)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=30))
def test_audio_in_any_pieces_takes_the_same_branches(bundled: Transducer, sizes: list[int]) -> None:
    audio = np.concatenate([read_audio(DEMO)[: 2 * 16000], np.zeros(2 * 16000, np.float32)])
    whole = AudioEncoder(bundled, effort="balanced")
    expected = [*whole.accept(audio), *whole.finish()]
    pieces, found, place = AudioEncoder(bundled, effort="balanced"), [], 0
    for size in sizes:
        found += pieces.accept(audio[place : place + size])
        place += size
    found += [*pieces.accept(audio[place:]), *pieces.finish()]
    assert [step.is_cheap for step in found] == [step.is_cheap for step in expected]
    assert {step.is_cheap for step in found} == {True, False}
    np.testing.assert_array_equal([step.out for step in found], [step.out for step in expected])


def test_completing_an_utterance_leaves_the_stream_as_it_was(bundled: Transducer) -> None:
    audio = read_audio(DEMO)
    one, other = (AudioEncoder(bundled, effort="low") for _ in range(2))
    steps = list(one.accept(audio[:40_000]))
    other_steps = list(other.accept(audio[:40_000]))
    other.completed()
    rest = [*one.accept(audio[40_000:])], [*other.accept(audio[40_000:])]
    np.testing.assert_array_equal([step.out for step in rest[0]], [step.out for step in rest[1]])
    assert len(steps) == len(other_steps)


def test_what_reads_the_caches_reads_what_a_cheap_step_left(bundled: Transducer) -> None:
    tap = VoiceEncoder(bundled).tap
    stream = bundled.encoder_stream(tap=tap, effort="balanced")
    encoded = [stream.run(step) for step in steps_of(bundled)]
    assert {step.is_cheap for step in encoded} == {True, False}
    frames = (tap.end - tap.begin) // tap.width // tap.stride
    assert all(step.voice.shape == (frames, tap.width * len(tap.layers)) for step in encoded)
    assert len({step.voice.tobytes() for step in encoded}) == len(encoded)


def copy_of(model: Transducer, folder: Path) -> Path:
    return Path(shutil.copytree(str(model.info.folder), folder / "model"))


@pytest.mark.parametrize("name", [GATE, BRANCH])
def test_a_model_without_a_branch_runs_in_full_and_says_what_is_missing(
    bundled: Transducer, tmp_path: Path, name: str
) -> None:
    folder = copy_of(bundled, tmp_path)
    (folder / name).unlink()
    model = Transducer.load(folder)
    first = steps_of(bundled)[0]
    np.testing.assert_array_equal(model.encoder_stream().run(first).out, bundled.encoder_stream().run(first).out)
    with pytest.raises(ModelFileError, match=f"{name}: missing: this model computes every step in full"):
        model.encoder_stream(effort="low")


def test_files_that_do_not_fit_are_told_by_name(bundled: Transducer, toy: Transducer, tmp_path: Path) -> None:
    folder = copy_of(bundled, tmp_path)
    for name in (GATE, BRANCH):
        kept = (folder / name).read_bytes()
        for damaged, told in ((b"", "is empty"), (kept[:1000], "onnxruntime cannot load it")):
            (folder / name).write_bytes(damaged)
            with pytest.raises(ModelFileError, match=f"{name}: {told}"):
                Transducer.load(folder).branch  # noqa: B018 (loaded by being asked for)
        shutil.copyfile(folder / "joiner.onnx", folder / name)
        with pytest.raises(ModelFileError, match=f"{name}: has encoder_out, decoder_out to logit; expected "):
            Transducer.load(folder).branch  # noqa: B018
        (folder / name).write_bytes(kept)
    with pytest.raises(ModelFileError, match="fits encoders with the states h0 and c0"):
        Branch(toy.encoder, folder)
