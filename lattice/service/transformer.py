"""A causal transformer on the best paths of a lattice: any ONNX export, and a form that shares how paths begin."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..language.errors import LanguageModelError
from ..lattice import Lattice
from ..nbest import n_best
from ..rescoring.contract import ScoredPath
from ..rescoring.masking import PLACEHOLDER
from ..rescoring.token_tree import TokenTree
from .language_models import DEFAULT_WEIGHTS, LanguageModel, Weights, bias_weighted
from .tokenizers import Tokenizer, load_tokenizer

PAST = "past_key_values."
KNOWN_INPUTS = {"input_ids", "attention_mask", "position_ids"}
MAX_LOGITS = 2**24
"""Logits of one run at most (64 MB); more paths are more runs."""
MAX_TREE = 1024
"""Tokens of a tree at most: attention grows with the square."""
USUAL_VOCABULARY = 2**15
"""Taken where the graph does not say how many tokens there are."""

Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class CausalTransformer:
    """Any causal language model exported to ONNX, over the best paths of the lattice in one batch.

    Inputs: ``input_ids`` [N, T] int64; if the graph has them, ``attention_mask`` and ``position_ids`` [N, T] int64, and
    past keys and values, which are fed empty. First output: logits [N, T, V].

    With an ``attention_mask`` of three axes [N, T, T] (row t holds 1 for what position t may see) all paths go in as
    one tree: what they begin with in common is computed once. ``nearword.models.training`` exports this form.
    """

    def __init__(
        self,
        path: Path,
        tokenizer: Tokenizer,
        *,
        first: LanguageModel | None = None,
        paths: int = 50,
        name: str | None = None,
        weights: Weights = DEFAULT_WEIGHTS,
        threads: int = 1,
    ) -> None:
        """Load the graph.

        Args:
            path: the .onnx file.
            tokenizer: what it reads.
            first: chooses the paths, and its totals count too; without, those of the speech model.
            paths: how many of the lattice are scored.
            name: what answers name it; by default that of the file.
            weights: how scores are added up; with ``first``, only ``language`` and ``token_bonus`` count.
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
        self._inputs = {one.name: one for one in self._session.get_inputs()}
        others = [name for name in self._inputs if name not in KNOWN_INPUTS and not name.startswith(PAST)]
        if "input_ids" not in self._inputs or others:
            raise LanguageModelError(
                f"{path}: has the inputs {', '.join(self._inputs)[:200]}; expected input_ids, and attention_mask, "
                f"position_ids or {PAST}* at most"
            )
        mask = self._inputs.get("attention_mask")
        self._tree = mask is not None and len(mask.shape) == 3
        self._output = self._session.get_outputs()[0]
        vocabulary = self._output.shape[-1] if self._output.shape else None
        self._room = max(1, MAX_LOGITS // (vocabulary if isinstance(vocabulary, int) else USUAL_VOCABULARY))
        if self._tree:
            self._room = min(self._room, MAX_TREE)
        self.name = name or path.stem
        self._tokenizer, self._first, self._count, self._weights = tokenizer, first, paths, weights

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        """Return the best paths, best first."""
        if self._first is not None:
            paths = [(path.words, path.total) for path in self._first.best_paths(lattice, self._count)]
        else:
            paths = [(path.words, path.total) for path in n_best(bias_weighted(lattice, self._weights), self._count)]
        rows = [self.tokens(" ".join(map(_spoken, words))) for words, _ in paths]
        weights = self._weights
        scored = [
            ScoredPath(words, score, total + weights.language * (score + weights.token_bonus * len(row)))
            for (words, total), row, score in zip(paths, rows, self._score(rows), strict=True)
        ]
        return sorted(scored, key=lambda path: -path.total)[:count]

    def log_probs(self, texts: Sequence[str]) -> list[float]:
        """Return the log-probability of each text (natural logarithm), its end included if there is a token for it."""
        return self._score([self.tokens(text) for text in texts])

    def tokens(self, text: str) -> list[int]:
        """Return what the graph reads of a text, with begin and end."""
        return self._tokenizer.row(text)

    def _score(self, rows: Sequence[list[int]]) -> list[float]:
        score = self._score_tree if self._tree else self._score_padded
        # those of like length, or beginning alike, go together
        order = sorted(range(len(rows)), key=lambda k: rows[k] if self._tree else len(rows[k]))
        scores, begin = [0.0] * len(rows), 0
        while begin < len(order):
            end, longest = begin, 0
            while end < len(order):
                longest = max(longest, len(rows[order[end]]))
                if end > begin and longest * (end + 1 - begin) > self._room:
                    break
                end += 1
            chosen = order[begin:end]
            for place, found in zip(chosen, score([rows[k] for k in chosen]), strict=True):
                scores[place] = found
            begin = end
        return scores

    def _score_padded(self, rows: Sequence[list[int]]) -> list[float]:
        longest = max(map(len, rows)) - 1
        if not longest:
            return [0.0] * len(rows)
        ids, following = np.zeros((2, len(rows), longest), np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row) - 1], following[place, : len(row) - 1] = row[:-1], row[1:]
            mask[place, : len(row) - 1] = 1
        log_probs = _log_probs(self._run(ids, mask, np.tile(np.arange(longest), (len(rows), 1))), following)
        return [float(score) for score in (log_probs * mask).sum(1)]

    def _score_tree(self, rows: Sequence[list[int]]) -> list[float]:
        tree, places = TokenTree(), list[list[int]]()
        for row in rows:
            node, asked = -1, list[int]()
            for token, following in pairwise(row):
                node = tree.child(node, token)
                asked.append(tree.ask(node, following))
            places.append(asked)
        if not len(tree):
            return [0.0] * len(rows)
        answers = tree.answers(self._run(*tree.feeds(MAX_TREE))[0])
        return [float(answers[asked].sum()) for asked in places]

    def _run(self, ids: Longs, mask: Longs, positions: Longs) -> Floats:
        feed = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        inputs = {name: feed[name] for name in self._inputs if name in KNOWN_INPUTS}
        for name, one in self._inputs.items():
            if name.startswith(PAST):
                kind = np.float16 if one.type == "tensor(float16)" else np.float32
                inputs[name] = np.zeros([len(ids), *(n if isinstance(n, int) else 0 for n in one.shape[1:])], kind)
        logits = np.asarray(self._session.run([self._output.name], inputs)[0], np.float32)
        if logits.ndim != 3 or logits.shape[:2] != ids.shape:
            raise LanguageModelError(f"the graph gave logits of shape {logits.shape}; expected {ids.shape} and tokens")
        return logits


def _log_sums(logits: Floats) -> Floats:
    highest = logits.max(-1)
    return np.asarray(highest + np.log(np.exp(logits - highest[..., None]).sum(-1)), np.float32)


def _log_probs(logits: Floats, following: Longs) -> Floats:
    return np.asarray(np.take_along_axis(logits, following[..., None], -1)[..., 0] - _log_sums(logits), np.float32)


def _spoken(word: str) -> str:
    # what a private word was is not known here; its class is the nearest to it
    found = PLACEHOLDER.fullmatch(word)
    return found[1] if found else word


def load_transformer(
    folder: Path, *, first: LanguageModel | None = None, weights: Weights = DEFAULT_WEIGHTS, paths: int = 50
) -> CausalTransformer:
    """Load a folder with ``model.onnx``, its tokenizer and ``config.json``.

    Args:
        folder: as written by ``python -m nearword.models.training lm-transformer``, or an export of a public model.
        first: chooses the paths.
        weights: how scores are added up.
        paths: how many of the lattice are scored.

    Raises:
        LanguageModelError: a file is missing or not as it should be; names it.
    """
    graph = folder / "model.onnx"
    if not graph.is_file():
        raise LanguageModelError(f"{graph}: missing; expected a folder with model.onnx, a tokenizer and config.json")
    return CausalTransformer(
        graph, load_tokenizer(folder), first=first, paths=paths, name=folder.resolve().name, weights=weights
    )
