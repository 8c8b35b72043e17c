"""Whether an utterance goes by its context: what the search with it came to, against what the one without did.

A logistic regression on a few scores, learnt from answers and from requests that no context had foretold: an utterance
that is an answer from its first word to its last may cost some score, one that only holds a word of the context hardly
any.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..recognition.reading import Reading
from ..search import BeamSearch
from .language import ContextLanguage
from .weights import EVIDENCE

SUREST = 8.0
"""Log-odds of an answer, at most."""
MOST = 40.0
"""Differences of scores, at most: beyond, all is said."""


def evidence(search: BeamSearch, informed: Reading, plain: Reading) -> npt.NDArray[np.float64]:
    """Return what speaks for the words that a context brought, [EVIDENCE].

    Args:
        search: that went by the context.
        informed: what it came to.
        plain: what the search without came to.
    """
    language = search.language
    share = language.answered(search.tokens) if isinstance(language, ContextLanguage) else 0.5
    least = math.exp(-SUREST)
    answer = math.log(max(share, least) / max(1 - share, least))
    differences = informed.best.total - plain.best.total, informed.fit - plain.fit
    return np.array([1.0, *np.clip(differences, -MOST, MOST), answer])


def accepts(weights: Mapping[str, float], found: npt.NDArray[np.float64]) -> bool:
    """Return whether what was found speaks for the context's words, by learnt weights."""
    return float(sum(weights.get(name, 0.0) * value for name, value in zip(EVIDENCE, found.tolist(), strict=True))) > 0
