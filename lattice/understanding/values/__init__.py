"""Words that are values: numbers, ordinals, times, dates, durations, spelled letters, digits."""

from .find import Value, ValueKind, find_values, value_of
from .resolve import resolve

__all__ = ["Value", "ValueKind", "find_values", "resolve", "value_of"]
