"""What can be wrong with what is stored."""

from ..errors import NearwordError


class CompressionError(NearwordError, ValueError):
    """A stored model is damaged or none, or something cannot be stored; names what is wrong."""
