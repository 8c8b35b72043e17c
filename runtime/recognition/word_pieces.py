"""Words to the word pieces of a speech model, as its SentencePiece model splits them."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from ...models import ModelFileError
from ...models.pieces import open_pieces

if TYPE_CHECKING:
    from ...models.model_path import ModelPath
    from ...models.tokens import Vocabulary

CACHED_WORDS = 50_000
"""Words whose pieces are remembered."""


def piece_encoder(vocabulary: "Vocabulary", folder: "ModelPath") -> Callable[[str], list[int]]:
    """Return what splits a sentence into the model's pieces, by number; each word for itself.

    Letters get the case that the model's pieces have. A piece that is no token is ``<unk>``, or left out where there
    is none.

    Args:
        vocabulary: the model's.
        folder: the model's, for messages.

    Raises:
        ModelFileError: the folder has no ``bpe.model``, or it cannot be read.
    """
    if vocabulary.bpe_model is None:
        raise ModelFileError(folder / "bpe.model", "missing; it is needed to split words into pieces")
    processor = open_pieces(vocabulary.bpe_model)
    numbers = {token: number for number, token in enumerate(vocabulary.tokens)}
    unknown = vocabulary.unk_id
    upper = not any(letter.islower() for token in vocabulary.tokens if token[:1] != "<" for letter in token)

    @lru_cache(CACHED_WORDS)
    def pieces(word: str) -> tuple[int, ...]:
        cased = word.upper() if upper else word
        found = (numbers.get(piece, unknown) for piece in processor.EncodeAsPieces(cased))
        return tuple(number for number in found if number is not None)

    return lambda sentence: [number for word in sentence.split() for number in pieces(word)]
