"""What can go wrong with understanding."""

from ...models.errors import NearwordError


class UnderstandingError(NearwordError, ValueError):
    """A model that is none, or data that cannot be learnt from; names the file or value and what was expected."""
