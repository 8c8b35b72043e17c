"""The language model that a speech model brings along: shallow fusion with an n-gram over the same word pieces.

Shallow fusion after Gulcehre et al. 2015 (arXiv 1503.03535). What the transducer has learnt of the language itself is
taken off again in part (Meng et al. 2020, arXiv 2011.01991; with so short a context it is the low-order density ratio
of Zheng et al. 2022, arXiv 2203.16776). The file is what ``nearword lm train`` writes.
"""

import threading
from collections.abc import Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary, ref

import numpy as np
import numpy.typing as npt

from ...lattice.language import NgramModel, StatefulScorer
from ...models import Transducer
from .internal import internal_log_probs

Row = npt.NDArray[np.float32]

FILE = "lm.bin"
"""Its name in the model's folder."""
DEFAULT_WEIGHT = 0.4
"""How much a language model counts beside the acoustic score: least errors on the dev sets, in 0.3 to 0.6."""
INTERNAL_PER_WEIGHT = 0.5
"""How much of the transducer's own language model is taken off, per weight of the other."""
BONUS_PER_WEIGHT = 1.75
"""What each token is given per weight: about its price, so that words are not left out."""
LEAST_INTERNAL = -12.0
"""The internal model's least log-probability: what it finds absurd is not made likely by that."""
KEPT_ROWS = 1024
"""Rows of scores that are kept, the last used ones."""

_known: WeakKeyDictionary[Transducer, dict[float, "Fusion"]] = WeakKeyDictionary()
_lock = threading.Lock()


class Fusion:
    """What a language model adds to a search's scores: its own, weighted, less the transducer's internal ones."""

    def __init__(self, model: Transducer, language: StatefulScorer, weight: float = DEFAULT_WEIGHT) -> None:
        """Weigh ``language``, which is over the tokens of ``model``."""
        self.language, self.weight = language, weight
        self._model = ref(model)
        self._base = len(model.vocabulary) + 1
        self._contexts: int = self._base**model.info.context_size
        """A state is that of ``language`` times this, plus the predictor's context: tokens plus one, to that base."""
        self._never = [token for token in (model.vocabulary.blank_id, model.vocabulary.unk_id) if token is not None]
        self.start = language.start * self._contexts + 1 + model.vocabulary.blank_id
        self._scores = lru_cache(KEPT_ROWS)(self._compute)
        self._internal = lru_cache(KEPT_ROWS)(self._compute_internal)

    def scores(self, state: int) -> Row:
        """Return what each token adds in ``state``, [vocab_size]; 0 for blank."""
        return self._scores(state)

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``; a blank changes nothing."""
        if token == self._never[0]:
            return state
        state, context = divmod(state, self._contexts)
        context = (context * self._base + token + 1) % self._contexts
        return self.language.advance(state, token) * self._contexts + context

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds."""
        return self.weight * self.language.final(state // self._contexts)

    def ending(self, tokens: Sequence[int]) -> float:
        """Return the language model's own log-probability (natural) that a sentence ends after ``tokens``."""
        state = self.language.start
        for token in tokens:
            state = self.language.advance(state, token)
        return self.language.final(state)

    def _compute(self, state: int) -> Row:
        state, context = divmod(state, self._contexts)
        row: Row = self.language.scores(state) - np.float32(INTERNAL_PER_WEIGHT) * self._internal(context)
        row = (row + np.float32(BONUS_PER_WEIGHT)) * np.float32(self.weight)
        row[self._never] = 0.0
        row.flags.writeable = False
        return row

    def _compute_internal(self, context: int) -> Row:
        model = self._model()
        if model is None:
            raise ReferenceError("the transducer that this language model was weighed for is gone")
        tokens = []
        for _ in range(model.info.context_size):
            context, token = divmod(context, self._base)
            tokens.append(token - 1)
        return np.asarray(np.maximum(internal_log_probs(model, [tuple(reversed(tokens))])[0], LEAST_INTERNAL))


def load_own(model: Transducer) -> NgramModel | None:
    """Read the language model in the folder of ``model``; None where there is none.

    Raises:
        LanguageModelError: it cannot be read, or is over other word pieces.
    """
    path = model.info.folder / FILE
    if not path.is_file():
        return None
    from ...lattice.language import load_ngram  # noqa: PLC0415 (only where there is one)

    return load_ngram(path, model.vocabulary.tokens)


def own_language(model: Transducer, weight: float = DEFAULT_WEIGHT) -> Fusion | None:
    """Return the language model of ``model`` at a weight, loaded once and shared by all streams; None without one.

    Raises:
        LanguageModelError: the file cannot be read, or is over other word pieces.
    """
    with _lock:
        if model not in _known:
            ngram = load_own(model)
            _known[model] = {} if ngram is None else {DEFAULT_WEIGHT: Fusion(model, ngram)}
        known = _known[model]
        if known and weight not in known:
            known[weight] = Fusion(model, known[DEFAULT_WEIGHT].language, weight)
        return known.get(weight)
