"""Token ids to words: ``tokens.txt``, SentencePiece's word mark, byte pieces, letter case."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .errors import ModelFileError
from .model_path import ModelPath

WORD_MARK = "\u2581"
"""SentencePiece writes a space so."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
MAX_TOKENS = 100_000
KEPT_WORDS = 4096
"""Words whose text is kept, the last used ones."""
_LINE = re.compile(r"(.*)[ \t](\d+)[ \t\r]*", re.DOTALL)
_DISAMBIGUATION = re.compile(r"#\d+")
_MARK = WORD_MARK.encode()
_RANGES = ((256, 288), (32, 127), (288, 306), (308, 319), (321, 329), (330, 383), (384, 423))
"""Characters that stand for the bytes 0 to 255 in byte-level BPE, in this order."""
_BYTE_OF = {chr(code): byte for byte, code in enumerate(code for begin, end in _RANGES for code in range(begin, end))}


def _is_special(token: str) -> bool:
    return token.startswith("<") and token.endswith(">") and len(token) > 2


def _parse(path: ModelPath, lines: Sequence[str]) -> dict[int, str]:
    """Return tokens by id."""
    found: dict[int, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        # a token may itself be a space: only the id is split off
        parts = _LINE.fullmatch(line)
        if parts is None or int(parts[2]) > MAX_TOKENS:
            raise ModelFileError(path, f"line {number} is {line[:40]!r}; expected 'token id'")
        token, index = parts[1].strip(" \t") or " ", int(parts[2])
        if index in found:
            raise ModelFileError(path, f"line {number}: id {index} stands twice")
        found[index] = token
    return found


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, by id."""

    tokens: tuple[str, ...]
    """Pieces as they stand in ``tokens.txt``."""
    bpe_model: ModelPath | None = None
    """SentencePiece model that made them, if the folder has one."""

    @classmethod
    def load(cls, folder: ModelPath) -> "Vocabulary":
        """Read ``folder/tokens.txt``: one ``token id`` a line, ids 0 to n - 1 in any order.

        The disambiguation symbols ``#0``, ``#1`` ... that icefall's lexicons have after the last token are left out:
        no model has an output for them.

        Raises:
            ModelFileError: missing, not text, a line of another form, an id twice or left out, no blank at 0.
        """
        path = folder / "tokens.txt"
        try:
            # lines end in \n alone: a token may be a character that Python takes for the end of one
            lines = path.read_bytes().decode("utf-8-sig").split("\n")
        except FileNotFoundError as error:
            raise ModelFileError(path, "missing; a model folder needs it beside the .onnx files") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ModelFileError(path, f"cannot be read as UTF-8 text ({error})") from error
        found = _parse(path, lines)
        if not found:
            raise ModelFileError(path, "is empty; expected one 'token id' a line")
        gap = next((i for i in range(len(found)) if i not in found), None)
        if gap is not None:
            raise ModelFileError(path, f"id {gap} is left out; expected every id from 0 to {max(found)}")
        if not found[0].startswith("<b") and found[0] != "<eps>":
            raise ModelFileError(path, f"token 0 is {found[0]!r}; expected the blank, <blk>")
        last = len(found)
        while _DISAMBIGUATION.fullmatch(found[last - 1]):
            last -= 1
        bpe = folder / "bpe.model"
        return cls(tuple(found[i] for i in range(last)), bpe if bpe.is_file() else None)

    def __len__(self) -> int:
        """Return the number of tokens, blank included."""
        return len(self.tokens)

    @property
    def blank_id(self) -> int:
        """The id that stands for no token."""
        return 0

    @cached_property
    def unk_id(self) -> int | None:
        """The id of the unknown token; greedy search never puts it out, as in sherpa-onnx."""
        return self.tokens.index("<unk>") if "<unk>" in self.tokens else None

    @cached_property
    def word_starts(self) -> tuple[bool, ...]:
        """For each id, whether a new word begins with it."""
        return tuple(token.startswith(WORD_MARK) for token in self.tokens)

    @cached_property
    def is_byte_level(self) -> bool:
        """Whether tokens are strings of bytes, each written as a character (icefall's byte-level BPE).

        Bytes above 126 are then letters from U+0120 on; the first 32, which no text has, would be U+0100 to U+011F.
        """
        written = {char for token in self.tokens if not _is_special(token) for char in token if char != WORD_MARK}
        high = sum(_BYTE_OF.get(char, 0) > 126 for char in written)
        return high > 0 and all(_BYTE_OF.get(char, 0) >= 32 for char in written)

    @cached_property
    def _pieces(self) -> tuple[bytes, ...]:
        def piece(token: str) -> bytes:
            byte = _BYTE.fullmatch(token)
            if byte:
                return bytes([int(byte[1], 16)])
            if self.is_byte_level and not _is_special(token):
                return b"".join(_MARK if char == WORD_MARK else bytes([_BYTE_OF[char]]) for char in token)
            return token.encode()

        # the blank is never put out; others that stand in angle brackets are shown, as sherpa-onnx does
        return (b"", *(piece(token) for token in self.tokens[1:]))

    def text(self, ids: Sequence[int], *, lower: bool = True) -> str:
        """Return the words of ``ids`` with single spaces; lower case unless told otherwise.

        Byte pieces are put together to UTF-8; bytes that are none become U+FFFD.
        """
        text = b"".join(self._pieces[i] for i in ids).decode("utf-8", "replace").replace(WORD_MARK, " ")
        text = " ".join(text.split())
        return text.lower() if lower else text

    def words(self, ids: Sequence[int], *, lower: bool = True) -> list[tuple[str, int, int]]:
        """Return text, first and end index of the tokens of each word; words without a letter are left out."""
        begins, text_of = self.word_starts, self._word
        starts = [k for k, i in enumerate(ids) if begins[i] or k == 0]
        spans = zip(starts, [*starts[1:], len(ids)], strict=False)  # without ids there is no start, but an end
        return [
            (text, start, end) for start, end in spans if (text := text_of(tuple(ids[start:end]), lower=lower))
        ]  # a mark alone has none

    @cached_property
    def _word(self) -> "Callable[..., str]":
        # the words of an utterance are asked for at every step
        return lru_cache(KEPT_WORDS)(self.text)

    def word_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Return first and end index of the tokens of each word, as of ``words``."""
        return [(start, end) for _, start, end in self.words(ids)]
