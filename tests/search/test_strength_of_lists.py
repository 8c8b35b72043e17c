"""How much of the strength of phrases counts in the search."""

import numpy as np
import pytest
from nearword.biasing import Biasing, Phrase
from nearword.models import Transducer
from nearword.runtime.recognition.biasing import bias_vocabulary
from nearword.runtime.search import SearchOptions
from nearword.runtime.search.options import MANY_PHRASES, SHARE_OF_MANY
from nearword.runtime.search.scorer import BiasScorer


@pytest.mark.parametrize(
    ("others", "spotting", "share"),
    [(0, True, 1.0), (MANY_PHRASES - 1, True, 1.0), (MANY_PHRASES, True, SHARE_OF_MANY), (MANY_PHRASES, False, 1.0)],
)
def test_of_long_lists_that_are_looked_for_by_sound_less_counts(
    bundled: Transducer, others: int, spotting: bool, share: float
) -> None:
    biasing = Biasing(bias_vocabulary(bundled.vocabulary))
    letters = "abcdefghijklmnopqrstuvwxyz"
    for text in ["the end", *(f"the {letters[k % 26]}{letters[k // 26]}" for k in range(others))]:
        biasing.add(Phrase(text))
    options = SearchOptions(bias=biasing, spotting=spotting)

    def best(scorer: BiasScorer) -> float:
        return float(np.max(scorer.scores(scorer.start)))

    found, whole = options.phrases(bundled), biasing.snapshot()
    assert found is not None
    assert best(whole) > 0
    assert best(found) == pytest.approx(share * best(whole), rel=1e-3)
