"""Features of a word's label: the words around it, their beginnings, ends, shapes and classes, and what is asked for.

A window is a word with two to either side. In a lattice a word has as many windows as there are ways through it.
"""

from typing import NamedTuple

import numpy as np

from .graph import CASE, COARSE, FINE, Graph, Listed
from .weights import Ints
from .words import PLAIN, PREFIX_2, PREFIX_3, SHAPE, SUFFIX_2, SUFFIX_3, Keys, combined, hash_of

BEFORE = AFTER = 2
"""Words of a window to either side of its own."""
WIDTH = BEFORE + 1 + AFTER
_LISTED, _INTENT, _NOTHING = CASE + 1, CASE + 2, CASE + 3


class _Part(NamedTuple):
    column: int
    offset: int


def _both_sides(column: int) -> list[tuple[_Part, ...]]:
    return [(_Part(column, offset),) for offset in (-1, 0, 1)]


def _parts(column: int, *offsets: int) -> tuple[_Part, ...]:
    return tuple(_Part(column, offset) for offset in offsets)


_TEMPLATES: list[tuple[_Part, ...]] = [
    (),
    *((_Part(PLAIN, offset),) for offset in (-2, -1, 0, 1, 2)),
    _parts(PLAIN, -1, 0), _parts(PLAIN, 0, 1), _parts(PLAIN, -1, 1), _parts(PLAIN, -2, -1), _parts(PLAIN, 1, 2),
    *((_Part(column, 0),) for column in (PREFIX_2, PREFIX_3, SUFFIX_2, SUFFIX_3)),
    *_both_sides(SHAPE),
    *_both_sides(COARSE),
    *_both_sides(FINE),
    _parts(COARSE, -1, 0), _parts(COARSE, 0, 1), _parts(COARSE, -1, 0, 1), _parts(COARSE, -2, -1), _parts(COARSE, 1, 2),
    *_both_sides(_LISTED),
    *_both_sides(CASE), _parts(CASE, -1, 0), _parts(CASE, 0, 1),
    (_Part(CASE, 0), _Part(_INTENT, 0)),
    (_Part(_INTENT, 0),),
    *((_Part(_INTENT, 0), _Part(PLAIN, offset)) for offset in (-1, 0, 1)),
    (_Part(_INTENT, 0), _Part(FINE, 0)),
    (_Part(_INTENT, 0), _Part(COARSE, -1)),
]  # fmt: skip
NUM_TEMPLATES = len(_TEMPLATES)
_PADDED = [(*parts, *[_Part(_NOTHING, 0)] * (3 - len(parts))) for parts in _TEMPLATES]
_COLUMNS = np.array([[part.column for part in parts] for parts in _PADDED])
_OPTIONAL = (_COLUMNS[:, 0] == _LISTED) | (_COLUMNS[:, 0] == CASE)
_OFFSETS = np.array([[part.offset + BEFORE for part in parts] for parts in _PADDED])
_NAMES = np.array([hash_of(f"slot {number}") for number in range(NUM_TEMPLATES)], np.uint64)


def slot_features(graph: Graph, windows: Ints, listed: Listed, intent: str) -> Keys:
    """Return the features of windows, [windows, templates]; 0 where there is none.

    Args:
        graph: where the words stand.
        windows: [windows, 5] Words by number in the graph.
        listed: phrases whose classes are known.
        intent: what is asked for.
    """
    values = np.zeros((len(windows), WIDTH, _NOTHING + 1), np.uint64)
    values[:, :, : CASE + 1] = graph.attributes[windows]
    values[:, :, _INTENT] = hash_of(intent)
    if listed.phrases:
        values[:, :, _LISTED] = _listed(graph, windows, listed)
    parts = values[:, _OFFSETS, _COLUMNS]
    keys = combined([_NAMES, parts[:, :, 0], parts[:, :, 1], parts[:, :, 2]])
    keys[_OPTIONAL & (parts[:, :, 0] == 0)] = 0
    return keys


def _listed(graph: Graph, windows: Ints, listed: Listed) -> Keys:
    """Return the hash of the class of each word of windows, [windows, 5]; 0 if it has none."""
    out = np.zeros(windows.shape, np.uint64)
    words = (*graph.words, "", "")
    for row, window in enumerate(windows.tolist()):
        said = [words[number] for number in window]
        for place in range(WIDTH):
            name = listed.class_of(said, place)
            if name:
                out[row, place] = hash_of(name)
    return out


def windows_of_words(graph: Graph) -> Ints:
    """Return the windows of a graph of one path, one for each word, [words, 5]."""
    padded = np.concatenate([[graph.begin] * BEFORE, graph.word, [graph.end] * AFTER]).astype(np.int64)
    return (
        np.lib.stride_tricks.sliding_window_view(padded, WIDTH) if len(graph.word) else np.zeros((0, WIDTH), np.int64)
    )
