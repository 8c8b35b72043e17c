"""Lists of phrases for training: what is said in a batch and rare, and much that is not."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..phrase_sounds import ByLetter, Ints, Places, places_of
from ..tokens import WORD_MARK
from .contextual import ListedBatch
from .contextual_data import HeardCorpus, Spoken

COMMON = 3000
"""Words that are no names, be they alone (wordfreq's commonest)."""
MOST_WORDS = 3
FEWEST_LETTERS = 4
Tokens = tuple[int, ...]


@dataclass(frozen=True)
class ListOptions:
    """How lists are drawn."""

    longest: int = 300
    """Phrases of a list that are not said, at most; how many is drawn evenly by its logarithm."""
    unlisted: float = 0.5
    """Share of the utterances of which nothing is listed."""
    any_words: float = 0.25
    """Share of the listed phrases that are any words, not rare ones."""
    alike: float = 0.6
    """Share of the others on a list that begin as a word that is said."""
    silent: float = 0.1
    """Share of the lists of which nobody knows how their phrases sound."""
    tail: int = 12
    """Frames after the last token that count."""
    going: tuple[int, ...] = (8, 8, 8, 48)
    """Places that may go on after a context, at most; one of these for a batch, since each costs memory."""
    most_tokens: int = 45
    """Tokens of an utterance; longer ones are left out."""


def word_spans(tokens: Sequence[int], vocabulary: Sequence[str]) -> list[tuple[int, int]]:
    """Return first and end index of the pieces of each word."""
    starts = [k for k, token in enumerate(tokens) if vocabulary[token].startswith(WORD_MARK)]
    return list(zip(starts, [*starts[1:], len(tokens)], strict=True))


class PhraseLists:
    """Draws batches of utterances with a list for all."""

    def __init__(
        self,
        corpus: HeardCorpus,
        vocabulary: Sequence[str],
        by_letter: ByLetter,
        others: Sequence[Tokens],
        options: ListOptions,
    ) -> None:
        """Take a corpus, the model's tokens and how words sound, and phrases that nobody says, in tokens."""
        from wordfreq import top_n_list

        self._corpus, self._vocabulary, self._options = corpus, vocabulary, options
        self._common = frozenset(top_n_list("en", COMMON))
        self._by_letter = by_letter
        self._places: dict[Tokens, Places] = {}
        self._others = list(dict.fromkeys(others))
        self._by_start: dict[int, list[Tokens]] = {}
        for phrase in self._others:
            self._by_start.setdefault(phrase[0], []).append(phrase)
        by_corpus: dict[str, list[tuple[int, Spoken]]] = {}
        for item in [one for one in corpus.items if len(one[1].tokens) <= options.most_tokens]:
            by_corpus.setdefault(item[1].corpus, []).append(item)
        self._sets = by_corpus

    def _span(self, spoken: Spoken, rng: random.Random) -> tuple[int, int] | None:
        """Return what is listed of an utterance: rare words in a row, or any."""
        spans = word_spans(spoken.tokens, self._vocabulary)
        words = spoken.text.split()
        if len(words) != len(spans):
            return None
        rare = [k for k, word in enumerate(words) if word not in self._common and len(word) >= FEWEST_LETTERS]
        if rare and rng.random() >= self._options.any_words:
            first = rng.choice(rare)
            while first - 1 in rare:
                first -= 1
            end = first + 1
            while end in rare and end - first < MOST_WORDS:
                end += 1
            if end - first > 1 and rng.random() < 0.3:  # a part of a name
                first = rng.randrange(first, end)
                end = first + 1
        else:
            first = rng.randrange(len(words))
            end = min(len(words), first + rng.choice((1, 1, 2)))
        if len("".join(words[first:end])) < FEWEST_LETTERS:
            return None
        return spans[first][0], spans[end - 1][1]

    def _known(self, phrase: Tokens) -> Places:
        found = self._places.get(phrase)
        if found is None:
            if len(self._places) > 100_000:
                self._places.clear()
            found = self._places[phrase] = places_of([phrase], self._vocabulary, self._by_letter)
        return found

    def draw(self, size: int, weights: dict[str, float], rng: random.Random) -> list[tuple[int, Spoken]]:
        """Draw utterances of about one length: sets by weight."""
        names = list(self._sets)
        shares = [weights.get(name, 1.0) for name in names]
        drawn = [rng.choice(self._sets[name]) for name in rng.choices(names, shares, k=4 * size)]
        pivot = drawn[0][1].emitted[-1]
        return sorted(drawn, key=lambda item: abs(item[1].emitted[-1] - pivot))[:size]

    def batch(self, items: Sequence[tuple[int, Spoken]], rng: random.Random) -> ListedBatch:
        """Return utterances with a list."""
        options, corpus = self._options, self._corpus
        spans = [None if rng.random() < options.unlisted else self._span(spoken, rng) for _, spoken in items]
        said = [None if span is None else item[1].tokens[slice(*span)] for item, span in zip(items, spans, strict=True)]
        listed = dict.fromkeys(phrase for phrase in said if phrase is not None)
        count = int(math.exp(rng.uniform(0, math.log(options.longest + 1)))) - 1
        # what begins as any word of the batch is what a long list holds against it
        starts = [token for _, one in items for token in one.tokens if self._vocabulary[token].startswith(WORD_MARK)]
        for _ in range(count):
            pool = self._others
            if starts and rng.random() < options.alike:
                pool = self._by_start.get(rng.choice(starts), pool)
            listed.setdefault(rng.choice(pool))
        phrases = list(listed) or [rng.choice(self._others)]
        rng.shuffle(phrases)
        parts = [self._known(phrase) for phrase in phrases]
        pieces, sounds = np.concatenate([one.pieces for one in parts]), np.concatenate([one.sounds for one in parts])
        if rng.random() < options.silent:
            sounds = np.zeros_like(sounds)
        begins = np.cumsum([0, *map(len, phrases)])[:-1]
        place_of = {phrase: int(begin) for phrase, begin in zip(phrases, begins, strict=True)}

        rows = len(items)
        frames = [min(one.frames, one.emitted[-1] + 1 + options.tail) for _, one in items]
        longest, most = max(frames), max(len(one.tokens) for _, one in items)
        dim = corpus.encoded[0].shape[1]
        encoded = np.zeros((rows, longest, dim), np.float32)
        phones = np.zeros((rows, longest, corpus.phones[0].shape[1]), np.float32)
        tokens, emitted = np.zeros((2, rows, most), np.int64)
        target = np.full((rows, most), -1, np.int64)
        for row, ((folder, one), span, phrase) in enumerate(zip(items, spans, said, strict=True)):
            where = slice(one.offset, one.offset + frames[row])
            encoded[row, : frames[row]], phones[row, : frames[row]] = (
                corpus.encoded[folder][where],
                corpus.phones[folder][where],
            )
            tokens[row, : len(one.tokens)], emitted[row, : len(one.tokens)] = one.tokens, one.emitted
            if span is not None and phrase is not None:
                target[row, slice(*span)] = place_of[phrase] + np.arange(len(phrase))
        lengths = [len(one.tokens) for _, one in items]
        going = going_places(pieces, tokens, lengths, target, rng.choice(options.going))
        return ListedBatch(
            encoded=torch.from_numpy(encoded),
            phones=torch.from_numpy(phones),
            frames=torch.tensor(frames),
            tokens=torch.from_numpy(tokens),
            token_lengths=torch.tensor(lengths),
            emitted=torch.from_numpy(emitted),
            pieces=torch.from_numpy(pieces),
            sounds=torch.from_numpy(sounds),
            begins=torch.from_numpy(begins),
            going=torch.from_numpy(going),
            target=torch.from_numpy(target),
        )


def going_places(pieces: Ints, tokens: Ints, lengths: Sequence[int], target: Ints, most: int) -> Ints:
    """Return which places may go on after each number of tokens of each row, [N, U + 1, C], padded with -1.

    Of more than ``most`` some are left out, never the one that ``target`` [N, U] says.
    """
    follow: dict[tuple[int, int], list[int]] = {}
    second: dict[int, list[int]] = {}
    for place, (before, last, _) in enumerate(pieces.tolist()):
        if before:
            follow.setdefault((before, last), []).append(place)
        elif last:
            second.setdefault(last, []).append(place)
    out = np.full((len(tokens), tokens.shape[1] + 1, most), -1, np.int64)
    for k, (row, length) in enumerate(zip(tokens.tolist(), lengths, strict=True)):
        for u in range(1, length + 1):
            found = follow.get((row[u - 2] if u > 1 else 0, row[u - 1]), []) + second.get(row[u - 1], [])
            if len(found) > most:
                right = int(target[k, u]) if u < tokens.shape[1] else -1
                found = [right, *found[: most - 1]] if right in found[most - 1 :] else found[:most]
            out[k, u, : len(found)] = found
    used = int((out >= 0).sum(2).max(initial=1))
    return out[:, :, : max(1, used)]
