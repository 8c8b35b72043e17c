"""Word lattices: everything that may have been said, small and exact.

What is exported, and from where, stands in ``__init__.pyi``; it is imported when it is first asked for.
"""

from lazy_loader import attach_stub

# named as their modules are: a module that is imported first would stand in the function's place
from .determinize import determinize as determinize
from .minimize import minimize as minimize
from .oracle import oracle as oracle
from .prune import prune as prune

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
