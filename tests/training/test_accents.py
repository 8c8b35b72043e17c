"""Accented synthetic speech: every voice is told every sound, and habits bend words without losing them."""

import random
import shutil
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from nearword.models.training import synthesize
from nearword.models.training.accents import VOICES, Habits, respell
from nearword.models.training.lexicon import PHONES, pronounce

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite (apt-get install flite)")


@pytest.mark.parametrize("voice", sorted(VOICES))
def test_a_voice_of_any_language_is_told_every_english_phone(voice: str) -> None:
    text = "the joy of measuring one's yellow boat thing ahead oh how sure they chew good red cups by us vow"
    spoken = respell(text, voice, "a")
    assert spoken == respell(text, voice, "a")
    assert len({respell(text, voice, str(seed)) for seed in range(20)}) > 10
    engine = voice.partition("/")[0]
    if engine == "rhvoice":
        assert len(spoken.split()) == len(text.split())
        assert not set("qwxy0123456789<>") & set(spoken)
    elif engine == "pico":
        assert spoken.count("<phoneme ph=") == len(text.split())
    else:
        assert set(spoken.split()) <= {*PHONES, "pau"}


def test_habits_change_some_phones_and_keep_most() -> None:
    plain = [PHONES[phone - 1] for word in "turn on the light".split() for phone in pronounce(word)]
    said = [
        [phone for phones, _ in Habits(random.Random(seed)).say("turn on the light") for phone in phones]
        for seed in range(200)
    ]
    assert plain in said
    same = [SequenceMatcher(a=plain, b=phones, autojunk=False).ratio() for phones in said]
    assert 0.7 < sum(same) / len(same) < 0.97


def test_a_voice_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesize, "RHVOICE_DATA", tmp_path)
    monkeypatch.setitem(synthesize.PROGRAMS, "rhvoice", ("flite", "rhvoice-russian"))
    utterance = synthesize.Utterance("a", "hello", "accent", "rhvoice/anna", 1.0, 1.0, 1.0)
    with pytest.raises(FileNotFoundError, match=r"no voice anna .* expected rhvoice-russian"):
        synthesize.synthesize([utterance], tmp_path / "out")


def test_an_accented_voice_speaks() -> None:
    def seconds(text: str) -> float:
        return len(synthesize.speak(synthesize.Utterance("a", text, "accent", "flite/slt", 1.0, 1.0, 1.0))) / 16000

    assert 0.4 < seconds("turn on the light") < 3
    assert seconds("turn on the light in the kitchen and then call my brother") > 1.8 * seconds("turn on the light")
