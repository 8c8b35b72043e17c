"""What to search with: how wide, what is boosted, and how much of the lattice is kept."""

from dataclasses import dataclass, field, replace
from typing import Literal, cast

from ...lattice import DeterminizeSettings
from ...models import Transducer
from .beam import BeamSearch
from .greedy import GreedySearch
from .language import DEFAULT_WEIGHT, TEMPERATURE_WITH_PHRASES, WEIGHT_WITH_PHRASES, own_language
from .scorer import BiasScorer, LiveBias, TokenScorer
from .settings import BeamSettings

Search = GreedySearch | BeamSearch
"""The search over one utterance."""


@dataclass(frozen=True)
class SearchOptions:
    """Everything about the search but the model. One may serve many streams."""

    beam: BeamSettings = field(default_factory=BeamSettings)
    """With ``max_active`` 1, the greedy search runs: less than half the work, one path."""
    bias: BiasScorer | LiveBias | None = None
    """Boosts phrases; lists that change take effect at the next encoder chunk."""
    language: TokenScorer | Literal["own"] | None = "own"
    """A language model, weighted. ``own``: the one in the model's folder, if it has one and the search is no greedy
    one, with less weight and a lower temperature where phrases are boosted; None: none."""
    lattice: DeterminizeSettings = field(default_factory=DeterminizeSettings)
    """How much of what was searched becomes the word lattice."""

    def phrases(self) -> BiasScorer | None:
        """Return what is boosted now."""
        bias = self.bias
        # by its method: asking a protocol at every chunk takes as long as a frame of the search
        if bias is None or not hasattr(bias, "snapshot"):
            return bias
        live = cast("LiveBias", bias)
        return live.snapshot() if len(live) else None

    def begin(self, model: Transducer) -> Search:
        """Return a search for a new utterance.

        Raises:
            LanguageModelError: the model's own language model cannot be read.
        """
        language = None if isinstance(self.language, str) else self.language
        if self.bias is None and language is None and self.beam.max_active == 1 and self.beam.is_plain:
            return GreedySearch(model)
        phrases, beam = self.phrases(), self.beam
        if isinstance(self.language, str):
            language = own_language(model, DEFAULT_WEIGHT if phrases is None else WEIGHT_WITH_PHRASES)
            if phrases is not None and language is not None:
                beam = replace(beam, temperature=beam.temperature * TEMPERATURE_WITH_PHRASES)
        return BeamSearch(model, beam, bias=phrases, language=language)

    def refresh(self, search: Search) -> None:
        """Move a search to what is boosted now, if that is something else."""
        if self.bias is not None and isinstance(search, BeamSearch):
            search.rebias(self.phrases())

    def end_turn(self) -> None:
        """Note that an utterance has ended: what was boosted for one turn is forgotten."""
        if isinstance(self.bias, LiveBias):
            self.bias.end_turn()


DEFAULT_SEARCH = SearchOptions()
"""Beam search over eight hypotheses with the model's own language model, nothing boosted."""
GREEDY = SearchOptions(BeamSettings(max_active=1))
"""The fast path."""
