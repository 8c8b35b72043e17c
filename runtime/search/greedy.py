"""Greedy transducer search: at most one token per encoder frame, the best one, nothing kept of the rest.

Same search as sherpa-onnx's ``greedy_search`` and icefall's ``--max-sym-per-frame 1``. The joiner is run on several
frames at once with the present context; the frames up to the first token are decided by that one run, the rest is run
again with the new context. Few are asked for where tokens come thick, ever more while none comes. The tokens are those
of the frame-by-frame search.
"""

import numpy as np
import numpy.typing as npt

from ...lattice import TokenArc, TokenLattice
from ...models import Transducer

FEWEST = 2
"""Frames that the joiner is run on at least: two cost hardly more than one."""


class GreedySearch:
    """The search over one utterance."""

    def __init__(self, model: Transducer) -> None:
        self._model = model
        size = model.info.context_size
        self._context: tuple[int, ...] = (-1,) * (size - 1) + (model.vocabulary.blank_id,)
        self._decoder_out = model.predict(self._context)
        self.tokens: list[int] = []
        """Token ids so far."""
        self.frames: list[int] = []
        """Encoder frame of each token, counted since the search began."""
        self.log_probs: list[float] = []
        """Log-probability of each token at its frame."""
        self.frames_seen = 0
        """Encoder frames searched."""
        self._reach = FEWEST
        """Frames that the joiner is run on next."""
        self._decided: list[npt.NDArray[np.float32]] = []
        """Logits of the latest step's frames, [n, vocab_size]."""

    @property
    def blank_probability(self) -> float:
        """Mean probability of the blank over the frames of the latest step: high where nothing more is coming."""
        blank, blanks, count = self._model.vocabulary.blank_id, 0.0, 0
        for decided in self._decided:
            weights = np.exp(decided - decided.max(axis=1, keepdims=True))
            blanks += float((weights[:, blank] / weights.sum(axis=1)).sum())
            count += len(decided)
        return blanks / count if count else 1.0

    @property
    def trailing_blanks(self) -> int:
        """Encoder frames since the last token (since the beginning, if there is none)."""
        return self.frames_seen - (self.frames[-1] + 1 if self.frames else 0)

    def advance(self, encoder_out: npt.NDArray[np.float32], phones: npt.NDArray[np.float32] | None = None) -> None:
        """Search on through encoder frames [n, joiner_dim]; what phones were told does not matter here."""
        del phones
        model, silent = self._model, (self._model.vocabulary.blank_id, self._model.vocabulary.unk_id)
        position, count = 0, len(encoder_out)
        if count:
            self._decided = []
        while position < count:
            logits = model.join(encoder_out[position : position + self._reach], self._decoder_out)
            best = logits.argmax(axis=1).tolist()
            skip = next((k for k, token in enumerate(best) if token not in silent), None)
            self._decided.append(logits if skip is None else logits[: skip + 1])
            if skip is None:
                position += len(logits)
                self._reach = min(2 * self._reach, 2 * count)
                continue
            row, token = logits[skip], best[skip]
            self.tokens.append(token)
            self.frames.append(self.frames_seen + position + skip)
            self.log_probs.append(-float(np.log(np.add.reduce(np.exp(row - row[token])))))
            self._context = (*self._context[1:], token)
            self._decoder_out = model.predict(self._context)
            position += skip + 1
            self._reach = max(FEWEST, skip + 1)
        self.frames_seen += count

    @property
    def stable_tokens(self) -> int:
        """How many tokens will not change any more: all of them."""
        return len(self.tokens)

    def lattice(self) -> TokenLattice:
        """Return the one path there is."""
        arcs = [
            [TokenArc(k + 1, token, frame, log_prob, 0.0, 0.0)]
            for k, (token, frame, log_prob) in enumerate(zip(self.tokens, self.frames, self.log_probs, strict=True))
        ]
        return TokenLattice([*arcs, []], [*([None] * len(arcs)), (0.0, 0.0, 0.0)])

    def drop(self, tokens: int) -> TokenLattice:
        """Forget the first tokens and return the path of them; the search goes on."""
        taken = self.fork()
        for values, own in (
            (taken.tokens, self.tokens), (taken.frames, self.frames), (taken.log_probs, self.log_probs),
        ):  # fmt: skip
            del values[tokens:], own[:tokens]
        return taken.lattice()

    def fork(self) -> "GreedySearch":
        """Return a search in the same state that goes its own way."""
        other = GreedySearch.__new__(GreedySearch)
        other.__dict__.update(self.__dict__)
        other.tokens, other.frames, other.log_probs = self.tokens[:], self.frames[:], self.log_probs[:]
        return other
