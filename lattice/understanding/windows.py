"""The ways through a graph of words, unfolded so far that each word knows two words before and after it.

That is what makes Viterbi over a lattice exact for features that look at five words.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice
from ..prune import ROUNDING, Mask
from ..viterbi import losses
from .graph import Graph
from .slot_features import AFTER, BEFORE, WIDTH, windows_of_words
from .weights import Doubles, Ints


@dataclass(frozen=True, eq=False)
class Windows:
    """Words with their neighbours, and which follows which; in order of how many words lie before at most."""

    words: Ints
    """[windows, 5] Words by number in the graph."""
    arc: Ints
    """[windows] The arc of the middle word."""
    before: Ints
    """[links] Window before each link, ..."""
    after: Ints
    """[links] ... and behind it, never decreasing."""
    steps: Ints
    """[depths + 1] Windows with at most so many words before them are ``steps[n]`` up to ``steps[n + 1]``."""
    score: Doubles
    """[windows] Score of the arc, and of ending behind it where nothing follows."""
    last: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    """[windows] Whether nothing follows."""


def within_limits(lattice: Lattice, most_arcs: int, most_windows: int) -> tuple[Mask, Mask]:
    """Return the arcs and the ends that the widest beam leaves with so many arcs and windows at most, or the best path.

    No node is left that no path from start to end uses: the best path through an arc loses as much as the arc.
    """
    lost = losses(lattice)
    steps = np.concatenate([lost.arcs, lost.ends])
    beams = np.sort(steps[steps < np.inf])
    if lattice.num_arcs > most_arcs:
        beams = beams[: int((beams + ROUNDING).searchsorted(np.sort(lost.arcs)[most_arcs]))]
    arcs, ends = lost.arcs <= beams[:, None] + ROUNDING, lost.ends <= beams[:, None] + ROUNDING
    if len(beams):
        some = arcs[-1].nonzero()[0]  # what the widest beam leaves
        counts = count_windows(lattice.source[some], lattice.target[some], arcs[:, some], ends)
        fitting = (counts <= most_windows).nonzero()[0]
        if len(fitting):
            return arcs[fitting[-1]], ends[fitting[-1]]
    return _best_alone(lattice)


def _best_alone(lattice: Lattice) -> tuple[Mask, Mask]:
    path = lattice.best_path()
    arcs, ends = np.zeros(lattice.num_arcs, bool), np.zeros(lattice.num_nodes, bool)
    arcs[path] = True
    ends[lattice.target[path[-1]] if path else 0] = True
    return arcs, ends


def count_windows(source: npt.NDArray[np.integer], target: npt.NDArray[np.integer], arcs: Mask, ends: Mask) -> Doubles:
    """Return how many windows there are, for each choice of arcs and ends, [choices].

    Args:
        source: [arcs] Node that each leaves.
        target: [arcs] Node that each enters.
        arcs: [choices, arcs] Which are there.
        ends: [choices, nodes] In which nodes paths end.
    """
    nodes = np.arange(ends.shape[1])
    leaving = (source[:, None] == nodes).astype(np.float64)
    entering = (target[:, None] == nodes).astype(np.float64)
    there = arcs.astype(np.float64)
    # ways of one and of two words from each node, and to it; what stands before and behind all is a word as well
    onward = there @ leaving + ends
    onward_two = (there * onward[:, target]) @ leaving + ends
    back = there @ entering
    back[:, 0] = 1
    back_two = (there * back[:, source]) @ entering
    back_two[:, 0] = 1
    counts: Doubles = (there * back_two[:, source] * onward_two[:, target]).sum(1)
    return counts


def windows_of(graph: Graph, limit: int) -> Windows | None:
    """Return the windows of a graph, None if there are more than ``limit``."""
    if graph.heard is None:
        return _of_one_path(graph)
    one_way = np.array_equal(graph.source, np.arange(graph.num_nodes - 1))
    if one_way and np.array_equal(graph.target, graph.source + 1) and (graph.final_totals[:-1] == -np.inf).all():
        return _of_one_path(graph)
    arcs = _chains(graph)
    if len(arcs) > limit:
        return None
    depth = _depths(graph)[arcs[:, BEFORE]]
    order = depth.argsort(kind="stable")
    arcs, depth = arcs[order], depth[order]
    before, after = _links(arcs, len(graph.word) + 2)
    word = np.concatenate([graph.word, [graph.end, graph.begin]])
    middle, last = arcs[:, BEFORE], arcs[:, BEFORE + 1] == len(graph.word)
    score = graph.totals[middle] + np.where(last, graph.final_totals[graph.target[middle]], 0.0)
    steps = np.concatenate([[0], (np.diff(depth)).nonzero()[0] + 1, [len(depth)]])
    return Windows(word[arcs], middle, before, after, steps, score, last)


def _chains(graph: Graph) -> Ints:
    """Return all ways over five arcs whose third is one, [windows, 5].

    What stands behind all has the number of arcs as its own, what stands before all the next.
    """
    end, begin = len(graph.word), len(graph.word) + 1
    ending = (graph.final_totals[graph.target] > -np.inf).nonzero()[0]
    starting = (graph.source == 0).nonzero()[0]
    one, other = _joined(graph.target, graph.source)
    first = np.concatenate([one, ending, [end], np.full(len(starting), begin), [begin]])
    second = np.concatenate([other, np.full(len(ending), end), [end], starting, [begin]])
    order = first.argsort(kind="stable")
    first, second = first[order], second[order]
    left, right = _joined(second, first)
    a, b, c = first[left], second[left], second[right]
    back, onward = (c < end).nonzero()[0], (a < end).nonzero()[0]
    left, right = _joined(c[back], a[onward])
    left, right = back[left], onward[right]
    return np.stack([a[left], b[left], c[left], b[right], c[right]], 1)


def _joined(left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """Return all pairs of places with equal numbers; those on the right never decrease."""
    begins = right.searchsorted(left)
    many = right.searchsorted(left, "right") - begins
    ends = many.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(len(left)).repeat(many), np.arange(total) + (begins - (ends - many)).repeat(many)


def _depths(graph: Graph) -> Ints:
    """Return how many words lie before each arc at most, [arcs]."""
    deepest = [0] * graph.num_nodes
    for source, target in zip(graph.source.tolist(), graph.target.tolist(), strict=True):
        deepest[target] = max(deepest[target], deepest[source] + 1)
    return np.array(deepest, np.int64)[graph.source]


def _links(arcs: Ints, base: int) -> tuple[Ints, Ints]:
    """Return which window follows which: its first four arcs are the other's last four."""
    place = base ** np.arange(WIDTH - 1)
    begins, ends = arcs[:, :-1] @ place, arcs[:, 1:] @ place
    order = begins.argsort(kind="stable")
    before, after = _joined(ends, begins[order])
    after = order[after]
    by_after = after.argsort(kind="stable")
    return before[by_after], after[by_after]


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
    if len(windows.after) == len(emissions) - 1 == len(windows.steps) - 2:
        return np.arange(len(emissions)), best_labels(emissions, transitions)
    best = emissions.copy()
    onward = np.empty_like(best)
    link_of = windows.after.searchsorted(np.arange(len(best) + 1))
    bounds = windows.steps.tolist()
    for first, end in pairwise(bounds):
        links = windows.before[link_of[first] : link_of[end]]
        if len(links):
            best[first:end] += np.maximum.reduceat(onward[links], link_of[first:end] - link_of[first])
        np.maximum.reduce(best[first:end, :, None] + transitions, axis=1, out=onward[first:end])
    finals = (windows.last).nonzero()[0]
    place, current = np.unravel_index(best[finals].argmax(), (len(finals), best.shape[1]))
    at, label = int(finals[place]), int(current)
    path, chosen = [at], [label]
    while at >= bounds[1]:  # back to where the best came from
        earlier = windows.before[link_of[at] : link_of[at + 1]]
        at = int(earlier[onward[earlier, label].argmax()])
        label = int((best[at] + transitions[:, label]).argmax())
        path.append(at)
        chosen.append(label)
    return np.array(path[::-1]), np.array(chosen[::-1])


def best_labels(emissions: Doubles, transitions: Doubles) -> Ints:
    """Return the best labels of one path, [words]; takes what ``best_path`` takes."""
    behind = np.ascontiguousarray(transitions.T)
    ways = np.empty_like(behind)
    best = emissions.copy()
    for before, here in pairwise(best):
        np.add(behind, before, out=ways)
        np.add(here, np.maximum.reduce(ways, axis=1), out=here)
    label = int(best[-1].argmax())
    chosen = [label]
    for here in best[-2::-1]:
        label = int((here + behind[label]).argmax())
        chosen.append(label)
    return np.array(chosen[::-1])


def marginals(emissions: Doubles, transitions: Doubles) -> Doubles:
    """Return the probability of each label of each word of one path, [words, labels] (forward and backward)."""
    shares = np.exp(np.maximum(transitions - transitions.max(), -50.0)) * (transitions > -1e8)
    scaled = np.exp(emissions - emissions.max(1, keepdims=True))
    forward, backward = np.empty_like(scaled), np.empty_like(scaled)
    # small arrays, many steps: each writes where its result stays
    total, tiny = np.add.reduce, 1e-300
    forward[0] = scaled[0] / max(total(scaled[0]), tiny)
    for before, here, word in zip(forward, forward[1:], scaled[1:], strict=False):
        np.dot(before, shares, out=here)
        np.multiply(here, word, out=here)
        np.divide(here, max(total(here), tiny), out=here)
    backward[-1] = 1.0
    for behind, here, word in zip(backward[::-1], backward[-2::-1], scaled[::-1], strict=False):
        np.dot(shares, behind * word, out=here)
        np.divide(here, max(total(here), tiny), out=here)
    both: Doubles = forward * backward
    both /= np.maximum(both.sum(1, keepdims=True), tiny)
    return both


__all__ = ["AFTER", "BEFORE", "Windows", "best_path", "count_windows", "marginals", "windows_of", "within_limits"]
