"""Word lattices: everything that may have been said, small and exact."""

from .calibration import Calibration
from .confusion import Choice, ConfusionNetwork, Slot, confusion_network
from .determinize import DeterminizeSettings, determinize
from .errors import LatticeError
from .formats import DEFAULT_LIMITS, FORMATS, Format, Limits, decode, encode, read_lattice, write_lattice
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
    "FORMATS",
    "LANGUAGE",
    "Calibration",
    "Choice",
    "ConfusionNetwork",
    "DeterminizeSettings",
    "Format",
    "Lattice",
    "LatticeError",
    "Limits",
    "OracleResult",
    "Path",
    "Slot",
    "TokenArc",
    "TokenLattice",
    "best_only",
    "confusion_network",
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
