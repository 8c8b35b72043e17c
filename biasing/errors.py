"""What can be wrong with what is to be boosted."""

from ..models.errors import NearwordError


class BiasingError(NearwordError, ValueError):
    """A list, a template or a setting that cannot be used at all. Names it, what was expected, what to do."""
