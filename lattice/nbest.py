"""The most probable word sequences of a lattice, each once, best first."""

import heapq
import math
from dataclasses import dataclass

from .lattice import Lattice
from .posterior import total as log_sum
from .viterbi import best_to_end


@dataclass(frozen=True)
class Path:
    """One way through a lattice: words, when they were said, and how probable that is."""

    arcs: tuple[int, ...]
    """Arcs of the lattice, in order."""
    words: tuple[str, ...]
    """The words; empty where nothing was said."""
    starts: tuple[float, ...]
    """Seconds at which the words begin."""
    ends: tuple[float, ...]
    """Seconds at which the words end."""
    scores: tuple[float, float, float]
    """Acoustic, bias and language-model score with the final scores (natural logarithm)."""
    total: float
    """Sum of the three scores."""
    posterior: float
    """Probability among all paths of the lattice."""

    @property
    def text(self) -> str:
        """The words with single spaces."""
        return " ".join(self.words)


_Link = tuple[int, "_Link"] | None
"""The last arc of a path, and the path before it."""
_Ways = list[tuple[float, int, _Link]]
"""Loss, node and path of the ways in which the same words can be said."""


def n_best(lattice: Lattice, n: int, scale: float = 1.0) -> list[Path]:
    """Return the ``n`` word sequences with the highest totals, best first; all there are if fewer.

    Each comes once, with its best segmentation, also where the lattice is not deterministic. This is a best-first
    search over prefixes whose way on is known exactly, so it looks at little more than what it returns. The first is
    the lattice's best path; ``scale`` changes posteriors only.
    """
    if n < 1:
        raise ValueError(f"n is {n}; expected at least 1")
    to_end = best_to_end(lattice)
    first, targets = lattice.first_arc.tolist(), lattice.target.tolist()
    word, totals, finals = lattice.word.tolist(), lattice.totals.tolist(), lattice.final_totals.tolist()
    normalizer = log_sum(lattice, scale)
    found: list[Path] = []
    # of equal losses the longest prefix comes first: the way on loses exactly nothing, so the search never spreads
    queue: list[tuple[float, int, int, _Ways, bool]] = [(0.0, 0, 0, [(0.0, 0, None)], False)]
    pushed = 0
    while queue:
        _loss, depth, _, ways, ended = heapq.heappop(queue)
        if ended:
            found.append(_path(lattice, ways[0][2], ways[0][1], scale, normalizer))
            if len(found) == n:
                break
            continue
        onward: dict[int, _Ways] = {}
        for behind, node, link in ways:
            for arc in range(first[node], first[node + 1]):
                target = targets[arc]
                lost = behind + (to_end[node] - (totals[arc] + to_end[target]))
                onward.setdefault(word[arc], []).append((lost, target, (arc, link)))
        for following in onward.values():
            best = following if len(following) == 1 else _best_per_node(following)
            pushed += 1
            heapq.heappush(queue, (best[0][0], depth - 1, pushed, best, False))
        here = min(
            ((behind + (to_end[node] - finals[node]), node, link) for behind, node, link in ways),
            key=lambda way: way[0],
        )
        if here[0] < math.inf:
            pushed += 1
            heapq.heappush(queue, (here[0], depth - 1, pushed, [here], True))
    return found


def _best_per_node(ways: _Ways) -> _Ways:
    kept: dict[int, tuple[float, int, _Link]] = {}
    for way in sorted(ways, key=lambda way: way[0]):
        kept.setdefault(way[1], way)
    return list(kept.values())


def _path(lattice: Lattice, link: _Link, node: int, scale: float, normalizer: float) -> Path:
    arcs = []
    while link:
        arcs.append(link[0])
        link = link[1]
    arcs.reverse()
    acoustic, bias, language = lattice.scores[arcs].sum(0, dtype=float) + lattice.final[node]
    whole = float(lattice.totals[arcs].sum() + lattice.final_totals[node])
    return Path(
        tuple(arcs),
        tuple(lattice.words[index] for index in lattice.word[arcs]),
        tuple(lattice.start[arcs].tolist()),
        tuple(lattice.end[arcs].tolist()),
        (float(acoustic), float(bias), float(language)),
        whole,
        min(1.0, math.exp(scale * whole - normalizer)),
    )
