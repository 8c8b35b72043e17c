"""Features of a word's label: the words around it, their beginnings, ends, shapes and classes, and what is asked for.

A window is a word with two to either side. In a lattice a word has as many windows as there are ways through it.
"""

from typing import NamedTuple

import numpy as np

from .graph import CASE, COARSE, FINE, Graph, Listed
from .weights import Ints
from .words import PLAIN, PREFIX_2, PREFIX_3, SHAPE, SUFFIX_2, SUFFIX_3, Keys, combined, continued, hash_of

BEFORE = AFTER = 2
"""Words of a window to either side of its own."""
WIDTH = BEFORE + 1 + AFTER
_WINDOW = np.arange(WIDTH)
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
_OFFSETS = np.array([[part.offset + BEFORE for part in parts] for parts in _PADDED])
_OPTIONAL = (_COLUMNS[:, 0] == _LISTED) | (_COLUMNS[:, 0] == CASE)
"""[templates] Features of capitals and of lists: most texts have none."""
_BEGUN = combined([np.array([hash_of(f"slot {number}") for number in range(NUM_TEMPLATES)], np.uint64)])
"""[templates] Keys of which each template's are continued."""


def slot_features(graph: Graph, windows: Ints, listed: Listed, intent: str) -> Keys:
    """Return the features of windows, [windows, templates]; 0 where there is none.

    Args:
        graph: where the words stand.
        windows: [windows, 5] Words by number in the graph.
        listed: phrases whose classes are known.
        intent: what is asked for.
    """
    keys = np.zeros((len(windows), NUM_TEMPLATES), np.uint64)
    some = _templates(graph, listed)
    keys[:, some] = features_there(graph, windows, listed, intent)
    return keys


def features_there(graph: Graph, windows: Ints, listed: Listed, intent: str) -> Keys:
    """Return the same without templates that no window has a feature of, in the same order."""
    some = _templates(graph, listed)
    width = _NOTHING + 1
    values = np.zeros((len(graph.attributes), width), np.uint64)
    values[:, : CASE + 1] = graph.attributes
    values[:, _INTENT] = hash_of(intent)
    if listed.phrases:  # here a value belongs to a word in its window
        values = np.concatenate([values[windows.ravel()]])
        values[:, _LISTED] = _listed(graph, windows, listed).ravel()
        windows = np.arange(windows.size).reshape(windows.shape)
    parts = values.ravel().take(windows[:, _OFFSETS[some]] * width + _COLUMNS[some])
    keys = continued(_BEGUN[some], parts[:, :, 0])
    keys = continued(continued(keys, parts[:, :, 1]), parts[:, :, 2])
    if len(some) == NUM_TEMPLATES:
        keys[_OPTIONAL & (parts[:, :, 0] == 0)] = 0
    return keys


def _templates(graph: Graph, listed: Listed) -> Ints:
    """Return the numbers of the templates of which there may be features."""
    return _ALL if listed.phrases or graph.attributes[0, CASE] else _USUAL


_ALL, _USUAL = np.arange(NUM_TEMPLATES), np.flatnonzero(~_OPTIONAL)


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
    count = len(graph.word)
    padded = np.full(count + BEFORE + AFTER, graph.begin)
    padded[BEFORE : BEFORE + count] = graph.word
    padded[BEFORE + count :] = graph.end
    windows: Ints = padded[np.arange(count)[:, None] + _WINDOW]
    return windows
