"""Word lattices: everything that may have been said, small and exact."""

from importlib import import_module
from typing import TYPE_CHECKING

from .alignment import Alignment, align
from .determinize import DeterminizeSettings, determinize
from .errors import LatticeError
from .insertion import Insertion, insert
from .lattice import ACOUSTIC, BIAS, LANGUAGE, Lattice
from .minimize import minimize
from .nbest import Path, n_best
from .oracle import OracleResult, oracle
from .posterior import posteriors, total, word_confidences
from .prune import best_only, limit_arcs, limit_depth, prune, subset, to_budget, trim
from .token_lattice import TokenArc, TokenLattice

if TYPE_CHECKING:
    from .calibration import Calibration
    from .confusion import Choice, ConfusionNetwork, Slot, confusion_network
    from .formats import DEFAULT_LIMITS, FORMATS, Format, Limits, decode, encode, read_lattice, write_lattice

_LATER = {
    "Calibration": "calibration",
    "Choice": "confusion",
    "ConfusionNetwork": "confusion",
    "DEFAULT_LIMITS": "formats",
    "FORMATS": "formats",
    "Format": "formats",
    "Limits": "formats",
    "Slot": "confusion",
    "confusion_network": "confusion",
    "decode": "formats",
    "encode": "formats",
    "read_lattice": "formats",
    "write_lattice": "formats",
}
"""What is imported when it is asked for, and from where: recognition alone starts sooner."""

__all__ = [
    "ACOUSTIC",
    "BIAS",
    "DEFAULT_LIMITS",
    "FORMATS",
    "LANGUAGE",
    "Alignment",
    "Calibration",
    "Choice",
    "ConfusionNetwork",
    "DeterminizeSettings",
    "Format",
    "Insertion",
    "Lattice",
    "LatticeError",
    "Limits",
    "OracleResult",
    "Path",
    "Slot",
    "TokenArc",
    "TokenLattice",
    "align",
    "best_only",
    "confusion_network",
    "decode",
    "determinize",
    "encode",
    "insert",
    "limit_arcs",
    "limit_depth",
    "minimize",
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


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LATER[name]}", __name__), name)
    globals()[name] = value
    return value
