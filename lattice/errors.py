"""What can be wrong with a lattice."""

from ..models.errors import NearwordError


class LatticeError(NearwordError, ValueError):
    """A lattice that is none: inconsistent, too large, or a file that does not say one. Names what is wrong."""
