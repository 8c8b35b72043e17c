"""A neural synthesiser in the recipe: a small network in its place that hums as long as the text is."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
from nearword.models import NearwordError
from nearword.models.training.kokoro import RATE, Kokoro, choose_voice, ipa, language_of, speak_all
from onnx import TensorProto, helper
from onnx_graphs import save_graph

needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="needs espeak-ng (apt-get install espeak-ng)"
)
VOICES = ("af_one", "bm_two", "zf_three")


def write_kokoro(folder: Path) -> Path:
    """Write a folder whose network gives 2,000 samples a symbol, as loud as the style's first value, times speed."""
    (folder / "voices").mkdir(parents=True)
    for number, name in enumerate(VOICES):
        table = np.full((510, 1, 256), 0.1 * (number + 1), np.float32)
        table.tofile(folder / "voices" / f"{name}.bin")
    symbols = " abcdefghijklmnopqrstuvwxyzəɪʊɑɛɔæʌŋɹθðʃʒːˈˌɡɜɚ"  # noqa: RUF001 (phones)
    (folder / "vocab.json").write_text(json.dumps({"vocab": {symbol: k + 1 for k, symbol in enumerate(symbols)}}))
    nodes = [
        helper.make_node("Slice", ["style", "zero", "one", "axis"], ["row"]),
        helper.make_node("Reshape", ["row", "flat"], ["first"]),
        helper.make_node("Shape", ["tokens"], ["shape"], start=1),
        helper.make_node("Mul", ["shape", "each"], ["count"]),
        helper.make_node("Expand", ["first", "count"], ["level"]),
        helper.make_node("Mul", ["level", "speed"], ["audio"]),
    ]
    constants = {"each": [2000], "zero": [0], "one": [1], "axis": [1], "flat": [1]}
    save_graph(
        folder / "kokoro.onnx",
        nodes,
        [
            ("tokens", TensorProto.INT64, [1, "n"]),
            ("style", TensorProto.FLOAT, [1, 256]),
            ("speed", TensorProto.FLOAT, [1]),
        ],
        [("audio", TensorProto.FLOAT, ["samples"])],
        {name: np.asarray(value, np.int64) for name, value in constants.items()},
        {},
    )
    return folder


def test_a_mixture_of_voices_is_a_voice(tmp_path: Path) -> None:
    kokoro = Kokoro.read(write_kokoro(tmp_path))
    assert sorted(kokoro.voices) == sorted(VOICES)
    assert kokoro.style("af_one").shape == (510, 1, 256)
    assert kokoro.style("af_one+bm_two:0.25")[7, 0, 3] == pytest.approx(0.75 * 0.1 + 0.25 * 0.2)
    drawn = [choose_voice(VOICES, np.random.default_rng(seed)) for seed in range(200)]
    assert 40 < sum("+" not in voice for voice in drawn) < 95
    assert all(voice.partition("+")[0] in VOICES for voice in drawn)


def test_a_voice_of_another_language_may_keep_its_rules() -> None:
    assert [language_of(voice, accented=False) for voice in VOICES] == ["en-us", "en-gb", "en-us"]
    assert [language_of(voice, accented=True) for voice in VOICES] == ["en-us", "en-gb", "cmn"]


@needs_espeak
def test_what_is_said_follows_from_phones_voice_and_speed(tmp_path: Path) -> None:
    kokoro = Kokoro.read(write_kokoro(tmp_path))
    count = len(kokoro.tokens(ipa("good morning", "en-us")))
    assert count > 6
    samples = kokoro.speak("good morning", "bm_two", speed=1.5)
    assert len(samples) == 2000 * (count + 2)
    assert samples[0] == pytest.approx(0.3)
    assert len(kokoro.speak("", "bm_two")) == 0
    assert len(kokoro.speak("on and on " * 200, "bm_two")) == 0


@needs_espeak
def test_speaking_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    pytest.importorskip("faker")
    kokoro = Kokoro.read(write_kokoro(tmp_path / "kokoro"))
    texts = ["turn on the light", "what a fine day it is"]
    manifest = speak_all(kokoro, texts, 6, tmp_path / "out")
    with manifest.open() as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    assert len(rows) == 6
    assert {row["speaker"].partition("+")[0] for row in rows} <= set(VOICES)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.flac")}
    assert len(whole) == 6
    manifest.unlink()
    (tmp_path / "out" / rows[3]["path"]).unlink()
    speak_all(kokoro, texts, 6, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.flac")} == whole
    assert RATE == 24000


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("kokoro.onnx", "expected one network"),
        ("vocab.json", "expected Kokoro's symbols"),
        ("voices/af_one.bin", "expected float32 vectors of 256, found 1 numbers"),
    ],
)
def test_what_is_missing_of_the_synthesiser_is_named(tmp_path: Path, broken: str, told: str) -> None:
    folder = write_kokoro(tmp_path)
    if broken.endswith(".bin"):
        (folder / broken).write_bytes(b"1234")
    else:
        (folder / broken).unlink()
    with pytest.raises(NearwordError, match=told):
        Kokoro.read(folder)
