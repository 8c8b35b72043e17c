"""A causal transformer over a model's word pieces, on onnxruntime: how probable whole sentences are."""

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError
from .model_path import ModelPath
from .session import describe, metadata_int, open_session, runner

FILE = "lm.onnx"
"""Its name in a model's folder."""
INPUTS = ["input_ids", "position_ids", "attention_mask"]
MOST_TOKENS = 1_000_000
MOST_POSITIONS = 100_000

Longs = npt.NDArray[np.int64]


class SentenceModel:
    """A loaded network. Safe to share between threads."""

    def __init__(self, path: ModelPath, pieces: int, *, threads: int = 1) -> None:
        """Open ``lm.onnx`` of a model with so many word pieces.

        Raises:
            ModelFileError: missing, damaged, no such network, or over other pieces.
        """
        session = open_session(path, threads)
        inputs, outputs = (describe(path, found) for found in (session.get_inputs(), session.get_outputs()))
        ranks = [len(tensor.shape) for tensor in inputs]
        if [tensor.name for tensor in inputs] != INPUTS or ranks != [2, 2, 3] or len(outputs) != 1:
            names = ", ".join(tensor.name for tensor in inputs[:4])
            raise ModelFileError(
                path,
                f"its inputs are {names}; expected {', '.join(INPUTS)} with a mask of three axes, as"
                " `python -m nearword.models.training lm-sentences` writes them",
            )
        metadata = dict(session.get_modelmeta().custom_metadata_map)
        size = metadata_int(path, metadata, "vocab_size", 1, MOST_TOKENS)
        if size != pieces + 1:
            raise ModelFileError(
                path, f"is over {size - 1} word pieces, the speech model over {pieces}; expected the same pieces"
            )
        self.begin = 0
        """Token before the first: the blank's, which is no piece."""
        self.end = pieces
        """Token behind the last."""
        self.positions = metadata_int(path, metadata, "max_position_embeddings", 4, MOST_POSITIONS)
        """Tokens of a sentence at most, ``begin`` included."""
        self._run, self._output = runner(session), [outputs[0].name]

    def logits(self, tokens: Longs, mask: Longs, positions: Longs) -> npt.NDArray[np.float32]:
        """Return the log-odds of what follows each token, [n, pieces + 1].

        Args:
            tokens: [1, n] Word pieces, ``begin`` first.
            mask: [1, n, n] Row t holds 1 for what token t may see, itself included.
            positions: [1, n] How many tokens are before each, of those that it sees.
        """
        feeds = {"input_ids": tokens, "position_ids": positions, "attention_mask": mask}
        return np.asarray(self._run(self._output, feeds)[0][0], np.float32)
