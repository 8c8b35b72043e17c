"""What to search with: how wide, what is boosted, and how much of the lattice is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from ...lattice import DeterminizeSettings
from ...models import Transducer
from ...models.branching import Effort
from .attended_lists import AttendedBias, attention_to
from .attention import ListAttention
from .beam import BeamSearch
from .greedy import GreedySearch
from .language import own_language
from .scorer import BiasScorer, LiveBias, TokenScorer
from .settings import BeamSettings
from .two_searches import TwoSearches

MANY_PHRASES = 300
"""With more of them, less of their strength counts in the search, where they are looked for by their sound at the end
as well: with all of it the search finds names that nobody said, and keeps nothing else to choose from."""
SHARE_OF_MANY = 0.7
"""What then counts of it."""
Search = GreedySearch | BeamSearch | TwoSearches
"""The search over one utterance."""


@dataclass(frozen=True)
class SearchOptions:
    """Everything about the search but the model: plain data, which any number of streams may share."""

    beam: BeamSettings = field(default_factory=BeamSettings)
    """With ``max_active`` 1, the greedy search runs: less than half the work, one path."""
    bias: BiasScorer | LiveBias | None = None
    """Boosts phrases. Of lists that change every stream has a layer of its own (see ``recognition.session``); edits
    take effect at the next encoder chunk."""
    fusion: bool = True
    """Whether phrases are boosted while the search runs (shallow fusion)."""
    spotting: bool = True
    """Whether they are looked for by their sound at the end of an utterance, where ``phones`` are."""
    attention: bool = False
    """Whether the model itself is made to expect them (see ``search.attention``), where its folder has the graphs for
    that and it tells phones; of ``biasing.Biasing`` lists alone, and never in the greedy search."""
    language: TokenScorer | Literal["own"] | None = "own"
    """A language model, weighted. ``own``: the one in the model's folder, if it has one and the search is no greedy
    one, with the same weight whether phrases are boosted or not: a list leaves other words alone; None: none."""
    phones: bool = True
    """Whether the words are compared with the phones that were heard, at the end of an utterance and where the model
    tells them (see ``recognition.second_pass``); never in the greedy search, which has nothing to choose from."""
    sentences: bool = True
    """Whether what may have been said is scored as whole sentences at the end of an utterance, where the model has a
    network for that (see ``recognition.sentences``) and its own language model takes part in the search; never in the
    greedy search."""
    effort: Effort = "full"
    """How much of the encoder is computed for each step; below ``full`` only of models that have a cheap branch (see
    ``models.branching``)."""
    lattice: DeterminizeSettings = field(default_factory=DeterminizeSettings)
    """How much of what was searched becomes the word lattice."""

    def has_second_pass(self, model: Transducer) -> bool:
        """Return whether words are compared with phones."""
        return self.phones and self.beam.max_active > 1 and bool(model.phones)

    def hears_phones(self, model: Transducer) -> bool:
        """Return whether the encoder is to tell phones."""
        return self.has_second_pass(model) or (self.attention and self.bias is not None and self.beam.max_active > 1)

    def attended(self, model: Transducer) -> ListAttention | None:
        """Return what is attended to now; None where there is nothing, or the model cannot.

        Raises:
            ModelFileError: the model's graphs for it are damaged or do not fit.
        """
        if not self.attention or not hasattr(self.bias, "spelled"):
            return None
        listed = cast("AttendedBias", self.bias)
        return attention_to(model, listed) if len(listed) else None

    def phrases(self, model: Transducer) -> BiasScorer | None:
        """Return what is boosted now."""
        bias = self.bias if self.fusion else None
        # by its method: asking a protocol at every chunk takes as long as a frame of the search
        if bias is None or not hasattr(bias, "snapshot"):
            return bias
        live = cast("LiveBias", bias)
        beside = self.spotting and self.has_second_pass(model)
        return live.snapshot(SHARE_OF_MANY if beside and len(live) > MANY_PHRASES else 1.0) if len(live) else None

    def is_greedy(self) -> bool:
        """Return whether the greedy search runs."""
        no_language = self.language is None or isinstance(self.language, str)
        return self.bias is None and no_language and self.beam.max_active == 1 and self.beam.is_plain

    def ending(self, model: Transducer, tokens: Sequence[int]) -> float | None:
        """Return the log-probability (natural) that a sentence ends after ``tokens``.

        By the model's own language model; None where that takes no part in the search.
        """
        language = None if self.is_greedy() or self.language != "own" else own_language(model)
        return None if language is None else language.ending(tokens)

    def begin(self, model: Transducer) -> GreedySearch | BeamSearch:
        """Return a search for a new utterance.

        Raises:
            LanguageModelError: the model's own language model cannot be read.
        """
        if self.is_greedy():
            return GreedySearch(model)
        language = own_language(model) if isinstance(self.language, str) else self.language
        return BeamSearch(model, self.beam, bias=self.phrases(model), language=language, attention=self.attended(model))

    def refresh(self, search: Search) -> None:
        """Move a search to what is boosted now, if that is something else."""
        if self.bias is not None and isinstance(search, BeamSearch):
            search.rebias(self.phrases(search.model))
            if self.attention:
                search.attention = self.attended(search.model)


DEFAULT_SEARCH = SearchOptions()
"""Beam search over twelve hypotheses with the model's own language model, nothing boosted."""
GREEDY = SearchOptions(BeamSettings(max_active=1))
"""The fast path."""
