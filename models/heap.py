"""How the C library hands out memory: of glibc (man 3 mallopt); other libraries are left as they are.

By itself glibc takes blocks of up to 32 MB from a heap once some have been freed, and gives back only what is free at
the heap's end. A model is read, unpacked and laid out anew while it is opened, in three copies of which one stays.
"""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8
"""Numbers of options in glibc's ``malloc.h``."""
OPENING_BYTES = 2**17
"""Blocks from here on come from the system, and go back to it at once, while a large model is opened."""
_kept = {M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26}
"""What holds at other times; these are what glibc comes to by itself."""


def allocate(options: dict[int, int]) -> None:
    """Set options of the heap, by their numbers."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            for option, value in options.items():
                mallopt(option, value)


def keep(*, mmap_bytes: int, trim_bytes: int) -> None:
    """Set how the heap is to be at all times but those in which a large model is opened.

    Args:
        mmap_bytes: blocks from here on come from the system, and go back to it.
        trim_bytes: free memory that a heap may keep at its end.
    """
    _kept.update({M_MMAP_THRESHOLD: mmap_bytes, M_TRIM_THRESHOLD: trim_bytes})
    allocate(_kept)


@contextlib.contextmanager
def opening(*, large: bool) -> Iterator[None]:
    """Give back what is freed inside at once, if a large model is opened there."""
    if not large:
        yield
        return
    allocate(dict.fromkeys(_kept, OPENING_BYTES))
    try:
        yield
    finally:
        allocate(_kept)
