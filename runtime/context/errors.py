"""What can go wrong with context; none of it ever stops recognition."""

from ...models import NearwordError


class ContextError(NearwordError, ValueError):
    """A value that is no context: a key, an act, a life. Names it, and what was expected."""


class ContextStoreError(NearwordError):
    """The store of contexts cannot be read or written."""


class ContextKeyError(ContextStoreError):
    """The key of the store is not there, or is another one than the texts were encrypted with."""
