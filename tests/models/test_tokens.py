from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models import ModelFileError, Vocabulary


def vocabulary(*tokens: str) -> Vocabulary:
    return Vocabulary(("<blk>", "<unk>", *tokens))


def test_upper_case_tokens_come_out_lower_unless_asked() -> None:
    v = vocabulary("▁HELLO", "▁WOR", "LD", "'", "S")
    assert v.text([2, 3, 4, 5, 6]) == "hello world's"
    assert v.text([2, 3, 4, 5, 6], lower=False) == "HELLO WORLD'S"


def test_words_begin_at_the_mark() -> None:
    v = vocabulary("▁a", "b", "▁", "c")
    assert v.word_spans([2, 3, 4, 5, 2]) == [(0, 2), (2, 4), (4, 5)]
    assert v.word_spans([3, 4, 2]) == [(0, 1), (2, 3)], "a mark alone is no word; a first token without mark is one"
    assert v.word_spans([]) == []


def test_byte_pieces_are_put_together() -> None:
    v = vocabulary("▁caf", "<0xC3>", "<0xA9>")
    assert v.text([2, 3, 4]) == "café"
    assert v.text([2, 3]) == "caf\ufffd"


def test_special_tokens_are_shown_as_sherpa_onnx_shows_them() -> None:
    v = vocabulary("<sos/eos>", "▁hi", "<")
    assert v.text([2, 0, 3, 4]) == "<sos/eos> hi<"


@pytest.mark.parametrize("lines", ["#0 3\n", "#0 3\n#1 4\n", "#0 3\n#1 4\n#2 5\n#10 6\n"])
def test_disambiguation_symbols_behind_the_last_token_are_none(tmp_path: Path, lines: str) -> None:
    (tmp_path / "tokens.txt").write_text(f"<blk> 0\n▁a 1\n# 2\n{lines}", encoding="utf-8")
    assert Vocabulary.load(tmp_path).tokens == ("<blk>", "▁a", "#")


@pytest.mark.parametrize(
    "text",
    [
        "<blk> 0\r\n▁a 1\r\n  2\r\n", "<blk>\t0\n▁a\t1\n \t2\n", "\ufeff<blk> 0\n▁a 1 \n  2\n\n",
        "<eps> 0\n  2\n▁a 1", "<blk>   0\n▁a   1\n   2\n",
    ],
)  # fmt: skip
def test_token_lists_as_people_save_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokens.txt").write_bytes(text.encode())
    assert Vocabulary.load(tmp_path).tokens[1:] == ("▁a", " ")


@pytest.mark.parametrize("strange", ["\u3000", "\x85", "\u2028", "\x1c", "\x0b"])
def test_a_token_may_be_a_character_that_ends_lines_elsewhere(tmp_path: Path, strange: str) -> None:
    (tmp_path / "tokens.txt").write_bytes(f"<blk> 0\n{strange} 1\na 2\n".encode())
    assert Vocabulary.load(tmp_path).tokens == ("<blk>", strange, "a")


def in_bytes(text: str) -> str:
    """Text as icefall's byte-level BPE writes it before SentencePiece sees it."""
    high = [*range(288, 306), *range(308, 319), *range(321, 329), *range(330, 383), *range(384, 423)]
    return "".join(chr(byte) if byte < 127 else chr(high[byte - 127]) for byte in text.encode()).replace(" ", "▁")


def test_byte_level_tokens_are_put_together() -> None:
    written = in_bytes(" 打开 café 你")
    pieces = ["▁", *written[1:4], written[4:7], *written[7:]]
    v = Vocabulary(("<blk>", "<sos/eos>", "<unk>", *dict.fromkeys(pieces)))
    assert v.is_byte_level
    assert v.text([v.tokens.index(piece) for piece in pieces]) == "打开 café 你"
    assert v.text([v.tokens.index(written[1])]) == "\ufffd"


@pytest.mark.parametrize(
    "words",
    [
        "▁labdien ▁ā č ē ģ ī ķ ļ ņ š ū ž", "▁ą č ę ė į š ų ū ž", "▁où ▁ça é è", "▁zażółć ▁gęślą", "▁hello '",
        "▁să ş ţ î", "▁şimdi ğ ö ü ç", "▁ő ű á", "你 好 ▁hi",
    ],
)  # fmt: skip
def test_letters_of_other_languages_are_no_bytes(words: str) -> None:
    v = Vocabulary(("<blk>", "<unk>", *words.split()))
    assert not v.is_byte_level
    assert v.text(range(2, len(v.tokens))).replace(" ", "") == words.replace("▁", "").replace(" ", "")


@given(st.lists(st.integers(0, 8), max_size=30))
def test_spans_hold_every_word_of_the_text(ids: list[int]) -> None:
    v = vocabulary("▁a", "b", "▁", "'", "▁xyz", "<0xC3>", "c")
    words = [v.text(ids[start:end]) for start, end in v.word_spans(ids)]
    assert " ".join(words) == v.text(ids)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "missing"),
        (b"", "is empty"),
        (b"<blk> 0\na 2\n", "id 1 is left out"),
        (b"<blk> 0\na 1\nb 1\n", "id 1 stands twice"),
        (b"<blk> 0\nab\n", "line 2"),
        (b"<blk> 0\na -1\n", "line 2"),
        (b"a 0\n<blk> 1\n", "expected the blank"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"<blk> 0\na 999999999999\n", "line 2"),
    ],
)
def test_bad_tokens_files_say_what_is_wrong(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "tokens.txt").write_bytes(content)
    with pytest.raises(ModelFileError, match=problem) as caught:
        Vocabulary.load(tmp_path)
    assert caught.value.path == tmp_path / "tokens.txt"
