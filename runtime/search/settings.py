"""How wide the beam search is."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class BeamSettings:
    """How wide the search is.

    Raises:
        ValueError: a value is out of range; names the field.
    """

    max_active: int = 12
    """Nodes that live from one encoder frame to the next."""
    beam: float = 6.0
    """Log-probability by which a hypothesis may be worse than the best one."""
    max_symbols: int = 1
    """Tokens per encoder frame; models trained with one (most streaming ones, and the bundled one) want 1."""
    blank_penalty: float = 0.0
    """Taken from the blank's log-probability: more words, fewer deletions."""
    temperature: float = 1.0
    """Logits are divided by it; above 1 the model is less sure of itself."""
    recombine: bool = True
    """Whether equal futures become one node; without, every token sequence is its own, as in other decoders."""
    summed: bool = True
    """Whether a node's score is the sum over its paths (log-sum) or the best of them; sums make fewer errors."""

    @property
    def is_plain(self) -> bool:
        """Whether nothing bends the model's own probabilities, and a frame has one token at most."""
        return (self.max_symbols, self.blank_penalty, self.temperature) == (1, 0.0, 1.0)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("max_active", 1, 1024), ("beam", 0.0, math.inf), ("max_symbols", 1, 64), ("temperature", 1e-3, 1e3),
            ("blank_penalty", -100.0, 100.0),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {value}: expected {low} to {high}")


DEFAULT_BEAM = BeamSettings()
