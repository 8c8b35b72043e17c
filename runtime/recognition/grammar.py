"""Commands of which a grammar says all that may be said: a search that hears nothing else, and whether it is right to.

>>> grammar = SlotGrammar(["(brew|make me) [a] [$SIZE] $DRINK"], {"size": ["large"], "drink": ["mocha", "latte"]})
>>> command = understand(load_model(), stream_audio("order.wav"), grammar)
>>> command.filled.slots if command.accepted else "something else was said"
{'size': 'large', 'drink': 'mocha'}
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...biasing import BiasingError, Refused, Tokenizer, read_source
from ...biasing.constraint import DEFAULT_PENALTY, DEFAULT_REWARD, DEFAULT_SHARE, GrammarScorer
from ...biasing.slots import Filled, SlotGrammar
from ...lattice import DeterminizeSettings, Lattice
from ...lattice.viterbi import best_to_end
from ...models import Transducer
from ...models.encoder import Encoded
from ...models.samples import Samples
from ..search import BeamSettings, Search, SearchOptions
from .biasing import bias_vocabulary, surprise_of
from .encoder_stream import AudioEncoder
from .events import Command
from .second_pass import word_lattice
from .text import normalise

FREE_SEARCH = SearchOptions(BeamSettings(max_active=4), language=None)
"""What an order has to hold its own against: a search whose scores are the speech model's alone."""
GRAMMAR_BEAM = BeamSettings(max_active=24, beam=12.0)
"""Wider than for free speech: what fits may lie far behind what the model holds likeliest."""
LEAST_ODDS = 1.4
"""By how much each word of a command has to be likelier than what was heard without the grammar (natural logarithm).
Rewards add up with every word, so longer commands have more to prove. Of 240 sentences that are none, 2 pass, where 32
are likelier than what was heard. Of 412 orders understood in quiet to 18 dB of kitchen noise all do, of 336 at 15 to
6 dB 14 do not."""
EXAMPLE = '{"templates": {"tell": ["tell my $WHO [that] i am $WHAT"]}, "classes": {"who": [...], "what": [...]}}'


@dataclass(frozen=True)
class Understood:
    """What a recording asks for."""

    filled: Filled | None
    """Of all that the grammar allows, what was most probably said; None if nothing was."""
    log_odds: float
    """How much likelier that is than words of any kind (natural logarithm)."""

    @property
    def accepted(self) -> bool:
        """Whether it is so much likelier that nothing else was said."""
        return self.filled is not None and self.log_odds > LEAST_ODDS * len(self.filled.words)

    @property
    def command(self) -> Command:
        """The same as events have it."""
        if self.filled is None or not self.accepted:
            return Command(accepted=False)
        filled = self.filled
        return Command(True, filled.intent, dict(filled.slots), " ".join(filled.words), round(self.log_odds, 2))


def read_grammar(path: str | Path) -> tuple[SlotGrammar, list[Refused]]:
    """Return the grammar of a file, and what of it is not used, with reasons.

    The file is JSON: ``classes`` name to list of phrases, as in a file of phrases, and ``templates``, in which they
    stand as ``$NAME``: a list, or by the intent that they stand for. Slots come out in lower case.

    Raises:
        BiasingError: the file cannot be read, has no templates, or one that cannot be used; names it.
    """
    source = read_source(path)
    if not source.templates:
        raise BiasingError(f"{path}: a grammar needs templates; expected for example {EXAMPLE}")
    classes: dict[str, list[str]] = {}
    for phrase in source.phrases.phrases:
        classes.setdefault(phrase.cls, []).append(normalise(phrase.text))
    try:
        return SlotGrammar(source.intents, classes), list(source.phrases.refused)
    except BiasingError as error:
        raise BiasingError(f"{path}: {error}") from error


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


class GrammarUnderstanding:
    """A grammar made ready for a model; may be shared by any number of streams.

    >>> recognizer = Recognizer(model, grammar=GrammarUnderstanding(model, grammar))
    """

    def __init__(self, model: Transducer, grammar: SlotGrammar, search: SearchOptions | None = None) -> None:
        """Make the search ready, or take one as ``search_with_grammar`` gives it; raises as that does."""
        self.model, self.grammar = model, grammar
        self.search = search_with_grammar(model, grammar) if search is None else search
        """The search that hears nothing but the grammar."""

    def searches(self) -> "GrammarSearches":
        """Return the searches of a new utterance."""
        return GrammarSearches(self)


class GrammarSearches:
    """One utterance, while it is spoken: what it asks for may be had at any time.

    It is searched with the grammar and without: only so can a command be told from what no grammar knows.
    """

    def __init__(self, grammar: GrammarUnderstanding) -> None:
        self._grammar = grammar
        self._constrained = grammar.search.begin(grammar.model)
        self._free = FREE_SEARCH.begin(grammar.model)

    def advance(self, step: Encoded) -> None:
        """Search on through a step of the encoder."""
        self._constrained.advance(step.out)
        self._free.advance(step.out)

    def understood(self, completion: Iterable[Encoded] = ()) -> Understood:
        """Return what the utterance asks for if it ends after ``completion``; it may go on all the same."""
        constrained, free = self._constrained.fork(), self._free.fork()
        for step in completion:
            constrained.advance(step.out)
            free.advance(step.out)
        filled = self._grammar.grammar.fill_best(self._lattice(constrained))
        return compare(filled, self._lattice(free))

    def _lattice(self, search: Search) -> Lattice:
        return word_lattice(self._grammar.model, search.lattice(), DeterminizeSettings())


def understand(
    model: Transducer, audio: Iterable[Samples], grammar: SlotGrammar, search: SearchOptions | None = None
) -> Understood:
    """Return what a recording asks for.

    Args:
        model: that listens.
        audio: blocks of samples [n], 16 kHz mono float32 in [-1, 1], as ``stream_audio`` gives them.
        grammar: what may be said.
        search: as ``search_with_grammar`` gives it; to be kept where there are many recordings.
    """
    searches, encoder = GrammarUnderstanding(model, grammar, search).searches(), AudioEncoder(model)
    for samples in audio:
        for step in encoder.accept(samples):
            searches.advance(step)
    for step in encoder.finish():
        searches.advance(step)
    return searches.understood()


def compare(filled: Filled | None, free: Lattice) -> Understood:
    """Return how much likelier a command is than what was heard in the same audio without the grammar."""
    return Understood(filled, -math.inf if filled is None else filled.score - best_to_end(free)[0])
