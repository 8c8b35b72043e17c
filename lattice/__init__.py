"""Word lattices: everything that may have been said, small and exact."""

from .errors import LatticeError
from .lattice import ACOUSTIC, BIAS, LANGUAGE, Lattice

__all__ = ["ACOUSTIC", "BIAS", "LANGUAGE", "Lattice", "LatticeError"]
