"""Confusion networks, and the words with the fewest expected errors.

The method is that of Xu, Povey, Mangu and Zhu 2011, "Minimum Bayes Risk decoding and system combination based on a
recursion for edit distance": the arcs of the lattice are aligned to one word sequence, at first the best path; the
words that fall on a place of it vote there; the winners are the next sequence, until nothing changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .errors import LatticeError
from .lattice import Lattice
from .posterior import posteriors

Doubles = npt.NDArray[np.float64]
MAX_ROUNDS = 20
MAX_CELLS = 4_000_000
"""Nodes times places at most, about 70 MB; five minutes of speech have a tenth of that."""
NEVER = 1e-4
"""Votes below this are left out of a confusion network."""
PREFER = 1e-5
"""What a word in a place between words costs extra, so that it goes to a place with a word where it may."""


@dataclass(frozen=True)
class Choice:
    """A word that may have been said in a slot."""

    word: str | None
    """None: no word."""
    posterior: float
    """Probability in this slot."""


@dataclass(frozen=True)
class Slot:
    """Words of which one, or none, was said."""

    choices: tuple[Choice, ...]
    """The most probable one first; probabilities sum to 1 but for those left out."""
    start: float
    """Seconds at which the words begin, on average."""
    end: float
    """Seconds at which they end, on average."""


@dataclass(frozen=True)
class ConfusionNetwork:
    """Slots one after the other."""

    slots: tuple[Slot, ...]
    """In the order of time; every one has a word in it."""
    expected_errors: float
    """Word errors to expect of ``words``; the true number is never larger."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words with the fewest expected errors: the most probable of each slot where that is a word."""
        return tuple(slot.choices[0].word for slot in self.slots if slot.choices[0].word is not None)

    @property
    def text(self) -> str:
        """Those words with single spaces."""
        return " ".join(self.words)


def confusion_network(lattice: Lattice, scale: float = 1.0) -> ConfusionNetwork:
    """Return the confusion network of a lattice, aligned to the words with the fewest expected errors.

    Args:
        lattice: what may have been said.
        scale: of scores, as for ``posteriors``.

    Raises:
        LatticeError: the lattice is too long.
    """
    votes = _Votes(lattice, scale)
    words = lattice.word[lattice.best_path()].astype(np.int64)
    errors, tally = votes.count(words)
    for _ in range(MAX_ROUNDS):
        winners = tally.votes.argmax(1)
        following = winners[winners != votes.nothing]
        if np.array_equal(following, words):
            break
        fewer, next_tally = votes.count(following)
        if fewer >= errors - 1e-9:  # rounding or an approximation's end: the words at hand are no worse
            break
        words, errors, tally = following, fewer, next_tally
    return ConfusionNetwork(tuple(_slots(lattice, tally, votes.nothing)), max(0.0, errors))


@dataclass(frozen=True)
class _Tally:
    """How the arcs of a lattice vote on places: one for each word of a sequence, one before, between and after."""

    votes: Doubles
    """[places, words + 1] Posteriors; the last column is for no word."""
    start: Doubles
    """[places] Sum of the starts of the words that vote for a word, weighted."""
    end: Doubles
    """[places] The same of their ends."""


class _Votes:
    """The recursion: expected errors forward, and who votes for what backward."""

    def __init__(self, lattice: Lattice, scale: float) -> None:
        through = posteriors(lattice, scale)
        size = lattice.num_nodes
        visits = np.bincount(lattice.target, through, size)
        visits[0] = 1.0
        self.lattice = lattice
        self.ends = np.where(
            lattice.final_totals > -np.inf, np.maximum(visits - np.bincount(lattice.source, through, size), 0.0), 0.0
        )
        # how many of the paths that come to an arc's target come by the arc; nodes that none comes to do not matter
        self.share = through / np.maximum(visits[lattice.target], np.finfo(float).tiny)
        self.nothing = len(lattice.words)

    def count(self, words: npt.NDArray[np.int64]) -> tuple[float, _Tally]:
        """Return the errors to expect of a word sequence (at least the true number), and the votes on its places."""
        if self.lattice.num_nodes * 2 * len(words) > MAX_CELLS:
            raise LatticeError(
                f"{self.lattice.num_nodes} nodes and {len(words)} words are too many for a confusion network; prune it"
            )
        places = np.full(2 * len(words) + 1, self.nothing)
        places[1::2] = words
        left_out = np.concatenate([[0.0], np.cumsum(places != self.nothing)])
        lattice, size = self.lattice, len(places)
        sources, targets = lattice.source.tolist(), lattice.target.tolist()
        # how many errors a way to a node has against the first places, on average over these ways
        errors = np.zeros((lattice.num_nodes, size + 1))
        errors[0] = left_out
        matched = np.zeros((lattice.num_arcs, size + 1), bool)  # the arc's word goes to the place
        passed = np.zeros((lattice.num_arcs, size + 1), bool)  # the place gets no word after the arc's
        for arc, (source, target) in enumerate(zip(sources, targets, strict=True)):
            before = errors[source]
            direct = before + (1 + PREFER)
            match = before[:-1] + (places != lattice.word[arc])
            matched[arc, 1:] = match <= direct[1:]
            np.minimum(direct[1:], match, out=direct[1:])
            fewest = np.minimum.accumulate(direct - left_out) + left_out
            passed[arc] = fewest < direct - 1e-12
            errors[target] += self.share[arc] * fewest
        return float(self.ends @ errors[:, -1]), self._backward(size, matched, passed)

    def _backward(self, size: int, matched: npt.NDArray[np.bool_], passed: npt.NDArray[np.bool_]) -> _Tally:
        lattice = self.lattice
        tally = _Tally(np.zeros((size, self.nothing + 1)), np.zeros(size), np.zeros(size))
        weight = np.zeros((lattice.num_nodes, size + 1))  # of what stands in errors in the sum over all
        weight[:, -1] = self.ends
        index = np.arange(size + 1)
        sources, targets, words = lattice.source.tolist(), lattice.target.tolist(), lattice.word.tolist()
        starts, ends = lattice.start.tolist(), lattice.end.tolist()
        for node in range(lattice.num_nodes - 1, -1, -1):
            for arc in self._entering[node]:
                onward = self.share[arc] * weight[targets[arc]]
                # what was passed hands its weight down to the place before, up to one that was not
                behind = np.append(np.cumsum(onward[::-1])[::-1], 0.0)
                kept = np.flatnonzero(~passed[arc])
                following = np.append(kept, size + 1)[np.searchsorted(kept, index, "right")]
                mass = behind[:-1] - behind[following]
                tally.votes[:, self.nothing] += np.where(passed[arc], mass, 0.0)[1:]
                mass[passed[arc]] = 0.0
                taken = np.where(matched[arc], mass, 0.0)[1:]
                tally.votes[:, words[arc]] += taken
                tally.start[:] += taken * starts[arc]
                tally.end[:] += taken * ends[arc]
                before = weight[sources[arc]]
                before += mass
                before[1:] -= taken
                before[:-1] += taken
        tally.votes[:, self.nothing] += np.cumsum(weight[0, :0:-1])[::-1]
        return tally

    @cached_property
    def _entering(self) -> list[list[int]]:
        entering: list[list[int]] = [[] for _ in range(self.lattice.num_nodes)]
        for arc, target in enumerate(self.lattice.target.tolist()):
            entering[target].append(arc)
        return entering


def _slots(lattice: Lattice, tally: _Tally, nothing: int) -> Iterator[Slot]:
    for votes, start, end in zip(tally.votes, tally.start, tally.end, strict=True):
        likely = np.flatnonzero(votes >= NEVER)
        likely = likely[np.argsort(-votes[likely], kind="stable")]
        said = float(votes[:nothing].sum())
        if not (likely < nothing).any():
            continue
        choices = tuple(
            Choice(None if word == nothing else lattice.words[word], min(1.0, float(votes[word])))
            for word in likely.tolist()
        )
        yield Slot(choices, float(start) / said, float(end) / said)
