"""A packed model is the folder it was made of."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from nearword.models import ModelError, ModelFileError, ModelNotFoundError, Transducer, read_audio, resolve
from nearword.models.compression.calibration import Calibration
from nearword.models.compression.rounding import Rounding
from nearword.models.packing import pack_model, unpack_model
from nearword.runtime import SearchOptions, Transcriber
from packed_models import spoilt
from toy_models import ToyModel, write_toy_model


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "assistant.nearword"
    pack_model(resolve(), path)
    return path


@pytest.fixture(scope="session")
def demo_samples() -> np.ndarray:
    return read_audio(DEMO)


def heard(model: Transducer, samples: np.ndarray) -> tuple[object, ...]:
    transcriber = Transcriber(model, SearchOptions())
    transcriber.accept(samples)
    return transcriber.finish().words, transcriber.lattice()


def test_a_packed_model_gives_the_very_numbers_of_its_folder(packed: Path, bundled: Transducer) -> None:
    model = Transducer.load(packed)
    features = np.random.default_rng(0).normal(0, 1, (bundled.info.chunk_frames, 80)).astype(np.float32)
    ours, theirs = (each.encoder_stream(phones=True).run(features) for each in (model, bundled))
    assert np.array_equal(ours.out, theirs.out)
    assert ours.phones is not None
    assert np.array_equal(ours.phones, theirs.phones)
    assert np.array_equal(model.predict((3, 4)), bundled.predict((3, 4)))
    assert np.array_equal(
        model.join(ours.out, model.predict((3, 4))), bundled.join(theirs.out, bundled.predict((3, 4)))
    )


def test_words_confidences_and_lattices_are_the_same(packed: Path, bundled: Transducer, demo_samples) -> None:
    assert heard(Transducer.load(packed), demo_samples) == heard(bundled, demo_samples)


def test_it_comes_back_as_it_was(packed: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in resolve().iterdir()}
    assert {path.name: path.read_bytes() for path in unpack_model(packed, tmp_path / "new")} == before
    with pytest.raises(ModelFileError, match="there already"):
        unpack_model(packed, tmp_path / "new")
    assert packed.stat().st_size < 0.9 * sum(map(len, before.values()))


def test_rounding_makes_it_smaller_and_words_stay(packed: Path, tmp_path: Path, demo_samples, bundled) -> None:
    size = pack_model(packed, tmp_path / "small.nearword", rounding=Rounding(5, 0.3))
    # of the encoder, which is what is rounded
    assert packed.stat().st_size - size > 0.33 * bundled.info.graphs[0].stat().st_size
    small = Transducer.load(tmp_path / "small.nearword")
    assert [word.text for word in heard(small, demo_samples)[0]] == [w.text for w in heard(bundled, demo_samples)[0]]
    # what was rounded is packed again without loss
    again = pack_model(tmp_path / "small.nearword", tmp_path / "again.nearword")
    assert abs(again - size) < 100


def test_recordings_say_which_weights_matter(tmp_path: Path, demo_samples, bundled) -> None:
    told: list[float] = []
    size = pack_model(
        resolve(), tmp_path / "small.nearword", calibration=Calibration(3.0), recordings=[DEMO], progress=told.append
    )
    before = sum(path.stat().st_size for path in resolve().iterdir())
    assert before - size > 0.6 * bundled.info.graphs[0].stat().st_size
    assert told == sorted(told)
    assert told[-1] == 1.0
    small = Transducer.load(tmp_path / "small.nearword")
    assert [word.text for word in heard(small, demo_samples)[0]] == [w.text for w in heard(bundled, demo_samples)[0]]


def test_without_int8_weights_or_speech_nothing_is_calibrated(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="int8"):
        pack_model(toy_folder, tmp_path / "m.nearword", calibration=Calibration(), recordings=[DEMO])
    with pytest.raises(ModelFileError, match="name more"):
        pack_model(resolve(), tmp_path / "m.nearword", calibration=Calibration(), recordings=[])
    assert not list(tmp_path.iterdir())


def test_only_what_runs_is_packed(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "m", ToyModel(quantise_joiner=True))
    (folder / "encoder-other.fp16.onnx").write_bytes(b"x")
    (folder / ".lock").write_bytes(b"")
    pack_model(folder, tmp_path / "m.nearword")
    names = {path.name for path in unpack_model(tmp_path / "m.nearword", tmp_path / "back")}
    assert names == {"encoder.onnx", "decoder.onnx", "joiner.int8.onnx", "tokens.txt"}


def test_float_models_cannot_be_rounded(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="int8"):
        pack_model(toy_folder, tmp_path / "m.nearword", rounding=Rounding(4))
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_is_told_in_one_line_or_is_what_it_was(toy_folder: Path, tmp_path: Path) -> None:
    chance = random.Random(2)
    path = tmp_path / "m.nearword"
    pack_model(toy_folder, path)
    whole = path.read_bytes()
    told = 0
    for _ in range(60):
        path.write_bytes(spoilt(whole, chance))
        try:
            Transducer.load(path)
        except ModelError as error:
            told += str(path) in str(error) and "\n" not in str(error)
    assert told > 50


def test_what_is_no_packed_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such packed model"):
        Transducer.load(tmp_path / "none.nearword")
    (tmp_path / "text.nearword").write_text("hello, this is a text and no model at all")
    with pytest.raises(ModelFileError, match="none of nearword's files"):
        Transducer.load(tmp_path / "text.nearword")
    with pytest.raises(ModelFileError, match="no packed model"):
        unpack_model(resolve(), tmp_path / "x")


def test_the_command_line_packs_shows_hears_and_unpacks(run_cli, tmp_path: Path, toy_folder: Path) -> None:
    path = tmp_path / "downloaded" / "small.nearword"
    path.parent.mkdir()
    result = run_cli("models", "pack", "assistant-en", "-o", path, "--bits", "5")
    assert (result.returncode, "rounded to 5 bits" in result.stdout) == (0, True)
    shown = json.loads(run_cli("models", "show", path, "--format", "json").stdout)
    assert shown["packed"]["rounding"]["bits"] == 5
    assert shown["packed"]["files"]["encoder.int8.onnx"]["stored"] < 5_000_000
    # it is known by its name, as a downloaded folder is
    origins = {row["name"]: row["origin"] for row in json.loads(run_cli("models", "--format", "json").stdout)}
    assert origins["small"] == "packed"
    assert "my brother" in run_cli("transcribe", "--model", "small", DEMO).stdout
    assert run_cli("models", "unpack", path, "-o", tmp_path / "folder").returncode == 0
    assert (tmp_path / "folder" / "tokens.txt").read_bytes() == (resolve() / "tokens.txt").read_bytes()
    (tmp_path / "none").mkdir()
    for wrong, told in (
        (("-o", tmp_path / "x.zip"), ".nearword"),
        (("-o", path, "--bits", "3"), "8, 5, 4"),
        (("-o", path, "--bits", "3.4"), "--calibrate"),
        (("-o", path, "--bits", "9", "--calibrate", DEMO), "6.5"),
        (("-o", path, "--bits", "3", "--calibrate", tmp_path / "none"), "no recordings"),
        (("-o", path, "--bits", "3", "--calibrate", tmp_path / "absent"), "no such"),
        (("-o", path, "--group", "1"), "groups of 1"),
        (("-o", path, "--group", "32", "--calibrate", DEMO), "without --calibrate"),
    ):
        refused = run_cli("models", "pack", "assistant-en", *wrong)
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
    failed = run_cli("models", "pack", toy_folder, "-o", path, "--bits", "4")
    assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1)
