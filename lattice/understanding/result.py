"""What was understood, as plain data."""

from dataclasses import dataclass, field
from typing import Any

from .values import Value, ValueKind


@dataclass(frozen=True)
class FilledSlot:
    """A part of what was asked for: words with a name."""

    name: str
    """Name of the slot."""
    text: str
    """Its words."""
    first: int = 0
    """Place of its first word in the text that was understood."""
    end: int = 0
    """Place behind its last word."""
    start_time: float | None = None
    """Seconds at which its words begin; None where there was no audio."""
    end_time: float | None = None
    """Seconds at which they end."""
    kind: str | None = None
    """What its words are a value of, such as ``time``; None if they are words only. See ``values.ValueKind``."""
    value: str | int | float | None = None
    """That value."""
    confidence: float = 1.0
    """How sure it is, 0 to 1."""

    def as_value(self) -> Value | None:
        """Return the value for ``values.resolve``, None if there is none."""
        if self.kind is None or self.value is None:
            return None
        return Value(ValueKind(self.kind), self.value, self.first, self.end)


@dataclass(frozen=True)
class Understanding:
    """What an utterance asks for."""

    accepted: bool
    """Whether it asks for something that is known; ``intent`` and ``slots`` are a guess, or empty, if not."""
    intent: str = ""
    """Name of what it asks for."""
    slots: tuple[FilledSlot, ...] = field(default_factory=tuple)
    """What it says about that, in order."""
    text: str = ""
    """The words that were understood: in a lattice, the path that makes most sense."""
    confidence: float = 0.0
    """How sure it is, 0 to 1: of a text that the intent is right, of speech that intent, slots and their words are."""
    source: str = ""
    """``grammar``, ``model``, or ``basic`` for yes, no, stop, cancel and repeat; empty where nothing understands."""

    def __str__(self) -> str:
        """Return a line such as "set_alarm: time=twenty to nine (8:40)"."""
        if not self.accepted:
            return "not understood"
        slots = ", ".join(
            f"{slot.name}={slot.text}" + ("" if slot.value is None else f" ({slot.value})") for slot in self.slots
        )
        return f"{self.intent}: {slots}" if slots else self.intent

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Understanding":
        """Return what ``dataclasses.asdict`` was made of; raises ``TypeError`` where something is missing."""
        slots = tuple(FilledSlot(**slot) for slot in values.get("slots", ()))
        return cls(**{**values, "slots": slots})


NOTHING_UNDERSTOOD = Understanding(accepted=False)
