"""What a sentence encoder makes of texts: public ones know what means nearly the same (Reimers and Gurevych 2019).

It is needed while a teacher labels texts, never by what is learnt.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnderstandingError
from ..weights import Doubles

GRAPHS = ("model.onnx", "onnx/model.onnx")
"""Where the graph lies in a folder; the second is how public models are laid out."""
TOGETHER = 64
"""Texts that are encoded at once."""
LONGEST = 128
"""Tokens of a text that are looked at."""
_KNOWN = {"input_ids", "attention_mask", "token_type_ids"}
EXPECTED = "expected a folder with model.onnx (or onnx/model.onnx) and tokenizer.json, as sentence-transformers' models"


class SentenceEncoder:
    """An encoder of sentences as ONNX graph, with its tokenizer; a text's vector is the mean of its tokens' vectors."""

    def __init__(self, folder: Path, told: Callable[[str], None] = lambda _: None) -> None:
        """Load it.

        Args:
            folder: with ``model.onnx`` or ``onnx/model.onnx``, and ``tokenizer.json``.
            told: gets a line of progress now and then.

        Raises:
            UnderstandingError: a file is missing, or is not as it should be; names it.
        """
        import onnxruntime

        graph = next((folder / name for name in GRAPHS if (folder / name).is_file()), None)
        if graph is None or not (folder / "tokenizer.json").is_file():
            raise UnderstandingError(f"{folder}: holds no sentence encoder; {EXPECTED}")
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise UnderstandingError(f"{graph}: is no ONNX graph that runs here ({str(error)[:200]})") from error
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0]
        if "input_ids" not in self._inputs or self._inputs - _KNOWN or len(self._output.shape) != 3:
            raise UnderstandingError(
                f"{graph}: has the inputs {', '.join(sorted(self._inputs))[:200]} and an output of "
                f"{len(self._output.shape)} axes; expected {', '.join(sorted(_KNOWN))}, and [texts, tokens, size]"
            )
        self._told = told

    def __call__(self, texts: Sequence[str]) -> Doubles:
        """Return a vector of each text, [texts, size]."""
        rows = [one.ids or [0] for one in self._tokenizer.encode_batch([text.lower() for text in texts])]
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))  # what is about as long goes together
        found: list[Doubles] = []
        for first in range(0, len(order), TOGETHER):
            if first % (10 * TOGETHER) == 0:
                self._told(f"what the sentence encoder makes of texts: {first:,} of {len(order):,}")
            found.append(self._means([rows[number] for number in order[first : first + TOGETHER]]))
        vectors = np.concatenate(found)
        out = np.empty_like(vectors)
        out[order] = vectors
        return out

    def _means(self, rows: Sequence[Sequence[int]]) -> Doubles:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)], mask[number, : len(row)] = row, 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens = self._session.run([self._output.name], {name: given[name] for name in self._inputs})[0]
        counted = np.einsum("ntd,nt->nd", tokens.astype(np.float64), mask)
        out: Doubles = counted / mask.sum(1, keepdims=True)
        return out


def _tokenizer(path: Path) -> Any:
    try:
        package = import_module("tokenizers")  # for public models only
    except ImportError as error:
        raise UnderstandingError(f"{path}: needs the package tokenizers: pip install tokenizers") from error
    try:
        loaded = package.Tokenizer.from_file(str(path))
    except Exception as error:  # the package raises Exception itself
        raise UnderstandingError(f"{path}: is no tokenizer ({str(error)[:200]})") from error
    loaded.no_padding()
    loaded.enable_truncation(LONGEST)
    return loaded
