"""What can be wrong with a language model or with rescoring."""

from ..errors import LatticeError


class LanguageModelError(LatticeError):
    """A language model that cannot be read or trained. Names the file or value, and what was expected."""


class ContractError(LatticeError):
    """A rescoring request or answer that is not as the wire contract says. Names the field."""
