"""What to search with: how wide, what is boosted, and how much of the lattice is kept."""

from dataclasses import dataclass, field

from ...lattice import DeterminizeSettings
from ...models import Transducer
from .beam import BeamSearch, BeamSettings
from .greedy import GreedySearch
from .scorer import TokenScorer

Search = GreedySearch | BeamSearch
"""The search over one utterance."""


@dataclass(frozen=True)
class SearchOptions:
    """Everything about the search but the model. One may serve many streams."""

    beam: BeamSettings = field(default_factory=BeamSettings)
    """With ``max_active`` 1, the greedy search runs: less than half the work, one path."""
    bias: TokenScorer | None = None
    """Boosts phrases."""
    language: TokenScorer | None = None
    """A language model, weighted."""
    lattice: DeterminizeSettings = field(default_factory=DeterminizeSettings)
    """How much of what was searched becomes the word lattice."""

    def begin(self, model: Transducer) -> Search:
        """Return a search for a new utterance."""
        plain = self.bias is None and self.language is None and self.beam == BeamSettings(max_active=1)
        return GreedySearch(model) if plain else BeamSearch(model, self.beam, bias=self.bias, language=self.language)


DEFAULT_SEARCH = SearchOptions()
"""Beam search over four hypotheses, nothing boosted."""
GREEDY = SearchOptions(BeamSettings(max_active=1))
"""The fast path."""
