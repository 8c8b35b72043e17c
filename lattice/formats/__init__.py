"""Lattices in files: which forms there are, and reading and writing them by name."""

from .binary import decode, encode
from .limits import DEFAULT_LIMITS, Limits
from .registry import FORMATS, Format, read_lattice, write_lattice

__all__ = ["DEFAULT_LIMITS", "FORMATS", "Format", "Limits", "decode", "encode", "read_lattice", "write_lattice"]
