"""Decoding search over predictor and joiner."""

from .greedy import GreedySearch

__all__ = ["GreedySearch"]
