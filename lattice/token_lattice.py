"""What a transducer's beam search leaves: arcs with tokens, before they are put together to words."""

from dataclasses import dataclass
from typing import NamedTuple


class TokenArc(NamedTuple):
    """An arc to a later node."""

    target: int
    token: int
    """0: none, only blanks went by."""
    frame: int
    """Encoder frame of the token."""
    acoustic: float
    """Log-probability of the token and of the blanks before it."""
    bias: float
    language: float


@dataclass(frozen=True)
class TokenLattice:
    """Paths of tokens. Node 0 is the start; arcs lead to nodes of higher numbers; a node has at most one of token 0."""

    arcs: list[list[TokenArc]]
    """[nodes] Arcs that leave each node."""
    final: list[tuple[float, float, float] | None]
    """[nodes] Acoustic, bias and language score of ending there; None where no path ends."""
