"""Commands of which a grammar says all that may be said: a search that hears nothing else, and whether it is right to.

>>> grammar = SlotGrammar(["(brew|make me) [a] [$SIZE] $DRINK"], {"size": ["large"], "drink": ["mocha", "latte"]})
>>> command = understand(load_model(), stream_audio("order.wav"), grammar)
>>> command.filled.slots if command.log_odds > 0 else "something else was said"
{'size': 'large', 'drink': 'mocha'}
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ..biasing import Tokenizer
from ..biasing.constraint import DEFAULT_PENALTY, DEFAULT_REWARD, DEFAULT_SHARE, GrammarScorer
from ..biasing.slots import Filled, SlotGrammar
from ..lattice import Lattice
from ..lattice.viterbi import best_to_end
from ..models import Transducer
from ..models.audio import Samples
from .biasing import bias_vocabulary, surprise_of
from .search import BeamSettings, SearchOptions
from .transcriber import Transcriber

FREE_SEARCH = SearchOptions(BeamSettings(max_active=4), language=None)
"""What an order has to hold its own against: a search whose scores are the speech model's alone."""
GRAMMAR_BEAM = BeamSettings(max_active=24, beam=12.0)
"""Wider than for free speech: what fits may lie far behind what the model holds likeliest."""


@dataclass(frozen=True)
class Understood:
    """What a recording asks for."""

    filled: Filled | None
    """Of all that the grammar allows, what was most probably said; None if nothing was."""
    log_odds: float
    """How much likelier that is than words of any kind (natural logarithm); below 0, something else was said."""


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


def understand(
    model: Transducer, audio: Iterable[Samples], grammar: SlotGrammar, search: SearchOptions | None = None
) -> Understood:
    """Return what a recording asks for.

    It is listened to twice, with the grammar and without: only so can it be told from what no grammar knows.

    Args:
        model: that listens.
        audio: blocks of samples, 16 kHz mono, as ``stream_audio`` gives them.
        grammar: what may be said.
        search: as ``search_with_grammar`` gives it; to be kept where there are many recordings.
    """
    constrained = Transcriber(model, search or search_with_grammar(model, grammar))
    free = Transcriber(model, FREE_SEARCH)
    for samples in audio:
        for transcriber in (constrained, free):
            transcriber.accept(samples)
    for transcriber in (constrained, free):
        transcriber.finish()
    return compare(grammar.fill_best(constrained.lattice()), free.lattice())


def compare(filled: Filled | None, free: Lattice) -> Understood:
    """Return how much likelier a command is than what was heard in the same audio without the grammar."""
    return Understood(filled, -math.inf if filled is None else filled.score - best_to_end(free)[0])
