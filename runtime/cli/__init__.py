"""The command line ``nearword``."""

from .app import main

__all__ = ["main"]
