"""At the end of an utterance: what the phones that were heard say of the words the search holds possible.

The search goes by word pieces, of which a transducer expects those that it has often seen. The same encoder also tells
phones, and of these it has seen every one in thousands of words: so a rare word that lost narrowly wins when it is
what was said (two passes over one encoder as in Sainath et al. 2019, arXiv 1908.10992, the second on a CTC output).
"""

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ...lattice import (
    ACOUSTIC,
    BIAS,
    AlignedPath,
    Alignment,
    Calibration,
    DeterminizeSettings,
    Insertion,
    Lattice,
    TokenLattice,
    align,
    determinize,
    insert,
    n_best,
    path_alone,
    subset,
)
from ...models import ModelFileError, Pronouncer, Transducer
from ...models.encoder import Encoded
from ..search import SearchOptions
from .confidence import read_calibration, with_confidences
from .transcript import Word

if TYPE_CHECKING:
    from ...biasing import Spot, Spotter

PHONE_WEIGHT = 0.1
"""How much the phones count beside the search's scores: least errors on the dev sets, 0.5 points fewer than at 0.2."""
DOUBTFUL = 0.6
"""Mean probability of the search's words below which they are none, if the phones fit silence better by ``DENIED``."""
DENIED = 0.5
"""Log-probability by which they have to."""
UNDENIED = 5.0
"""Score of a phrase that was found by its sound from which on something was said, however doubtful the words are."""
PATHS = 4
"""Of the lattice, the best ones, in whose words phrases may stand that are found by their sound."""
UNSURE = 0.5
"""Probability of the tokens of a word that the search did not hold best, where it had no other in its place."""

_known: WeakKeyDictionary[Transducer, Pronouncer] = WeakKeyDictionary()
_lock = threading.Lock()


class PhonesHeard:
    """Phones of the audio that a search has seen."""

    def __init__(self, steps: Sequence[npt.NDArray[np.float32]] = (), first: int = 0, end: int = 0) -> None:
        """Begin with steps [phone frames, classes] of the encoder frames from ``first`` to before ``end``."""
        self._steps, self._first, self._frames = list(steps), first, end

    def add(self, encoded: Encoded) -> None:
        """Take the phones of the next step."""
        self._frames += len(encoded.out)
        if encoded.phones is not None and len(encoded.phones):
            self._steps.append(encoded.phones)

    def log_probs(self) -> npt.NDArray[np.float32]:
        """Return natural log-probabilities [phone frames, classes]; no frames where none were told."""
        return np.concatenate(self._steps) if self._steps else np.zeros((0, 1), np.float32)

    def fork(self) -> "PhonesHeard":
        """Return the same, to go its own way."""
        return PhonesHeard(self._steps, self._first, self._frames)

    def forget(self, kept: int) -> None:
        """Forget all but the last encoder frames, ``kept`` of them or up to twice as many."""
        if self._frames - self._first > 2 * kept:
            self.cut(self._frames - kept)

    def cut(self, frame: int) -> "PhonesHeard":
        """Forget what is before an encoder frame and return it."""
        phones = self.log_probs()
        place = len(phones) * (frame - self._first) // max(1, self._frames - self._first)
        taken = PhonesHeard([phones[:place]] if place else [], self._first, frame)
        self._steps, self._first = [phones[place:]] if place < len(phones) else [], frame
        return taken


class SecondPass:
    """What a model's phones do to lattices."""

    def __init__(self, pronounce: Pronouncer, options: SearchOptions, calibration: Calibration | None = None) -> None:
        self._pronounce, self._calibration = pronounce, calibration
        self._bias = options.bias if options.spotting else None
        self.prepare()

    def prepare(self) -> None:
        """Learn how new phrases sound, before anybody waits for it."""
        self._spotter()

    def _spotter(self) -> "Spotter | None":
        if self._bias is None:
            return None
        from ...biasing import Biasing  # noqa: PLC0415 (only where phrases are boosted)

        if not isinstance(self._bias, Biasing):
            return None
        return self._bias.spotter(self._pronounce, len(self._pronounce.phones))

    @classmethod
    def of(cls, model: Transducer, options: SearchOptions) -> "SecondPass | None":
        """Return the second pass that ``options`` ask for; None without, or if the model cannot.

        Raises:
            ModelFileError: the file that tells how words are pronounced cannot be used.
        """
        if not options.has_second_pass(model):
            return None
        with _lock:
            if model not in _known:
                _known[model] = Pronouncer.load(model.pronunciation)
            pronounce = _known[model]
        if pronounce.phones[1:] != model.phones[1:]:
            raise ModelFileError(model.pronunciation, "has other phones than the encoder; expected the same")
        return cls(pronounce, options, read_calibration(model.info.folder))

    def pronounced(self, words: Sequence[str]) -> Sequence[Sequence[int]]:
        """Return the phones with which words are said."""
        return self._pronounce([word.lower() for word in words])

    def rescore(
        self,
        lattice: Lattice,
        log_probs: npt.NDArray[np.float32],
        words: Sequence[Word] = (),
        promised: Sequence[str] = (),
        *,
        spoken: bool = False,
    ) -> Lattice:
        """Return a lattice with what was heard in its acoustic scores.

        Args:
            lattice: what the search left.
            log_probs: [frames, classes] Of the phones, over the same audio.
            words: those the search itself holds best, with their confidences.
            promised: texts of words with which all paths have to begin.
            spoken: whether it is known that somebody speaks, by his voice or since he was asked to spell (letters are
                hard to hear): words stay where phones deny them.
        """
        lattice = beginning_with(lattice, promised)
        if not lattice.num_arcs or not len(log_probs):
            return lattice
        alignment = align(lattice, self.pronounced(lattice.words), log_probs)
        if alignment is None:
            return lattice
        scores, final = lattice.scores.copy(), lattice.final.copy()
        scores[:, ACOUSTIC] += PHONE_WEIGHT * alignment.arcs
        final[:, ACOUSTIC] += PHONE_WEIGHT * alignment.ends
        spotter = self._spotter()
        found = spotter.find(log_probs) if spotter is not None else []
        if spotter is not None:
            # a phrase that the search found is one only if it sounds like it
            unheard = np.asarray([not spotter.confirms(word.lower(), found) for word in lattice.words])
            scores[unheard[lattice.word], BIAS] = 0.0
        lattice = replace(lattice, scores=scores, final=final)
        said = promised or spoken or any(spot.score >= UNDENIED for spot in found)
        if not said and sum(word.confidence for word in words) < DOUBTFUL * len(words):
            silent = with_silence(lattice, alignment)
            if silent is not lattice:
                return silent
        if spotter is None or not found:
            return lattice
        return self._insert(lattice, spotter, found, log_probs, words, len(promised))

    def _insert(
        self,
        lattice: Lattice,
        spotter: "Spotter",
        found: "Sequence[Spot]",
        log_probs: npt.NDArray[np.float32],
        words: Sequence[Word],
        promised: int,
    ) -> Lattice:
        """Return a lattice with the phrases that were found by their sound, behind the first ``promised`` words."""
        paths = []
        for said in n_best(lattice, PATHS):
            arcs = lattice.find(said.words)
            if not arcs:
                continue
            alone = path_alone(lattice, arcs)
            alignment = align(alone, self.pronounced(alone.words), log_probs)
            if alignment is None:
                return lattice
            own = words_of(lattice, arcs, words)
            sure = tuple(word.confidence for word in with_confidences(own, lattice, self._calibration))
            paths.append(AlignedPath(tuple(arcs), said.words, alignment, sure))
        if not paths:
            return lattice
        insertions = [
            Insertion(
                spot.words,
                spot.phones,
                spot.end,
                [
                    [
                        -math.inf if place < promised else spotter.worth(spot, lower[:place])
                        for place in range(len(lower) + 1)
                    ]
                    for lower in ([word.lower() for word in path.words] for path in paths)
                ],
            )
            for spot in found
        ]
        return insert(lattice, paths, PHONE_WEIGHT, insertions)


def word_lattice(
    model: Transducer, tokens: TokenLattice, settings: DeterminizeSettings, *, lower: bool = True
) -> Lattice:
    """Return the word lattice of what a search left.

    Raises:
        LatticeError: no path ends.
    """
    return determinize(
        tokens,
        lru_cache(partial(model.vocabulary.text, lower=lower)),
        model.vocabulary.word_starts,
        frame_seconds=model.info.frame_seconds,
        settings=settings,
    )


def with_silence(lattice: Lattice, alignment: Alignment) -> Lattice:
    """Return the lattice with a path of no words, if the phones fit that better than its best words.

    A noise that is like nothing in training makes the transducer put out some word, and the phones nothing.
    """
    path = lattice.best_path()
    last = int(lattice.target[path[-1]]) if path else 0
    better = alignment.silence - float(alignment.arcs[path].sum() + alignment.ends[last]) - DENIED
    if better <= 0 or not path:
        return lattice
    final = lattice.final.copy()
    final[0] = float(lattice.totals[path].sum() + lattice.final_totals[last]) + better, 0.0, 0.0
    return replace(lattice, final=final)


def beginning_with(lattice: Lattice, words: Sequence[str]) -> Lattice:
    """Return the paths of a lattice that begin with ``words``, or with as many of them as any path does."""
    keep, ends = np.ones(lattice.num_arcs, bool), np.ones(lattice.num_nodes, bool)
    node = 0
    for word in words:
        arcs = range(lattice.first_arc[node], lattice.first_arc[node + 1])
        found = next((arc for arc in arcs if lattice.words[lattice.word[arc]] == word), None)
        if found is None:
            break
        keep[arcs.start : arcs.stop] = False
        keep[found], ends[node] = True, False
        node = int(lattice.target[found])
    return subset(lattice, keep, ends) if node else lattice


def best_words(lattice: Lattice, words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words of a lattice's best path; see ``words_of``."""
    return words_of(lattice, lattice.best_path(), words)


def words_of(lattice: Lattice, path: Sequence[int], words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words of a path.

    Those that are in ``words``, the search's own, come with what is known of them there; others with the lattice's
    times and the least confidence of those whose place they take.
    """
    texts = [lattice.words[lattice.word[arc]] for arc in path]
    out: list[Word] = []
    matcher = SequenceMatcher(None, [word.text for word in words], texts, autojunk=False)
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            out += words[first:last]
            continue
        sure = min((word.confidence for word in words[first:last]), default=UNSURE)
        times = [(round(float(lattice.start[arc]), 3), round(float(lattice.end[arc]), 3)) for arc in path[begin:end]]
        out += [Word(text, *time, sure) for text, time in zip(texts[begin:end], times, strict=True)]
    return tuple(out)
