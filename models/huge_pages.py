"""Weights in huge pages, where Linux has them: an encoder reads all of its weights at every step.

Of pages of 4 kB, 80 MB of weights have more than a processor knows the places of, and it looks these up anew at every
step; of 2 MB there are forty. Moving them is asked of the kernel once they are in memory (``MADV_COLLAPSE``, Linux 6.1;
man 2 madvise); elsewhere nothing happens.
"""

import ctypes
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SIZE = 2**21
"""Bytes of a huge page."""
DENSE = 0.9
"""Share of a huge page that has to be in use as small ones: the rest of it takes memory that nobody asked for."""
_COLLAPSE = 25
_MAPS = Path("/proc/self/maps")


def use_huge_pages() -> int:
    """Move this process's data into huge pages, wherever one would be full of it; returns how many bytes were moved.

    That changes where data lie in the machine's memory and nothing else. What the kernel refuses stays as it is.
    """
    if sys.platform != "linux" or not _MAPS.is_file():
        return 0
    system = ctypes.CDLL(None)
    if not (hasattr(system, "madvise") and hasattr(system, "mincore")):
        return 0
    moved = 0
    for begin, count in _areas(_MAPS.read_text(encoding="utf-8", errors="replace")):
        resident = np.zeros(count * SIZE // mmap.PAGESIZE, np.uint8)
        where = ctypes.c_void_p(begin), ctypes.c_size_t(count * SIZE)
        if system.mincore(*where, resident.ctypes.data_as(ctypes.c_void_p)):
            continue
        dense = (resident & 1).reshape(count, -1).mean(axis=1) >= DENSE
        for first, last in _runs(dense):
            place, size = ctypes.c_void_p(begin + first * SIZE), ctypes.c_size_t((last - first) * SIZE)
            moved += 0 if system.madvise(place, size, _COLLAPSE) else int(size.value)
    return moved


def _areas(maps: str) -> Iterator[tuple[int, int]]:
    """Yield where the process's own data lie that it may write to: addresses, and how many huge pages fit there."""
    for line in maps.splitlines():
        span, rights, _, _, inode, *path = line.split(maxsplit=5)
        if rights != "rw-p" or inode != "0" or path not in ([], ["[heap]"]):
            continue
        begin, end = (int(address, 16) for address in span.split("-"))
        begin = -(-begin // SIZE) * SIZE
        if (count := (end - begin) // SIZE) > 0:
            yield begin, count


def _runs(dense: "np.typing.NDArray[np.bool_]") -> Iterator[tuple[int, int]]:
    """Yield first and behind the last of each stretch that is true."""
    edges = np.flatnonzero(np.diff(dense, prepend=False, append=False)).tolist()
    yield from zip(edges[::2], edges[1::2], strict=True)
