"""A transducer as a table: the log-probabilities of every frame and context are just there."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from nearword.models import Vocabulary


class TableModel:
    """What the searches need of a ``Transducer``; encoder frames are their own numbers."""

    phones = ()

    def __init__(self, tokens: tuple[str, ...], frames: int, seed: int, context_size: int = 2) -> None:
        rng = np.random.default_rng(seed)
        self.vocabulary = Vocabulary(tokens)
        self.info = SimpleNamespace(context_size=context_size, vocab_size=len(tokens), folder=Path("no-folder"))
        contexts = itertools.product(range(-1, len(tokens)), repeat=context_size)
        self._numbers = {context: number for number, context in enumerate(contexts)}
        self._logits = rng.normal(0, 2, (frames, len(self._numbers), len(tokens))).astype(np.float32)
        self.frames = np.arange(frames, dtype=np.float32)[:, None]

    def predict(self, context: tuple[int, ...]) -> np.ndarray:
        return np.asarray([[self._numbers[context]]], np.float32)

    def join(self, encoder_out: np.ndarray, decoder_out: np.ndarray) -> np.ndarray:
        return self._logits[encoder_out[:, 0].astype(int), decoder_out[:, 0].astype(int)]

    def log_probs(self, frame: int, context: tuple[int, ...]) -> np.ndarray:
        logits = self._logits[frame, self._numbers[context]].astype(np.float64)
        return logits - np.log(np.exp(logits).sum())

    @property
    def start(self) -> tuple[int, ...]:
        return (-1,) * (self.info.context_size - 1) + (0,)


class TableScorer:
    """Two states, scores by chance."""

    start = 0

    def __init__(self, vocab_size: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rows = rng.normal(0, 1, (3, vocab_size)).astype(np.float32)
        self.rows[:, 0] = 0
        self.rows.flags.writeable = False
        self.next = rng.integers(0, 3, (3, vocab_size))
        self.ends = rng.normal(0, 1, 3)

    def scores(self, state: int) -> np.ndarray:
        return self.rows[state]

    def advance(self, state: int, token: int) -> int:
        return int(self.next[state, token])

    def final(self, state: int) -> float:
        return float(self.ends[state])

    def pending(self, state: int) -> float:
        del state
        return 0.0

    def of(self, tokens: tuple[int, ...]) -> float:
        """Score of a whole token sequence, by the definition."""
        total, state = 0.0, self.start
        for token in tokens:
            total += float(self.rows[state, token])
            state = self.advance(state, token)
        return total + self.final(state)


def alignments(model: TableModel, max_symbols: int = 1) -> dict[tuple[int, ...], list[float]]:
    """Return every token sequence with the log-probabilities of all its alignments."""
    vocab = range(1, len(model.vocabulary))
    waiting = [((), model.start, 0.0)]
    for frame in range(len(model.frames)):
        done = []
        for emitted in range(1, max_symbols + 1):
            following = []
            for tokens, context, score in waiting:
                row = model.log_probs(frame, context)
                done.append((tokens, context, score + row[0]))
                for token in vocab:
                    entry = ((*tokens, token), (*context[1:], token), score + row[token])
                    (done if emitted == max_symbols else following).append(entry)
            waiting = following
        waiting = done
    out: dict[tuple[int, ...], list[float]] = {}
    for tokens, _, score in waiting:
        out.setdefault(tokens, []).append(score)
    return out
