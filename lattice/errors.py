"""What can be wrong with a lattice."""


class LatticeError(ValueError):
    """A lattice that is none: inconsistent, too large, or a file that does not say one. Names what is wrong."""
