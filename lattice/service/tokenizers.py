"""Text to the tokens of a language model: SentencePiece, or the tokenizer.json of public models."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..language.errors import LanguageModelError
from ..language.ngram import NgramModel
from ..tokenizer_file import open_tokenizer

Encode = Callable[[str], Sequence[int]]
PIECES = ("tokenizer.model", "spiece.model", "bpe.model")
"""What the file of a SentencePiece model may be called in a model's folder."""
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx")
"""What configurations call the longest input."""
DEFAULT_POSITIONS = 512


@dataclass(frozen=True)
class Tokenizer:
    """What a causal language model reads."""

    encode: Encode
    """Returns the tokens of a text, without begin and end."""
    begin: int
    """Token before the first."""
    end: int | None = None
    """Token after the last; without, ends are not scored."""
    max_positions: int = DEFAULT_POSITIONS
    """Tokens of a text at most, begin and end included; what comes after is not scored."""

    def row(self, text: str) -> list[int]:
        """Return the tokens of a text with begin and end."""
        ending = [] if self.end is None else [self.end]
        # the last token is only asked for, never read
        return [self.begin, *self.encode(text), *ending][: self.max_positions + 1]


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read ``config.json`` and ``tokenizer.model`` (SentencePiece) or ``tokenizer.json`` of a model's folder.

    Raises:
        LanguageModelError: a file is missing or not as it should be; names it.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LanguageModelError(
            f"{path}: cannot be read ({error.strerror}); it names the tokens of beginning and end"
        ) from error
    except ValueError as error:
        raise LanguageModelError(f"{path}: is no JSON ({error})") from error
    if not isinstance(config, dict):
        raise LanguageModelError(f"{path}: expected a JSON object with bos_token_id")
    begin, end = _token(path, config, "bos_token_id"), _token(path, config, "eos_token_id")
    if begin is None:
        begin = end  # some have one token for both
    if begin is None:
        raise LanguageModelError(f"{path}: lacks bos_token_id, the token before the first")
    longest = next((config[name] for name in POSITIONS if isinstance(config.get(name), int)), DEFAULT_POSITIONS)
    return Tokenizer(_encoder(folder), begin, end, max(1, min(longest, DEFAULT_POSITIONS)))


def _token(path: Path, config: dict[str, object], name: str) -> int | None:
    value = config.get(name)
    if isinstance(value, list) and value:
        value = value[0]  # several ends: the first is the text's
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise LanguageModelError(f"{path}: {name} is {value!r:.40}; expected the number of a token")


def _encoder(folder: Path) -> Encode:
    for name in PIECES:
        if (folder / name).is_file():
            return sentencepiece_encoder(folder / name)
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise LanguageModelError(f"{folder}: has neither {', '.join(PIECES)} nor tokenizer.json")
    loaded = open_tokenizer(path, LanguageModelError)
    return lambda text: [int(number) for number in loaded.encode(text, add_special_tokens=False).ids]


def sentencepiece_encoder(path: Path) -> Encode:
    """Return what splits text as a SentencePiece model does, into its own numbers.

    Raises:
        LanguageModelError: the file is none.
    """
    processor = _processor(path)
    return lambda text: [int(number) for number in processor.EncodeAsIds(text)]


def ngram_piece_encoder(path: Path, model: NgramModel) -> Encode:
    """Return what splits a word as a SentencePiece model does, into the numbers of an n-gram model over pieces.

    Raises:
        LanguageModelError: the file is none.
    """
    processor = _processor(path)
    upper = not any(letter.islower() for symbol in model.symbols if symbol[:1] != "<" for letter in symbol)

    def encode(word: str) -> list[int]:
        pieces = processor.EncodeAsPieces(word.upper() if upper else word.lower())
        return [model.number(piece) for piece in pieces]

    return encode


def _processor(path: Path) -> Any:
    import sentencepiece  # noqa: PLC0415 (models over words need none)

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.Load(str(path))
    except (OSError, RuntimeError) as error:
        raise LanguageModelError(f"{path}: is no SentencePiece model ({error})") from error
    return processor
