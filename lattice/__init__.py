"""Word lattices: everything that may have been said."""
