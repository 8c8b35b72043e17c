"""From the nodes and links of a file, in any order and with empty words, to a lattice."""

import heapq
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..errors import LatticeError
from ..lattice import ACOUSTIC, NUM_SCORES, Lattice
from ..prune import trim
from .limits import Limits

Scores = tuple[float, float, float]
"""Acoustic, bias and language-model score."""
COPIES_PER_ARC = 20
"""How often an arc may be looked at while empty words are taken out; a bound on time."""
LARGEST = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)


class Link(NamedTuple):
    """A link of a file."""

    source: int
    target: int
    word: str | None
    """None: an empty word."""
    start: float
    end: float
    scores: Scores


def number(text: str, what: str) -> float:
    """Return a finite number that single precision can hold.

    Raises:
        LatticeError: the text is none; says ``what`` it should have been.
    """
    if len(text) <= 40 and _NUMBER.fullmatch(text) and abs(value := float(text)) <= LARGEST:
        return value
    raise LatticeError(f"{what} is {text!r:.40}; expected a finite number")


def whole(text: str, what: str) -> int:
    """Return a whole number from 0.

    Raises:
        LatticeError: the text is none; says ``what`` it should have been.
    """
    if not _WHOLE.fullmatch(text):
        raise LatticeError(f"{what} is {text!r:.40}; expected a whole number")
    return int(text)


def build(
    links: list[Link],
    start: int,
    ends: dict[int, Scores],
    limits: Limits,
    nodes: Iterable[int] = (),
    offset: float = 0.0,
) -> Lattice:
    """Return the lattice of some links: nodes put in order, empty words taken out.

    Where paths with the same words between two nodes come together so, the best is kept.

    Args:
        links: in any order; nodes have any numbers.
        start: where paths begin.
        ends: where paths end, and what that adds.
        limits: what to accept.
        nodes: nodes that there should be, whether or not a link names them.
        offset: seconds of the stream at which time 0 lies.

    Raises:
        LatticeError: a cycle, a node that no path from start to end uses, or beyond the limits.
    """
    named = {start, *ends, *nodes}
    named.update(link.source for link in links)
    named.update(link.target for link in links)
    for what, count, limit in (("nodes", len(named), limits.max_nodes), ("arcs", len(links), limits.max_arcs)):
        if count > limit:
            raise LatticeError(f"{count} {what}; the limit is {limit}")
    leaving: dict[int, list[Link]] = {node: [] for node in named}
    for link in links:
        leaving[link.source].append(link)
    order = _in_order(leaving, start, limits)
    useful = set(ends)
    for node in reversed(order):
        if any(link.target in useful for link in leaving[node]):
            useful.add(node)
        elif node not in useful:
            raise LatticeError(f"node {node} leads to no end")
    if any(link.word is None for link in links):
        ends = _take_empty_out(order, leaving, dict(ends), limits)
    return _pack(order, leaving, ends, offset)


def _in_order(leaving: dict[int, list[Link]], start: int, limits: Limits) -> list[int]:
    """Return the nodes in topological order; of several possible the one with the lowest numbers first."""
    entering = _entering(leaving, start)
    depth = dict.fromkeys(leaving, 0)
    queue, order = [start], []
    while queue:
        node = heapq.heappop(queue)
        order.append(node)
        for link in leaving[node]:
            depth[link.target] = max(depth[link.target], depth[node] + 1)
            entering[link.target] -= 1
            if not entering[link.target]:
                heapq.heappush(queue, link.target)
    if len(order) < len(leaving):
        raise LatticeError(f"node {min(node for node, count in entering.items() if count)} is on or behind a cycle")
    if max(depth.values()) > limits.max_depth:
        raise LatticeError(f"a path of {max(depth.values())} arcs; the limit is {limits.max_depth}")
    return order


def _entering(leaving: dict[int, list[Link]], start: int) -> dict[int, int]:
    """Return how many links enter each node."""
    entering = dict.fromkeys(leaving, 0)
    for links in leaving.values():
        for link in links:
            entering[link.target] += 1
    if entering[start]:
        raise LatticeError(f"a link leads back to the start, node {start}")
    for node, count in entering.items():
        if not count and node != start:
            raise LatticeError(f"node {node} cannot be reached from the start, node {start}")
    return entering


def _take_empty_out(
    order: list[int], leaving: dict[int, list[Link]], ends: dict[int, Scores], limits: Limits
) -> dict[int, Scores]:
    """Replace links without a word by what follows them; return the ends."""
    copies, left = 0, 0
    for node in reversed(order):
        best: dict[tuple[int, str | None], Link] = {}
        for link in leaving[node]:
            if link.word is not None:
                _keep_better(best, link)
                continue
            following = leaving[link.target]  # free of empty words already
            copies += len(following) + 1
            if copies > COPIES_PER_ARC * limits.max_arcs:
                raise LatticeError("too many links without a word one after the other")
            for after in following:
                scores = _added(link.scores, after.scores)
                _keep_better(best, Link(node, after.target, after.word, after.start, after.end, scores))
            if link.target in ends:
                scores = _added(link.scores, ends[link.target])
                if node not in ends or sum(scores) > sum(ends[node]):
                    ends[node] = scores
        leaving[node] = list(best.values())
        left += len(best)
        if left > limits.max_arcs:
            raise LatticeError(f"more than {limits.max_arcs} arcs, the limit, without links that have no word")
    return ends


def _keep_better(best: dict[tuple[int, str | None], Link], link: Link) -> None:
    known = best.get((link.target, link.word))
    if known is None or sum(link.scores) > sum(known.scores):
        best[link.target, link.word] = link


def _added(one: Scores, other: Scores) -> Scores:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2])


def _pack(order: list[int], leaving: dict[int, list[Link]], ends: dict[int, Scores], offset: float) -> Lattice:
    place = {node: index for index, node in enumerate(order)}
    index: dict[str, int] = {}
    links = [link for node in order for link in leaving[node]]
    word = [index.setdefault(link.word or "", len(index)) for link in links]
    final = np.zeros((len(order), NUM_SCORES))
    final[:, ACOUSTIC] = -np.inf
    for node, scores in ends.items():
        final[place[node]] = scores
    times = np.array([(link.start, link.end) for link in links]).reshape(-1, 2)
    added = np.array([link.scores for link in links]).reshape(-1, NUM_SCORES)
    for values, what in ((times, "time"), (added, "score"), (final[np.isfinite(final)], "score")):
        if np.abs(values).max(initial=0) > LARGEST:
            raise LatticeError(f"a {what} is too large once what belongs to it is added")
    return trim(
        tuple(index), np.array([place[link.source] for link in links], np.int32),
        np.array([place[link.target] for link in links], np.int32), np.array(word, np.int32),
        times[:, 0].astype(np.float32), times[:, 1].astype(np.float32), added.astype(np.float32),
        final.astype(np.float32), offset,
    )  # fmt: skip
