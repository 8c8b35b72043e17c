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


def test_special_tokens_are_no_text() -> None:
    v = vocabulary("<sos/eos>", "▁hi", "<")
    assert v.text([2, 1, 3, 4]) == "hi<"


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
