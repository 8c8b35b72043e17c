"""Data are moved into huge pages where one would be full of them, and stay what they are."""

import mmap
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from nearword.models import huge_pages
from nearword.models.huge_pages import SIZE, use_huge_pages

MANY = 16
SMAPS = Path("/proc/self/smaps")
on_linux = pytest.mark.skipif(not SMAPS.is_file(), reason="Linux alone tells how memory is laid out")


def huge_bytes_at(address: int) -> int:
    """Return how much of the area around an address lies in huge pages."""
    inside = False
    for line in SMAPS.read_text().splitlines():
        if span := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(span[1], 16) <= address < int(span[2], 16)
        elif inside and line.startswith("AnonHugePages:"):
            return int(line.split()[1]) * 1024
    return 0


def resident_bytes() -> int:
    """Return how much memory the process takes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


def area(touched: slice) -> tuple[mmap.mmap, np.ndarray]:
    """Return memory of its own, of which some bytes were written."""
    memory = mmap.mmap(-1, (MANY + 1) * SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    values = np.frombuffer(memory, np.uint8)
    values[touched] = 7
    return memory, values


@on_linux
def test_full_pages_are_moved_and_keep_what_they_hold() -> None:
    _memory, values = area(slice(None))
    if not use_huge_pages():
        pytest.skip("this kernel moves nothing")
    assert huge_bytes_at(values.ctypes.data + SIZE) >= MANY // 2 * SIZE
    assert (values == 7).all()


@on_linux
def test_memory_that_is_hardly_used_takes_no_more() -> None:
    memory, _values = area(slice(None, None, SIZE))
    before = resident_bytes()
    use_huge_pages()
    assert resident_bytes() < before + len(memory) // 2


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert use_huge_pages() == 0
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(huge_pages, "_MAPS", Path("/nowhere"))
    assert use_huge_pages() == 0
