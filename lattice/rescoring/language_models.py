"""What a rescoring service scores with: n-grams over the lattice itself, or a transformer over its best paths."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice
from ..nbest import n_best
from .contract import ScoredPath
from .errors import LanguageModelError
from .lm_rescore import RescoreLimits, rescore
from .masking import PLACEHOLDER
from .ngram import UNKNOWN, NgramModel
from .ngram_files import load_ngram


class LanguageModel(Protocol):
    """Finds the best paths of a lattice. Called in several threads at once."""

    @property
    def name(self) -> str:
        """What answers name it."""

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        """Return the best paths, best first; at least one, at most ``count``."""


@dataclass(frozen=True)
class Weights:
    """How the scores of a path are added up: acoustic + bias * bias + language * language + word_bonus * words."""

    language: float = 0.2
    """Share of the language model's score."""
    bias: float = 1.0
    """Share of what biasing added; 0 takes it away."""
    word_bonus: float = 1.0
    """Added for every word (natural logarithm): makes up for words the search leaves out, and for what each costs."""


DEFAULT_WEIGHTS = Weights()
RESCORE_LIMITS = RescoreLimits(states_per_node=16, beam=15.0, max_arcs=20_000)
"""What a request may cost: below a tenth of a second."""


def _bias_weighted(lattice: Lattice, weights: Weights) -> Lattice:
    """Return the lattice with weighted bias scores and the words' bonus, without language scores."""
    scores, final = lattice.scores * (1, weights.bias, 0), lattice.final.copy()
    scores[:, 0] += weights.word_bonus
    final[:, 1:] *= (weights.bias, 0)
    return Lattice(
        lattice.words, lattice.source, lattice.target, lattice.word, lattice.start, lattice.end,
        scores.astype(np.float32), final, lattice.offset,
    )  # fmt: skip


class NgramLanguageModel:
    """An n-gram model over all paths of the lattice."""

    def __init__(
        self,
        model: NgramModel,
        encode: Callable[[str], Sequence[int]] | None = None,
        *,
        name: str = "ngram",
        weights: Weights = DEFAULT_WEIGHTS,
    ) -> None:
        """Take a model.

        Args:
            model: over words or pieces.
            encode: returns the tokens of a word; without, the model is over words.
            name: what answers name it.
            weights: how scores are added up.
        """
        self.name = name
        self._model, self._weights = model, weights
        self._encode = encode or (lambda word: [model.number(word)])
        self._placeholder = [model.number(UNKNOWN)]

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        """Return the best paths, best first."""
        weight = self._weights.language
        scored = rescore(
            _bias_weighted(lattice, self._weights), self._model, self._tokens, weight, limits=RESCORE_LIMITS
        )
        return [
            ScoredPath(path.words, path.scores[2] / weight if weight else 0.0, path.total)
            for path in n_best(scored, count)
        ]

    def _tokens(self, word: str) -> Sequence[int]:
        return self._placeholder if PLACEHOLDER.fullmatch(word) else self._encode(word)


class CausalTransformer:
    """Any causal language model exported to ONNX, over the best paths of the lattice in one batch.

    Inputs: ``input_ids`` [N, T] int64; if the graph has them, ``attention_mask`` and ``position_ids`` [N, T] int64.
    First output: logits [N, T, V]. A graph that wants past keys and values is not for this: export it without.
    """

    def __init__(
        self,
        path: Path,
        encode: Callable[[str], Sequence[int]],
        *,
        begin: int,
        end: int | None = None,
        paths: int = 50,
        name: str | None = None,
        weights: Weights = DEFAULT_WEIGHTS,
        threads: int = 1,
    ) -> None:
        """Load the graph.

        Args:
            path: the .onnx file.
            encode: returns the tokens of a text.
            begin: token before the first.
            end: token after the last; without, ends are not scored.
            paths: how many of the lattice are scored.
            name: what answers name it; by default that of the file.
            weights: how scores are added up.
            threads: for each request.

        Raises:
            LanguageModelError: the graph cannot be loaded or is not as it should be.
        """
        import onnxruntime  # noqa: PLC0415 (a service with n-grams needs none)

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise LanguageModelError(f"{path}: is no ONNX graph that runs here ({str(error)[:200]})") from error
        self._inputs = [one.name for one in self._session.get_inputs()]
        others = set(self._inputs) - {"input_ids", "attention_mask", "position_ids"}
        if "input_ids" not in self._inputs or others:
            raise LanguageModelError(
                f"{path}: has the inputs {', '.join(self._inputs)[:200]}; expected input_ids, and attention_mask or "
                "position_ids at most (export without past keys and values)"
            )
        self.name = name or path.stem
        self._encode, self._begin, self._end, self._count, self._weights = encode, begin, end, paths, weights

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        """Return the best paths, best first."""
        paths = n_best(_bias_weighted(lattice, self._weights), self._count)
        language = self.log_probs([" ".join(map(_spoken, path.words)) for path in paths])
        scored = [
            ScoredPath(path.words, score, path.total + self._weights.language * score)
            for path, score in zip(paths, language, strict=True)
        ]
        return sorted(scored, key=lambda path: -path.total)[:count]

    def log_probs(self, texts: Sequence[str]) -> list[float]:
        """Return the log-probability of each text (natural logarithm), its end included."""
        ending = [] if self._end is None else [self._end]
        rows = [[self._begin, *self._encode(text), *ending] for text in texts]
        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        if longest == 1:
            return [0.0] * len(rows)
        feed = {"input_ids": ids, "attention_mask": mask, "position_ids": np.tile(np.arange(longest), (len(rows), 1))}
        outputs = self._session.run(None, {name: feed[name] for name in self._inputs})
        logits: npt.NDArray[np.float64] = np.asarray(outputs[0], np.float64)[:, :-1]
        highest = logits.max(2, keepdims=True)
        normalizer = highest[..., 0] + np.log(np.exp(logits - highest).sum(2))
        chosen = np.take_along_axis(logits, ids[:, 1:, None], 2)[..., 0]
        return [float(score) for score in ((chosen - normalizer) * mask[:, 1:]).sum(1)]


def _spoken(word: str) -> str:
    # what a private word was is not known here; its class is the nearest to it
    found = PLACEHOLDER.fullmatch(word)
    return found[1] if found else word


def sentencepiece_encoder(path: Path) -> Callable[[str], list[int]]:
    """Return what splits text as a SentencePiece model does, into its own numbers.

    Raises:
        LanguageModelError: the file is none.
    """
    import sentencepiece  # noqa: PLC0415 (models over words need none)

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.Load(str(path))
    except (OSError, RuntimeError) as error:
        raise LanguageModelError(f"{path}: is no SentencePiece model ({error})") from error
    return lambda text: [int(number) for number in processor.EncodeAsIds(text)]


def load_ngram_language_model(
    path: Path, pieces: Path | None = None, weights: Weights = DEFAULT_WEIGHTS
) -> NgramLanguageModel:
    """Read an n-gram model to serve.

    Args:
        path: ARPA or binary.
        pieces: the SentencePiece model, for a model over pieces.
        weights: how scores are added up.

    Raises:
        LanguageModelError: a file is none, or a model over pieces comes without them.
    """
    model = load_ngram(path)
    encode: Callable[[str], Sequence[int]] | None = None
    if model.unit == "pieces":
        if pieces is None:
            raise LanguageModelError(f"{path}: is over word pieces; name the SentencePiece model that makes them")
        encode = _piece_numbers(pieces, model)
    return NgramLanguageModel(model, encode, name=path.name.split(".")[0], weights=weights)


def _piece_numbers(path: Path, model: NgramModel) -> Callable[[str], list[int]]:
    import sentencepiece  # noqa: PLC0415 (models over words need none)

    sentencepiece_encoder(path)  # says what is wrong with the file
    processor = sentencepiece.SentencePieceProcessor()
    processor.Load(str(path))
    upper = not any(letter.islower() for symbol in model.symbols if symbol[:1] != "<" for letter in symbol)

    def encode(word: str) -> list[int]:
        pieces = processor.EncodeAsPieces(word.upper() if upper else word.lower())
        return [model.number(piece) for piece in pieces]

    return encode


def finite(paths: Sequence[ScoredPath]) -> bool:
    """Return whether all scores are finite numbers."""
    return all(math.isfinite(path.total) and math.isfinite(path.language) for path in paths)
