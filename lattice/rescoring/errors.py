"""What can be wrong with rescoring."""

from ..errors import LatticeError


class ContractError(LatticeError):
    """A rescoring request or answer that is not as the wire contract says. Names the field."""
