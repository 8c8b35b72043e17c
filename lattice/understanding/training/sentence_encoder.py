"""What a sentence encoder makes of texts: public ones know what means nearly the same (Reimers and Gurevych 2019).

It is needed while a teacher labels texts, never by what is learnt.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...tokenizer_file import open_tokenizer
from ..errors import UnderstandingError
from ..weights import Doubles, Floats

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
        self._tokenizer = open_tokenizer(folder / "tokenizer.json", UnderstandingError)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)
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

    def texts(self, texts: Sequence[str]) -> Doubles:
        """Return the mean of the vectors of each text's tokens, [texts, size]."""
        rows = self._tokenizer.encode_batch([text.lower() for text in texts])
        return np.stack([tokens.mean(0, dtype=np.float64) for tokens in self._encoded(rows, "texts")])

    def words(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        """Return the mean of the vectors of each word's tokens, [words, size] each; zeros beyond ``LONGEST``."""
        rows = self._tokenizer.encode_batch([list(words) for words in texts], is_pretokenized=True)
        found: list[Floats] = []
        for words, row, tokens in zip(texts, rows, self._encoded(rows, "words"), strict=True):
            sums, counts = np.zeros((len(words), tokens.shape[1]), np.float32), np.zeros((len(words), 1), np.float32)
            for word, token in zip(row.word_ids, tokens, strict=False):
                if word is not None:
                    sums[word] += token
                    counts[word] += 1
            sums /= np.maximum(counts, 1)
            found.append(sums)
        return found

    def _encoded(self, rows: Sequence[Any], what: str) -> list[Floats]:
        """Return the vectors of the tokens of each text, [tokens, size]."""
        numbers = [one.ids or [0] for one in rows]
        order = sorted(range(len(rows)), key=lambda number: len(numbers[number]))  # what is about as long goes together
        found: list[Floats] = [np.zeros((0, 0), np.float32)] * len(rows)
        for first in range(0, len(order), TOGETHER):
            if first % (10 * TOGETHER) == 0:
                self._told(f"what the sentence encoder makes of {what}: {first:,} of {len(order):,}")
            some = order[first : first + TOGETHER]
            for number, tokens in zip(some, self._together([numbers[number] for number in some]), strict=True):
                found[number] = tokens
        return found

    def _together(self, rows: Sequence[Sequence[int]]) -> list[Floats]:
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)], mask[number, : len(row)] = row, 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens = self._session.run([self._output.name], {name: given[name] for name in self._inputs})[0]
        return [one[: len(row)].astype(np.float32) for one, row in zip(tokens, rows, strict=True)]
