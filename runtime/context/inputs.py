"""What a context is computed from: plain data, as it stands at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .acts import Act

MAX_TEXT = 2000
"""Characters of a reply that are looked at, the last ones: what is asked stands at the end."""
MAX_TERMS = 200
"""Phrases of a source that are used, those of the greatest value; ``Computed.left_out`` says how many are not."""


@dataclass(frozen=True)
class ContextInput:
    """What was said, asked and shown."""

    reply: str = ""
    act: Act | None = None
    """What the reply asks for; None: told by its words."""
    screen: tuple[str, ...] = ()
    entities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Class, lower case, to its entries."""
    device: str = ""
    room: str = ""
    """Where the device is."""
    heard: tuple[str, ...] = ()
    """What was said before, the latest last."""

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.reply or self.screen or self.entities or self.device or self.room or self.heard or self.act)
