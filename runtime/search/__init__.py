"""Searches over a transducer's output."""

from .beam import BeamSearch
from .greedy import GreedySearch
from .options import DEFAULT_SEARCH, GREEDY, Search, SearchOptions
from .scorer import BiasScorer, LiveBias, TokenScorer
from .settings import BeamSettings
from .two_searches import TwoSearches

__all__ = [
    "DEFAULT_SEARCH",
    "GREEDY",
    "BeamSearch",
    "BeamSettings",
    "BiasScorer",
    "GreedySearch",
    "LiveBias",
    "Search",
    "SearchOptions",
    "TokenScorer",
    "TwoSearches",
]
