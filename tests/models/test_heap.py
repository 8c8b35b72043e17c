"""While a large model is opened, memory that is freed goes back to the system at once; afterwards all is as before."""

import ctypes
import sys

import pytest
from nearword.models import heap
from nearword.models.heap import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, OPENING_BYTES


class Library:
    """A C library that takes note of what is set."""

    def __init__(self) -> None:
        self.set: list[dict[int, int]] = []

    def mallopt(self, option: int, value: int) -> int:
        if not self.set or option in self.set[-1]:
            self.set.append({})
        self.set[-1][option] = value
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(heap, "_kept", dict(heap._kept))
    return library


def test_it_is_as_it_was_after_a_model_was_opened_or_was_none(library: Library) -> None:
    usual = {M_MMAP_THRESHOLD: 2**25, M_TRIM_THRESHOLD: 2**26}
    small = {M_MMAP_THRESHOLD: OPENING_BYTES, M_TRIM_THRESHOLD: OPENING_BYTES}
    with heap.opening(large=True):
        assert library.set == [small]
    with pytest.raises(ValueError, match="damaged"), heap.opening(large=True):
        raise ValueError("damaged")
    assert library.set == [small, usual, small, usual]


def test_what_a_program_wants_to_keep_holds_after_a_model_was_opened(library: Library) -> None:
    heap.keep(mmap_bytes=1000, trim_bytes=2000)
    with heap.opening(large=True):
        pass
    assert library.set[0] == library.set[-1] == {M_MMAP_THRESHOLD: 1000, M_TRIM_THRESHOLD: 2000}


def test_small_models_and_other_systems_change_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    with heap.opening(large=False):
        pass
    monkeypatch.setattr(sys, "platform", "darwin")
    with heap.opening(large=True):
        pass
    assert library.set == []


def test_a_library_without_the_option_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    with heap.opening(large=True):
        pass
