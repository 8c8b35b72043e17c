"""The word lattice: everything that may have been said, as arrays.

A deterministic acyclic automaton over words with the scores of the search kept apart: what the transducer, the
biasing and the language model each gave. Node 0 is the start; a path is a word sequence and its total is the sum of
its arcs and of the final scores of its last node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .errors import LatticeError

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
ACOUSTIC, BIAS, LANGUAGE = 0, 1, 2
"""Columns of ``scores`` and ``final``: natural log-probabilities of the transducer, added biasing, language model."""
NUM_SCORES = 3
SHOWN_CHARACTERS, SHOWN_ARCS = 60, 40
"""At most so much of a lattice is shown to people."""


@dataclass(frozen=True, eq=False, repr=False)
class Lattice:
    """Words with times and scores between nodes. Arrays are read-only and checked when it is made.

    Raises:
        LatticeError: arrays do not fit together, an arc leads backwards or to a node that is not there, a score is
            not a finite number (a final score may be minus infinity), a node cannot be reached or leads nowhere.
    """

    words: tuple[str, ...]
    """The words that occur, each once; arcs name them by place."""
    source: Ints
    """[arcs] Node an arc leaves; arcs are sorted by source, then by target and word."""
    target: Ints
    """[arcs] Node an arc enters; always greater than its source: nodes are in topological order."""
    word: Ints
    """[arcs] Index into ``words``."""
    start: Floats
    """[arcs] Seconds at which the word begins."""
    end: Floats
    """[arcs] Seconds at which the word ends."""
    scores: Floats
    """[arcs, 3] Acoustic, bias and language-model score (natural logarithm)."""
    final: Floats
    """[nodes, 3] The same for ending in a node; -inf in the acoustic column where no path ends."""
    offset: float = 0.0
    """Seconds of the stream at which time 0 lies."""

    def __post_init__(self) -> None:
        for name, kind in (
            ("source", np.int32), ("target", np.int32), ("word", np.int32), ("start", np.float32),
            ("end", np.float32), ("scores", np.float32), ("final", np.float32),
        ):  # fmt: skip
            array = np.array(getattr(self, name), kind, order="C")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        self._check()

    @property
    def num_nodes(self) -> int:
        """Number of nodes, at least 1."""
        return len(self.final)

    @property
    def num_arcs(self) -> int:
        """Number of arcs; 0 where nothing was said."""
        return len(self.word)

    @cached_property
    def totals(self) -> npt.NDArray[np.float64]:
        """[arcs] Sum of the three scores."""
        out: npt.NDArray[np.float64] = self.scores.sum(1, dtype=np.float64)
        return out

    @cached_property
    def final_totals(self) -> npt.NDArray[np.float64]:
        """[nodes] Sum of the three final scores; -inf where no path ends."""
        out: npt.NDArray[np.float64] = self.final.sum(1, dtype=np.float64)
        return out

    @cached_property
    def first_arc(self) -> Ints:
        """[nodes + 1] Arcs of node n are ``first_arc[n]`` up to ``first_arc[n + 1]``."""
        return np.searchsorted(self.source, np.arange(self.num_nodes + 1)).astype(np.int32)

    def best_path(self) -> list[int]:
        """Return the arcs of the path with the highest total; ties go to the arc that comes first."""
        best = self.final_totals.copy()
        follow = np.full(self.num_nodes, -1)
        for arc in range(self.num_arcs - 1, -1, -1):  # sources never decrease, so targets are settled
            total = self.totals[arc] + best[self.target[arc]]
            if total >= best[self.source[arc]]:
                best[self.source[arc]], follow[self.source[arc]] = total, arc
        path, node = [], 0
        while follow[node] >= 0:
            path.append(int(follow[node]))
            node = int(self.target[follow[node]])
        return path

    def find(self, words: Sequence[str]) -> list[int] | None:
        """Return the arcs of the path with just these words, None if there is none."""
        numbers = {word: number for number, word in enumerate(self.words)}
        path, node = [], 0
        for word in words:
            arcs = range(self.first_arc[node], self.first_arc[node + 1])
            arc = next((arc for arc in arcs if self.word[arc] == numbers.get(word)), None)
            if arc is None:
                return None
            path.append(arc)
            node = int(self.target[arc])
        return path if self.final_totals[node] > -np.inf else None

    def __eq__(self, other: object) -> bool:
        """Whether all is the same, to the last bit."""
        if not isinstance(other, Lattice):
            return NotImplemented
        return (self.words, self.offset) == (other.words, other.offset) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("source", "target", "word", "start", "end", "scores", "final")
        )

    def __hash__(self) -> int:
        return hash((self.words, self.word.tobytes(), self.scores.tobytes()))

    def __repr__(self) -> str:
        """Return what it is in one line; ``str`` shows its arcs."""
        said = self.text(self.best_path())
        said = said if len(said) <= SHOWN_CHARACTERS else f"{said[:SHOWN_CHARACTERS]}..."
        return f"<Lattice of {self.num_nodes} nodes and {self.num_arcs} arcs, best {said!r}>"

    def __str__(self) -> str:
        """Return the best words, and a line for each arc: nodes, seconds, word, total score."""
        best = set(self.best_path())
        lines = [
            self.text(sorted(best)) or "(nothing)",
            f"{self.num_nodes} nodes, {self.num_arcs} arcs (* the best path)",
        ]
        lines += [
            f"{'*' if arc in best else ' '} {self.source[arc]:>3} -> {self.target[arc]:<3} {self.start[arc]:7.2f} to"
            f" {self.end[arc]:.2f} s  {self.totals[arc]:8.2f}  {self.words[self.word[arc]]}"
            for arc in range(min(self.num_arcs, SHOWN_ARCS))
        ]
        if self.num_arcs > SHOWN_ARCS:
            lines.append(f"  ... and {self.num_arcs - SHOWN_ARCS} more")
        return "\n".join(lines)

    def text(self, path: Sequence[int]) -> str:
        """Return the words of a path of arcs with single spaces."""
        return " ".join(self.words[self.word[arc]] for arc in path)

    def _check(self) -> None:
        self._check_shapes()
        self._check_scores()
        self._check_arcs()
        self._check_connected()

    def _check_shapes(self) -> None:
        arcs, nodes = len(self.word), len(self.final)
        shapes = {"source": (arcs,), "target": (arcs,), "start": (arcs,), "end": (arcs,), "scores": (arcs, NUM_SCORES)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise LatticeError(f"{name} has shape {getattr(self, name).shape}; expected {shape}, as word has")
        if self.final.shape != (nodes, NUM_SCORES) or not nodes:
            raise LatticeError(f"final has shape {self.final.shape}; expected one row of {NUM_SCORES} per node")

    def _check_scores(self) -> None:
        for name in ("start", "end", "scores"):
            if not np.isfinite(getattr(self, name)).all():
                raise LatticeError(f"{name} holds a value that is not a finite number")
        acoustic = self.final[:, ACOUSTIC]
        if not (np.isfinite(acoustic) | (acoustic == -np.inf)).all() or not np.isfinite(self.final[:, 1:]).all():
            raise LatticeError("final holds a value that is not a finite number (-inf: acoustic column only)")

    def _check_arcs(self) -> None:
        if not self.num_arcs:
            return
        if self.word.min() < 0 or self.word.max() >= len(self.words):
            raise LatticeError(f"an arc names word {self.word.max()}; there are {len(self.words)}")
        if self.source.min() < 0 or self.target.max() >= self.num_nodes:
            raise LatticeError(f"an arc names a node beyond 0 to {self.num_nodes - 1}")
        if (self.target <= self.source).any():
            arc = int(np.flatnonzero(self.target <= self.source)[0])
            raise LatticeError(
                f"arc {arc} leads from node {self.source[arc]} to {self.target[arc]}; expected a later node (no cycles)"
            )
        if (np.diff(self.source) < 0).any():
            raise LatticeError("arcs are not sorted by source")

    def _check_connected(self) -> None:
        # in topological order a node that another one leads to is reachable if that one is: one pass suffices
        entered = np.zeros(self.num_nodes, bool)
        entered[0] = True
        entered[self.target] = True
        left = self.final[:, ACOUSTIC] > -np.inf
        left[self.source] = True
        for fine, what in ((entered, "cannot be reached from the start"), (left, "leads to no end")):
            if not fine.all():
                raise LatticeError(f"node {int(np.flatnonzero(~fine)[0])} {what}; trim the lattice first")
