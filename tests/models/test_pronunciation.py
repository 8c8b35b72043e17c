"""How words are said: known ones, odd ones, alone and among others; files that are no such model."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models import pronunciation, resolve
from nearword.models.errors import ModelFileError
from nearword.models.pronunciation import MAX_LETTERS, Pronouncer
from onnx import TensorProto, helper
from onnx_graphs import save_graph

BUNDLED = Path(pronunciation.__file__).parent / "bundled" / "assistant-en"
WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz'", max_size=MAX_LETTERS)
pronouncer = Pronouncer.load(BUNDLED)


def say(word: str) -> str:
    (phones,) = pronouncer([word])
    return " ".join(pronouncer.phones[k] for k in phones)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("kitchen", "k ih ch ax n"),
        ("bauer", "b aw er"),
        ("lamp", "l ae m p"),
        ("miller", "m ih l er"),
        ("cooper", "k uw p er"),
        ("message", "m eh s ax jh"),
        ("schmidt", "sh m ih t"),
    ],
)
def test_words_and_names_are_said_as_people_say_them(word: str, phones: str) -> None:
    assert say(word) == phones


def test_a_letter_alone_is_spelt() -> None:
    assert say("w") == "d aa b ax l y uw"
    assert say("f") == "eh f"


def test_only_letters_count() -> None:
    assert say("Kitchen!") == say("KITCHEN") == say("kit chen") == say("kitchen")
    assert say("Jos\u00e9") == say("jose")
    assert pronouncer(["", "123", "\u65e5\u672c", "\x00"]) == [()] * 4
    assert pronouncer([]) == []
    assert len(pronouncer(["a" * 100_000])) == 1


@given(st.lists(WORDS, min_size=1, max_size=30), st.integers(0, 2**32))
def test_a_word_is_said_the_same_alone_and_among_others(words: list[str], seed: int) -> None:
    together = dict(zip(words, Pronouncer.load(BUNDLED)(words), strict=True))
    order = random.Random(seed).sample(words, len(words))
    fresh = Pronouncer.load(BUNDLED)
    assert [fresh([word])[0] for word in order] == [together[word] for word in order]


@given(st.text())
def test_any_text_has_phones_of_the_model(word: str) -> None:
    (phones,) = pronouncer([word])
    assert all(0 < k < len(pronouncer.phones) for k in phones)


def test_what_is_kept_is_bounded_and_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pronunciation, "CACHED_WORDS", 5)
    small = Pronouncer.load(BUNDLED / "pronounce.onnx")
    words = [f"{a}{b}at" for a in "bcdfghklmnprst" for b in "lrw"]
    expected = pronouncer(words)
    for _ in range(2):
        assert small(words) == expected
        assert [small([word])[0] for word in words] == expected
        assert len(small._cache) <= 5


def test_threads_share_a_pronouncer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pronunciation, "CACHED_WORDS", 40)
    shared = Pronouncer.load(BUNDLED)
    words = [f"{a}{b}{c}" for a in "bdgklm" for b in "aeiou" for c in "nrst"]
    orders = [random.Random(seed).sample(words, len(words)) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for order, said in zip(orders, pool.map(shared, orders), strict=True):
            assert said == pronouncer(order)


def write_model(path: Path, metadata: dict[str, str], outputs: tuple[str, ...] = ("best", "log_probs")) -> Path:
    """Write a graph whose log_probs are one class wide."""
    nodes = [helper.make_node("Cast", ["letters"], [name], to=TensorProto.FLOAT) for name in outputs]
    shape = ("N", "L")
    made = [(name, TensorProto.FLOAT, shape) for name in outputs]
    save_graph(path, nodes, [("letters", TensorProto.INT64, shape)], made, {}, metadata)
    return path


def test_a_file_that_is_no_such_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"pronounce\.onnx: missing"):
        Pronouncer.load(tmp_path)
    path = tmp_path / "pronounce.onnx"
    whole = (BUNDLED / "pronounce.onnx").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"pronounce\.onnx: onnxruntime cannot load it"):
        Pronouncer.load(path)
    with pytest.raises(ModelFileError, match=r"not a pronunciation model: it has encoder_out, decoder_out, logit"):
        Pronouncer.load(BUNDLED / "joiner.onnx")
    right = {"letters": "abc", "phones": "<blk> a b"}
    with pytest.raises(ModelFileError, match="not a pronunciation model"):
        Pronouncer.load(write_model(path, right, ("best",)))
    for metadata in ({}, {"letters": "abc"}, {**right, "letters": "\u00e4"}, {**right, "phones": "<blk>"}):
        with pytest.raises(ModelFileError, match="metadata 'letters'"):
            Pronouncer.load(write_model(path, metadata))
    with pytest.raises(ModelFileError, match=r"log_probs has shape \(1, 3\); expected \[N, T, 3\]"):
        Pronouncer.load(write_model(path, right))


def test_the_bundled_file_is_small() -> None:
    assert resolve("assistant-en") == BUNDLED
    assert (BUNDLED / "pronounce.onnx").stat().st_size <= 150_000
