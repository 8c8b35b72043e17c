"""A lattice against a second opinion: how well its words fit the phones that were heard.

The phones are the output of a CTC model (Graves et al. 2006). All paths are aligned with it at once, frame by frame,
in the semiring of the maximum, once forward and once backward; an arc's score is that of the best alignment which
uses it, less what its two nodes would be worth without it. So the arcs of the best path add up to exactly its own
score, and those of others to theirs as far as they share its times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .lattice import ACOUSTIC, Ints, Lattice

Floats = npt.NDArray[np.float32]
Phones = Sequence[int]
"""Classes of the phone model that a word is said with; a word without any takes up one blank."""
NEVER = np.float32(-1e9)
BLANK = 0
MOST_CELLS = 20_000_000
"""Frames times arcs that are aligned at once, for the memory they take (12 bytes each)."""


@dataclass(frozen=True)
class Alignment:
    """A lattice laid along the frames of a phone model.

    Scores are natural log-probabilities of phones and blanks, relative to the likeliest classes of the same frames: 0
    where just these phones were heard, else below.
    """

    emissions: Floats
    """[frames, classes] The phone model's output, relative to the likeliest class of each frame."""
    forward: Floats
    """[frames + 1, nodes] The best way from the start to a node by each frame."""
    backward: Floats
    """[frames + 1, nodes] The best way from a node at each frame to an end."""
    times: npt.NDArray[np.int64]
    """[nodes] Frame at which the best alignment through a node is there."""
    arcs: Floats
    """[arcs] Score of each arc."""
    ends: Floats
    """[nodes] Score of what is left of the frames where a path ends in a node; 0 where none does."""

    @property
    def before(self) -> Floats:
        """[nodes] The best way from the start to each node at its time."""
        return _at(self.forward, self.times)

    @property
    def after(self) -> Floats:
        """[nodes] The best way from each node at its time to an end."""
        return _at(self.backward, self.times)

    @property
    def silence(self) -> float:
        """Score of no word at all."""
        return float(self.emissions[:, BLANK].sum(dtype=np.float64))


def align(lattice: Lattice, phones: Sequence[Phones], log_probs: Floats) -> Alignment | None:
    """Lay a lattice along phones that were heard.

    Args:
        lattice: at least one arc.
        phones: of each of ``lattice.words``.
        log_probs: [frames, classes] Natural log-probabilities, class 0 the blank.

    Returns:
        None if no path fits into the frames, or if frames times arcs are more than ``MOST_CELLS``: minutes of speech
        are cut into utterances first.
    """
    if len(log_probs) * lattice.num_arcs > MOST_CELLS:
        return None
    emissions: Floats = log_probs - log_probs.max(1, keepdims=True)
    said = [phones[word] for word in lattice.word.tolist()]
    ending = lattice.final[:, ACOUSTIC] > -np.inf
    start = np.zeros(lattice.num_nodes, bool)
    start[0] = True
    forward, arrived = _sweep(lattice.source, lattice.target, said, emissions, start)
    if not (forward[-1, ending] > NEVER / 2).any():
        return None
    turned = [one[::-1] for one in said]
    backward = _sweep(lattice.target, lattice.source, turned, emissions[::-1], ending)[0][::-1]
    times = (forward + backward).argmax(0)
    times[0] = 0  # not a frame later, where that is as good but for rounding
    before, after = _at(forward, times), _at(backward, times)
    through = (arrived + backward[:, lattice.target]).max(0)
    return Alignment(
        emissions,
        forward,
        backward,
        times,
        through - before[lattice.source] - after[lattice.target],
        np.where(ending, forward[-1] - before, 0.0).astype(np.float32),
    )


class Chains:
    """Strings of phones beside one another, with blanks allowed between and within: CTC states, in one row."""

    def __init__(self, phones: Sequence[Phones]) -> None:
        lengths = np.asarray([2 * max(1, len(one)) - 1 for one in phones])
        self._last = np.cumsum(lengths) - 1
        self._first = self._last - lengths + 1
        self.labels = np.zeros(int(lengths.sum()), np.int64)
        """[states] Class of each state: phones, with a blank between two."""
        for start, one in zip(self._first.tolist(), phones, strict=True):
            self.labels[start : start + 2 * len(one) : 2] = one
        # a blank may be left out between two phones, but not within a phone that is said twice
        skip = np.full(len(self.labels), NEVER)
        skip[2:][(self.labels[2:] != BLANK) & (self.labels[2:] != self.labels[:-2])] = 0.0
        skip[self._first] = NEVER
        self._skip = skip[2:]
        self._values = np.full(len(self.labels), NEVER)

    def step(self, emissions: Floats, entering: Floats) -> Floats:
        """Go one frame on: emissions [states], what enters each chain [chains]; returns the chains' ends [chains]."""
        values = self._values
        moved = np.empty_like(values)
        np.maximum(values[1:], values[:-1], out=moved[1:])
        np.maximum(moved[2:], values[:-2] + self._skip, out=moved[2:])
        moved[self._first] = np.maximum(values[self._first], entering)
        moved += emissions
        self._values = moved
        ends: Floats = moved[self._last]
        return ends


def _sweep(
    source: Ints, target: Ints, phones: Sequence[Phones], emissions: Floats, start: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return the best way to each node [frames + 1, nodes], and through each arc [frames + 1, arcs], by each frame."""
    order = np.argsort(target, kind="stable")
    entered, groups = np.unique(target[order], return_index=True)
    chains = Chains([phones[arc] for arc in order.tolist()])
    sources = source[order]
    nodes = np.full((len(emissions) + 1, len(start)), NEVER)
    nodes[0, start] = 0.0
    arcs = np.full((len(emissions) + 1, len(source)), NEVER)
    for frame, row in enumerate(emissions):
        before, after = nodes[frame], nodes[frame + 1]
        ends = chains.step(row[chains.labels], before[sources])
        arcs[frame + 1, order] = ends
        np.add(before, emissions[frame, BLANK], out=after)
        after[entered] = np.maximum(after[entered], np.maximum.reduceat(ends, groups))
    return nodes, arcs


def _at(values: Floats, times: npt.NDArray[np.int64]) -> Floats:
    out: Floats = values[times, np.arange(len(times))]
    return out
