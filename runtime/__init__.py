"""Streaming recognition: audio in, words and events out.

What is exported, and from where, stands in ``__init__.pyi``; it is imported when it is first asked for.

What it has to tell beside events goes to the logger ``nearword`` and those below it, which are silent until somebody
gives them a handler.
"""

import logging

from lazy_loader import attach_stub

logging.getLogger("nearword").addHandler(logging.NullHandler())

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
