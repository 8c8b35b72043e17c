"""Contextual biasing: contacts, devices and what is on the screen.

What is exported, and from where, stands in ``__init__.pyi``; it is imported when it is first asked for.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
