"""What can be wrong with a language model."""

from ..errors import LatticeError


class LanguageModelError(LatticeError):
    """A language model that cannot be read or trained. Names the file or value, and what was expected."""
