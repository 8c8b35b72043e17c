"""The ways through a graph of words, unfolded so far that each word knows two words before and after it.

That is what makes Viterbi over a lattice exact for features that look at five words.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .graph import Graph
from .slot_features import AFTER, BEFORE, WIDTH, windows_of_words
from .weights import Doubles, Ints

_BEGIN, _END = -1, -2
"""Stand for arcs before the first and behind the last."""


@dataclass(frozen=True, eq=False)
class Windows:
    """Words with their neighbours, and which follows which; in order of how many words lie before."""

    words: Ints
    """[windows, 5] Words by number in the graph."""
    arc: Ints
    """[windows] The arc of the middle word."""
    before: Ints
    """[links] Window before each link, ..."""
    after: Ints
    """[links] ... and behind it, never decreasing."""
    steps: Ints
    """[depths + 1] Windows with so many words before them are ``steps[n]`` up to ``steps[n + 1]``."""
    score: Doubles
    """[windows] Score of the arc, and of ending behind it where nothing follows."""
    last: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """[windows] Whether nothing follows."""


def windows_of(graph: Graph, limit: int) -> Windows | None:
    """Return the windows of a graph, None if there are more than ``limit``."""
    one_way = np.array_equal(graph.source, np.arange(graph.num_nodes - 1))
    if one_way and np.array_equal(graph.target, graph.source + 1) and (graph.final_totals[:-1] == -np.inf).all():
        return _of_one_path(graph)
    begins = np.searchsorted(graph.source, np.arange(graph.num_nodes + 1)).tolist()
    targets, ending = graph.target.tolist(), (graph.final_totals > -np.inf).tolist()

    def following(arc: int) -> list[int]:
        if arc == _END:
            return [_END]
        node = targets[arc]
        return [*range(begins[node], begins[node + 1]), *([_END] if ending[node] else ())]

    layer: dict[tuple[int, ...], list[int]] = {
        (_BEGIN, _BEGIN, arc, second, third): []
        for arc in range(begins[0], begins[1])
        for second in following(arc)
        for third in following(second)
    }
    unfolded: list[tuple[int, ...]] = []
    before, after, steps = [], [], [0]
    while layer:
        first = len(unfolded)
        for number, (window, ways) in enumerate(layer.items(), first):
            unfolded.append(window)
            before += ways
            after += [number] * len(ways)
        steps.append(len(unfolded))
        if len(unfolded) > limit:
            return None
        onward: dict[tuple[int, ...], list[int]] = {}
        for number, window in enumerate(layer, first):
            if window[BEFORE + 1] != _END:
                for arc in following(window[-1]):
                    onward.setdefault((*window[1:], arc), []).append(number)
        layer = onward
    arcs = np.array(unfolded, np.int64).reshape(-1, WIDTH)
    word = np.concatenate([graph.word, [graph.end, graph.begin]])  # -2 and -1, counted from the end
    middle, last = arcs[:, BEFORE], arcs[:, BEFORE + 1] == _END
    score = graph.totals[middle] + np.where(last, graph.final_totals[graph.target[middle]], 0.0)
    return Windows(
        word[arcs], middle, np.array(before, np.int64), np.array(after, np.int64), np.array(steps), score, last
    )


def _of_one_path(graph: Graph) -> Windows:
    count = len(graph.word)
    number = np.arange(count)
    score = graph.totals.copy()
    if count:
        score[-1] += graph.final_totals[-1]
    return Windows(
        windows_of_words(graph), number, number[:-1], number[1:], np.arange(count + 1), score, number == count - 1
    )


def best_path(windows: Windows, emissions: Doubles, transitions: Doubles) -> tuple[Ints, Ints]:
    """Return windows and labels of the best way through (Viterbi 1967), [words] each.

    Args:
        windows: at least one.
        emissions: [windows, labels] Score of each label, with that of the word itself.
        transitions: [labels, labels] Score of one label behind another.
    """
    best = emissions.copy()
    from_label = np.zeros(best.shape, np.int64)
    from_window = np.zeros(best.shape, np.int64)
    link_of = np.searchsorted(windows.after, windows.steps)
    for step, (first, end) in enumerate(pairwise(windows.steps.tolist())):
        links = slice(int(link_of[step]), int(link_of[step + 1]))
        earlier = windows.before[links]
        if not len(earlier):
            continue
        ways = best[earlier][:, :, None] + transitions
        label = ways.argmax(1)
        reached = np.take_along_axis(ways, label[:, None], 1)[:, 0]
        into = windows.after[links] - first
        starts = np.searchsorted(into, np.arange(end - first))
        top = np.maximum.reduceat(reached, starts)
        # of equal ways the first: later ones are written first, and over
        places, labels = np.nonzero(reached[::-1] >= top[into[::-1]])
        places = len(into) - 1 - places
        from_label[first + into[places], labels] = label[places, labels]
        from_window[first + into[places], labels] = earlier[places][:]
        best[first:end] += top
    finals = np.flatnonzero(windows.last)
    place, current = np.unravel_index(best[finals].argmax(), (len(finals), best.shape[1]))
    at, label_now = int(finals[place]), int(current)
    path, chosen = [], []
    while True:
        path.append(at)
        chosen.append(label_now)
        if at < windows.steps[1]:
            break
        at, label_now = int(from_window[at, label_now]), int(from_label[at, label_now])
    return np.array(path[::-1]), np.array(chosen[::-1])


def marginals(emissions: Doubles, transitions: Doubles) -> Doubles:
    """Return the probability of each label of each word of one path, [words, labels] (forward and backward)."""
    count = len(emissions)
    forward, backward = np.zeros_like(emissions), np.zeros_like(emissions)
    shares = np.exp(np.maximum(transitions - transitions.max(), -50.0)) * (transitions > -1e8)
    scaled = np.exp(emissions - emissions.max(1, keepdims=True))
    state = scaled[0]
    for at in range(count):
        if at:
            state = (state @ shares) * scaled[at]
        state = state / max(state.sum(), 1e-300)
        forward[at] = state
    state = np.ones(emissions.shape[1])
    for at in range(count - 1, -1, -1):
        backward[at] = state
        state = shares @ (state * scaled[at])
        state = state / max(state.sum(), 1e-300)
    both = forward * backward
    out: Doubles = both / np.maximum(both.sum(1, keepdims=True), 1e-300)
    return out


__all__ = ["AFTER", "BEFORE", "Windows", "best_path", "marginals", "windows_of"]
