"""Word lattices: everything that may have been said, small and exact."""

from .determinize import DeterminizeSettings, determinize
from .errors import LatticeError
from .formats import DEFAULT_LIMITS, FORMATS, Limits, decode, encode, read_lattice, write_lattice
from .lattice import ACOUSTIC, BIAS, LANGUAGE, Lattice
from .nbest import Path, n_best
from .oracle import OracleResult, oracle
from .posterior import posteriors, total, word_confidences
from .prune import best_only, limit_arcs, limit_depth, prune, subset, to_budget, trim
from .token_lattice import TokenArc, TokenLattice

__all__ = [
    "ACOUSTIC",
    "BIAS",
    "DEFAULT_LIMITS",
    "DeterminizeSettings",
    "FORMATS",
    "LANGUAGE",
    "Lattice",
    "LatticeError",
    "Limits",
    "OracleResult",
    "Path",
    "TokenArc",
    "TokenLattice",
    "best_only",
    "decode",
    "determinize",
    "encode",
    "limit_arcs",
    "limit_depth",
    "n_best",
    "oracle",
    "posteriors",
    "prune",
    "read_lattice",
    "subset",
    "to_budget",
    "total",
    "trim",
    "word_confidences",
    "write_lattice",
]
