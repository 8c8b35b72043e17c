"""How the C library hands out memory to many threads. Of glibc; other libraries are left as they are.

By itself glibc gives every thread a heap of its own, and each keeps up to 64 MB of what was freed. What a step of the
encoder needs does not come from here, see ``models.session``.
"""

import contextlib
import ctypes

from ...models.heap import M_ARENA_MAX, allocate, keep

ARENAS = 2
"""Heaps that threads share."""
MMAP_BYTES = 1_000_000
"""Blocks from here on come from the system, and go back to it: such as loading needs for a moment."""
TRIM_BYTES = 2_000_000
"""Free memory that a heap may keep at its end."""


def bound_heaps() -> None:
    """Let all threads allocate from the same few heaps, which give back what is free; before threads begin."""
    allocate({M_ARENA_MAX: ARENAS})
    keep(mmap_bytes=MMAP_BYTES, trim_bytes=TRIM_BYTES)


def give_back() -> None:
    """Return to the system what is free within heaps too; takes some ms."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
