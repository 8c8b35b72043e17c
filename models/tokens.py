"""Token ids to words: ``tokens.txt``, SentencePiece's word mark, byte pieces, letter case."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .errors import ModelFileError

WORD_MARK = "\u2581"
"""SentencePiece writes a space so."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
MAX_TOKENS = 100_000


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model, by id."""

    tokens: tuple[str, ...]
    """Pieces as they stand in ``tokens.txt``."""
    bpe_model: Path | None = None
    """SentencePiece model that made them, if the folder has one."""

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """Read ``folder/tokens.txt``: one ``token id`` a line, ids 0 to n - 1 in any order.

        Raises:
            ModelFileError: missing, not text, a line of another form, an id twice or left out, no blank at 0.
        """
        path = folder / "tokens.txt"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise ModelFileError(path, "missing; a model folder needs it beside the .onnx files") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ModelFileError(path, f"cannot be read as UTF-8 text ({error})") from error
        found: dict[int, str] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            # a token may itself be a space: only the id is split off
            token, _, index = line.rpartition(" ")
            if not index.isdecimal() or (int(index) > MAX_TOKENS):
                raise ModelFileError(path, f"line {number} is {line[:40]!r}; expected 'token id'")
            if int(index) in found:
                raise ModelFileError(path, f"line {number}: id {index} stands twice")
            found[int(index)] = token
        if not found:
            raise ModelFileError(path, "is empty; expected one 'token id' a line")
        gap = next((i for i in range(len(found)) if i not in found), None)
        if gap is not None:
            raise ModelFileError(path, f"id {gap} is left out; expected every id from 0 to {max(found)}")
        if not found[0].startswith("<b"):
            raise ModelFileError(path, f"token 0 is {found[0]!r}; expected the blank, <blk>")
        bpe = folder / "bpe.model"
        return cls(tuple(found[i] for i in range(len(found))), bpe if bpe.is_file() else None)

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
    def _pieces(self) -> tuple[bytes, ...]:
        def piece(token: str) -> bytes:
            byte = _BYTE.fullmatch(token)
            if byte:
                return bytes([int(byte[1], 16)])
            special = token.startswith("<") and token.endswith(">") and len(token) > 2
            return b"" if special else token.encode()

        return tuple(piece(token) for token in self.tokens)

    def text(self, ids: Sequence[int], *, lower: bool = True) -> str:
        """Return the words of ``ids`` with single spaces; lower case unless told otherwise.

        Byte pieces are put together to UTF-8; bytes that are none become U+FFFD.
        """
        text = b"".join(self._pieces[i] for i in ids).decode("utf-8", "replace").replace(WORD_MARK, " ")
        text = " ".join(text.split())
        return text.lower() if lower else text

    def word_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Return first and end index of the tokens of each word; words without a letter (a mark alone) are left out."""
        starts = [k for k, i in enumerate(ids) if self.word_starts[i] or k == 0]
        spans = zip(starts, [*starts[1:], len(ids)], strict=False)  # without ids there is no start, but an end
        return [(start, end) for start, end in spans if self.text(ids[start:end])]
