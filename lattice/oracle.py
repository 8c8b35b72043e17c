"""How good a lattice could be: the fewest word errors of any of its paths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .lattice import ACOUSTIC, Lattice


@dataclass(frozen=True)
class OracleResult:
    """The path of a lattice that is closest to what was said."""

    errors: int
    """Word errors of the closest path: substitutions, insertions and deletions."""
    reference_words: int
    """Words that were said."""
    path: tuple[int, ...]
    """Arcs of the closest path."""
    words: tuple[str, ...]
    """Its words."""
    density: float
    """Arcs of the lattice per word of the reference (of which there are counted at least 1)."""
    depth: float
    """Arcs of the lattice at one time, averaged over the time that it covers."""

    @property
    def text(self) -> str:
        """The words of the closest path with single spaces."""
        return " ".join(self.words)


def oracle(lattice: Lattice, reference: Sequence[str]) -> OracleResult:
    """Return the path with the fewest word errors (edit distance) against ``reference``.

    Of equally good paths the one whose arcs come first, seen from the end. Takes arcs times reference words.
    """
    known = {word: index for index, word in enumerate(lattice.words)}
    said = np.array([known.get(word, -1) for word in reference], np.int64)
    size = len(said)
    ramp = np.arange(size + 1, dtype=np.int32)
    mismatch = np.ones((len(lattice.words) or 1, size), np.int8)
    mismatch[said[said >= 0], np.flatnonzero(said >= 0)] = 0
    # distance[n, j]: fewest errors of a way to node n against the first j words
    distance = np.full((lattice.num_nodes, size + 1), 2 * lattice.num_nodes + size, np.int32)
    distance[0, 0] = 0
    sources, targets, words = lattice.source.tolist(), lattice.target.tolist(), lattice.word.tolist()
    first = lattice.first_arc.tolist()
    for node in range(lattice.num_nodes):
        # left out words of the reference: the cheapest way to any earlier place, plus the words between
        here = np.minimum.accumulate(distance[node] - ramp) + ramp
        distance[node] = here
        for arc in range(first[node], first[node + 1]):
            there = distance[targets[arc]]
            np.minimum(there, here + 1, out=there)
            np.minimum(there[1:], here[:-1] + mismatch[words[arc]], out=there[1:])
    ends = np.flatnonzero(lattice.final[:, ACOUSTIC] > -np.inf)
    node = int(ends[np.argmin(distance[ends, size])])
    errors = int(distance[node, size])
    entering: list[list[int]] = [[] for _ in range(lattice.num_nodes)]
    for arc, target in enumerate(targets):
        entering[target].append(arc)
    path, place = [], size
    while node or place:
        errors_here = int(distance[node, place])
        for arc in entering[node]:
            source = sources[arc]
            if place and distance[source, place - 1] + mismatch[words[arc], place - 1] == errors_here:
                place -= 1
            elif distance[source, place] + 1 != errors_here:
                continue
            path.append(arc)
            node = source
            break
        else:
            place -= 1
    path.reverse()
    return OracleResult(
        errors, size, tuple(path), tuple(lattice.words[words[arc]] for arc in path),
        lattice.num_arcs / max(size, 1), mean_depth(lattice),
    )  # fmt: skip


def mean_depth(lattice: Lattice) -> float:
    """Return how many arcs there are at one time, averaged from the first start to the last end; 0 without arcs."""
    if not lattice.num_arcs:
        return 0.0
    seconds = float(lattice.end.max() - lattice.start.min())
    return float((lattice.end - lattice.start).sum(dtype=float)) / seconds if seconds > 0 else float(lattice.num_arcs)
