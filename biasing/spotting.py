"""Phrases found by their sound: phones of listed names in the phones that were heard.

Each phrase is aligned with any stretch of the output of a CTC phone model, against the likeliest phones of the same
stretch (a word spotter as in Andrusenko et al. 2024, arXiv 2406.07096, on phones). What a name looks like in word
pieces does not matter, nor whether the recogniser has ever seen it. Of long lists most is ruled out by its pairs of
phones, which need one table look-up each.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from .templates import Templates
from .weights import ClassSettings, price

Floats = npt.NDArray[np.float32]
Phones = tuple[int, ...]
Pronounce = Callable[[Sequence[str]], list[Phones]]
PER_PHONE = np.float32(1.5)
"""What each phone of a phrase counts: the log-probability by which it may be less likely than what was heard."""
REACH = 8
"""Frames within which one phone follows another, as far as ruling out goes."""
MOST_ALIGNED = 16
"""Phrases of a list that are aligned with what was heard, the likeliest by their pairs of phones."""
SLACK, STRICTNESS = 11.0, 1.4
"""What a phrase has to score is the price of its list less the one, plus the other divided by its class's strength."""
RIVALS = 9.6
"""Logarithm of how many other things of ``FEWEST_PHONES`` phones may be said that sound like a phrase, whatever the
length of its list; with every phone more there are fewer by a factor of e."""
MOST_FOUND = 8
"""Phrases that are found in an utterance."""
SHORT_BY = 14.0
"""Log-probability by which a phrase may fall short of what it has to score and is found all the same: what was heard in
its place may sound like it even less."""
FEWEST_PHONES = 4
"""Phones below which a phrase is not looked for: it sounds like a part of too much else."""
LEAST_PHONE = 7.0
"""Log-probability by which every phone is less likely than the blank in frames where nothing is looked for."""


@dataclass(frozen=True)
class Spot:
    """Where a phrase may have been said."""

    words: tuple[str, ...]
    """As the recogniser would write them."""
    phones: tuple[Phones, ...]
    """Of each word, classes of the phone model."""
    cls: str
    """Class of the phrase."""
    end: int
    """Frame of the phone model after its last phone."""
    score: float
    """How much better it fits than it needs to (natural log-probability); below 0 where it falls short of that."""


@dataclass(frozen=True)
class PhraseSounds:
    """How some phrases of one class sound, ready to be looked for."""

    words: tuple[tuple[str, ...], ...]
    phones: tuple[tuple[Phones, ...], ...]
    boosts: Floats
    """[phrases] Weight of each relative to the others of its class."""
    lengths: npt.NDArray[np.int64]
    """[phrases] Phones of each."""
    strings: npt.NDArray[np.int64]
    """[phrases, longest] Their phones, in a row, padded with the blank."""
    ends: npt.NDArray[np.int64]
    """[2, phrases] The first and the last phone of each."""
    pairs: npt.NDArray[np.int32]
    """[longest - 1, phrases] Places of neighbours in a table of all pairs; the place after the table as padding."""
    silent: frozenset[str]
    """Words of phrases that are too short to be looked for, or that nothing says how to pronounce."""

    @classmethod
    def of(cls, texts: Mapping[str, float], pronounce: Pronounce, classes: int) -> "PhraseSounds":
        """Return the sounds of phrases with their boosts; ``classes`` is how many the phone model has."""
        split = [tuple(text.lower().split()) for text in texts]
        known = list({word: None for words in split for word in words})
        said = dict(zip(known, pronounce(known), strict=True))
        spoken = [
            (words, tuple([said[word] for word in words]), boost)
            for words, boost in zip(split, texts.values(), strict=True)
        ]
        kept = [each for each in spoken if _is_long(each[1])]
        flat = [tuple(chain.from_iterable(phones)) for _, phones, _ in kept]
        lengths = np.asarray([len(one) for one in flat], np.int64)
        strings = np.zeros((len(flat), max(1, int(lengths.max(initial=1)))), np.int64)
        strings[np.arange(strings.shape[1]) < lengths[:, None]] = list(chain.from_iterable(flat))
        pairs = strings[:, :-1] * classes + strings[:, 1:]
        pairs[np.arange(1, strings.shape[1]) >= lengths[:, None]] = classes * classes
        last = strings[np.arange(len(flat)), lengths - 1]
        return cls(
            tuple([words for words, _, _ in kept]),
            tuple([phones for _, phones, _ in kept]),
            np.asarray([boost for _, _, boost in kept], np.float32),
            lengths,
            strings,
            np.stack([strings[:, 0], last]),
            np.ascontiguousarray(pairs.T, np.int32),
            frozenset(word for words, phones, _ in spoken if not _is_long(phones) for word in words),
        )

    def without(self, texts: Iterable[str]) -> "PhraseSounds":
        """Return the sounds less those of some phrases."""
        gone = {tuple(text.lower().split()) for text in texts}
        kept = [place for place, words in enumerate(self.words) if words not in gone]
        return PhraseSounds(
            tuple([self.words[place] for place in kept]),
            tuple([self.phones[place] for place in kept]),
            self.boosts[kept],
            self.lengths[kept],
            self.strings[kept],
            self.ends[:, kept],
            np.ascontiguousarray(self.pairs[:, kept]),
            self.silent,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        arrays = (self.boosts, self.lengths, self.strings, self.ends, self.pairs)
        return sum(array.nbytes for array in arrays)

    def find(self, heard: "PhonesTable", cls: str, least: float, strictness: float) -> list[Spot]:
        """Return where phrases may have been said, each once, the best first.

        Each has to score ``least``, or what its rivals make of it, plus ``strictness`` divided by its boost; its score
        is what it has beyond that, or is short of it by, up to ``SHORT_BY``.
        """
        if not len(self.lengths) or not len(heard.relative):
            return []
        # each phone but the first and the last is in two pairs
        bound = heard.best.take(self.ends).sum(0)
        for pair in self.pairs:
            bound += heard.pairs.take(pair)
        rivals = np.maximum(0.0, RIVALS - (self.lengths - FEWEST_PHONES)).astype(np.float32)
        spare = PER_PHONE * self.lengths - np.maximum(least, price(1) + rivals - SLACK) - strictness / self.boosts
        bound = bound * np.float32(0.5) + spare
        likely = np.flatnonzero(bound >= -SHORT_BY)
        if len(likely) > MOST_ALIGNED:
            likely = likely[np.argpartition(-bound[likely], MOST_ALIGNED)[:MOST_ALIGNED]]
        if not len(likely):
            return []
        scores = self._aligned(heard.relative, likely)
        frames = scores.argmax(1)
        best = scores[np.arange(len(likely)), frames] + spare[likely]
        return [
            Spot(self.words[likely[k]], self.phones[likely[k]], cls, int(frames[k]), float(best[k]))
            for k in np.argsort(-best, kind="stable").tolist()
            if best[k] >= -SHORT_BY
        ]

    def _aligned(self, relative: Floats, chosen: npt.NDArray[np.int64]) -> Floats:
        """Return how well each chosen phrase fits where it ends before each frame, [chosen, frames + 1]."""
        sums = np.zeros((len(relative) + 1, relative.shape[1]), np.float32)
        np.cumsum(relative, axis=0, out=sums[1:])
        sums = np.ascontiguousarray(sums.T)
        blank = sums[0]
        entering = np.zeros((len(chosen), sums.shape[1]), np.float32)
        out = np.empty_like(entering)
        for place in range(int(self.lengths[chosen].max())):
            # a phone lasts a frame or more: the best of all frames at which it may have begun
            phone = sums[self.strings[chosen, place]]
            ended = np.full_like(entering, -np.inf)
            ended[:, 1:] = phone[:, 1:] + np.maximum.accumulate(entering - phone, axis=1)[:, :-1]
            done = self.lengths[chosen] == place + 1
            out[done] = ended[done]
            entering = blank + np.maximum.accumulate(ended - blank, axis=1)
        return out


def _is_long(phones: Sequence[Phones]) -> bool:
    return all(phones) and sum(map(len, phones)) >= FEWEST_PHONES


class PhonesTable:
    """What was heard, for all lists together."""

    def __init__(self, log_probs: Floats) -> None:
        """Take natural log-probabilities [frames, classes], class 0 the blank."""
        self.relative: Floats = log_probs - log_probs.max(1, keepdims=True)
        """[frames, classes] Relative to the likeliest class of each frame."""
        classes = log_probs.shape[1]
        self.best: Floats = self.relative.max(0, initial=-np.inf)
        """[classes] How likely each phone was at best."""
        after = np.full_like(self.relative, -np.inf)
        for step in range(1, REACH + 1):
            np.maximum(after[:-step], self.relative[step:], out=after[:-step])
        pairs = np.full((classes, classes), -np.inf, np.float32)
        # where no phone is likely there is no pair either
        for row, following in zip(self.relative, after, strict=True):
            if row[0] < 0 or row[1:].max() > -LEAST_PHONE:
                np.maximum(pairs, row[:, None] + following, out=pairs)
        self.pairs: Floats = np.append(pairs.ravel(), np.float32(0.0))
        """[classes * classes + 1] How likely each pair was at best, one phone soon after the other; 0 at the end."""


@dataclass(frozen=True)
class Listed:
    """The phrases of a class."""

    parts: tuple[PhraseSounds, ...]
    settings: ClassSettings
    count: int
    """Phrases in all: the more there are, the better each has to fit."""

    @property
    def least(self) -> float:
        """What a phrase has to score, whatever its strength."""
        return price(self.count) - SLACK

    @property
    def dearer(self) -> float:
        """What it has to score more where no template has the class."""
        inside, outside = self.settings.inside_score, self.settings.outside_score
        return STRICTNESS / outside - STRICTNESS / inside if outside > 0 else math.inf


@dataclass(frozen=True)
class Spotter:
    """Finds the phrases of all classes."""

    listed: Mapping[str, Listed]
    templates: Templates

    def find(self, log_probs: Floats) -> list[Spot]:
        """Return what may have been said of all phrases, the best first.

        Args:
            log_probs: [frames, classes] Natural log-probabilities of the phone model, class 0 the blank.
        """
        if not self.listed or not len(log_probs):
            return []
        heard = PhonesTable(log_probs)
        found = []
        for cls, one in self.listed.items():
            strength = one.settings.inside_score
            if strength > 0:
                strictness = STRICTNESS / strength
                found += [spot for part in one.parts for spot in part.find(heard, cls, one.least, strictness)]
        return sorted(found, key=lambda spot: -spot.score)[:MOST_FOUND]

    def confirms(self, word: str, found: Iterable[Spot]) -> bool:
        """Return whether ``word``, lower case, may be of a phrase: one was found, or is not looked for by its sound."""
        stems = {word, word.removesuffix("s"), word.removesuffix("'s")}
        return any(not stems.isdisjoint(spot.words) for spot in found) or any(
            not stems.isdisjoint(part.silent) for one in self.listed.values() for part in one.parts
        )

    def worth(self, spot: Spot, before: Sequence[str]) -> float:
        """Return what speaks for a phrase after the words ``before``: less where no template has its class.

        Minus infinity where that is not enough.
        """
        if spot.cls not in self.templates.classes or self._fits(spot.cls, before):
            return spot.score
        score = spot.score - self.listed[spot.cls].dearer
        return score if score >= -SHORT_BY else -math.inf

    def _fits(self, cls: str, before: Sequence[str]) -> bool:
        templates = self.templates
        places = templates.beginning
        for word in before:
            places = templates.after_word(places, frozenset([word])) | templates.anywhere
        return bool(templates.after_class(places, cls))
