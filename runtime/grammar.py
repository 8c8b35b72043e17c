"""Commands of which a grammar says all that may be said: a search that hears nothing else.

>>> grammar = SlotGrammar(["(brew|make me) [a] [$SIZE] $DRINK"], {"size": ["large"], "drink": ["mocha", "latte"]})
>>> recognizer = Recognizer(model, search=search_with_grammar(model, grammar))
>>> grammar.fill_best(final.lattice).slots
{'size': 'large', 'drink': 'mocha'}
"""

from ..biasing import Tokenizer
from ..biasing.constraint import DEFAULT_PENALTY, DEFAULT_REWARD, DEFAULT_SHARE, GrammarScorer
from ..biasing.slots import SlotGrammar
from ..models import Transducer
from .biasing import bias_vocabulary, surprise_of
from .search import BeamSettings, SearchOptions

GRAMMAR_BEAM = BeamSettings(max_active=12, beam=12.0)
"""Wider than for free speech: what fits may lie far behind what the model holds likeliest."""


def search_with_grammar(
    model: Transducer,
    grammar: SlotGrammar,
    *,
    beam: BeamSettings = GRAMMAR_BEAM,
    penalty: float = DEFAULT_PENALTY,
    reward: float = DEFAULT_REWARD,
    share: float = DEFAULT_SHARE,
) -> SearchOptions:
    """Return the search that keeps a model to a grammar.

    Args:
        model: that listens.
        grammar: what may be said.
        beam: how wide the search is.
        penalty: score (natural logarithm) that a token outside of the grammar costs.
        reward: score that each token of the grammar earns.
        share: share of how unlikely the model itself finds a token that the token earns beside that, 0 to 1.

    Raises:
        BiasingError: the model has no tokens for a phrase or a word, or a number is out of range; names it.
    """
    scorer = GrammarScorer(
        grammar,
        Tokenizer(bias_vocabulary(model.vocabulary)),
        penalty=penalty,
        reward=reward,
        surprise=surprise_of(model),
        share=share,
        context_size=model.info.context_size,
    )
    return SearchOptions(beam, language=scorer)
