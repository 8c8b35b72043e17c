"""The language model that a speech model brings along: shallow fusion with an n-gram over the same word pieces.

Shallow fusion after Gulcehre et al. 2015 (arXiv 1503.03535). The file is what ``nearword lm train`` writes.
"""

import threading
from weakref import WeakKeyDictionary

from ...lattice.rescoring import NgramModel, StatefulScorer, Weighted, load_ngram
from ...models import Transducer

FILE = "lm.bin"
"""Its name in the model's folder."""
DEFAULT_WEIGHT = 0.3
"""How much a language model counts beside the acoustic score: least errors on the dev sets, in 0.1 to 0.4."""
WEIGHT_WITH_PHRASES = 0.15
"""The same where phrases are boosted: a name that is on no list has the language model against it, and listed ones
that sound like it win too often."""
BONUS_PER_WEIGHT = 3.0
"""What each token is given per weight of the language model: about its price, so that words are not left out."""

_known: WeakKeyDictionary[Transducer, dict[float, Weighted]] = WeakKeyDictionary()
_lock = threading.Lock()


def weighted(ngram: StatefulScorer, weight: float = DEFAULT_WEIGHT) -> Weighted:
    """Return what ``ngram`` adds to a search's scores."""
    return Weighted(ngram, weight, BONUS_PER_WEIGHT * weight)


def load_own(model: Transducer) -> NgramModel | None:
    """Read the language model in the folder of ``model``; None where there is none.

    Raises:
        LanguageModelError: it cannot be read, or is over other word pieces.
    """
    path = model.info.folder / FILE
    if not path.exists():
        return None
    return load_ngram(path, model.vocabulary.tokens)


def own_language(model: Transducer, weight: float = DEFAULT_WEIGHT) -> Weighted | None:
    """Return the language model of ``model`` at a weight, loaded once and shared by all streams; None without one.

    Raises:
        LanguageModelError: it cannot be read, or is over other word pieces.
    """
    with _lock:
        if model not in _known:
            ngram = load_own(model)
            _known[model] = {} if ngram is None else {DEFAULT_WEIGHT: weighted(ngram)}
        known = _known[model]
        if known and weight not in known:
            known[weight] = weighted(known[DEFAULT_WEIGHT].model, weight)
        return known.get(weight)
