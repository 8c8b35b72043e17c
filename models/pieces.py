"""SentencePiece models: what splits words into the pieces of a speech model."""

from typing import TYPE_CHECKING

from .errors import ModelFileError
from .model_path import ModelPath

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


def open_pieces(path: ModelPath) -> "SentencePieceProcessor":
    """Return the processor of a ``bpe.model``.

    Raises:
        ModelFileError: there is no such file, or it is no SentencePiece model.
    """
    import sentencepiece  # noqa: PLC0415 (only where words are split)

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(path.read_bytes())
    except (OSError, RuntimeError) as error:
        raise ModelFileError(path, f"is no SentencePiece model ({error})") from error
    return processor
