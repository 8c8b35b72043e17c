"""How much a file may ask for before reading it is refused."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a reader accepts; the defaults keep it below 50 MB of memory whatever the file says."""

    max_bytes: int = 2_000_000
    """Size of the file, and of what it unpacks to."""
    max_nodes: int = 20_000
    """Nodes of the lattice."""
    max_arcs: int = 20_000
    """Arcs of the lattice, those without a word included."""
    max_depth: int = 10_000
    """Arcs on the longest path."""
    max_word_characters: int = 1_000
    """Length of a word."""


DEFAULT_LIMITS = Limits()
