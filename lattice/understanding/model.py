"""A model of requests: what can be asked for, and the weights that tell it from words, in text or in a lattice.

Intents: a linear classifier over expected features; slots: a linear-chain CRF (Lafferty, McCallum and Pereira 2001).
What nothing speaks for is refused. In a lattice the labels, the search's scores and an n-gram model of requests choose
the path together: one that makes sense may beat the one that sounds best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..lattice import Lattice
from ..nbest import n_best
from ..posterior import arc_confidences
from .basic import BASIC_WORDS, basic_intent
from .confidence import HEARD, Rejection
from .graph import NOTHING_LISTED, Graph, Listed, WordClasses, graph_of_lattice, graph_of_words, share_within
from .intent_features import intent_features
from .known_values import nearest_value
from .path_language import language_scores
from .result import FilledSlot, Understanding
from .slot_features import features_there
from .values import ValueKind, value_of
from .weights import Doubles, Floats, Weights, summed
from .windows import Windows, best_path, marginals, windows_of, within_limits
from .words import Token, combined, distinct, hash_of, tokenize

OUTSIDE = "O"
"""Label of words that are in no slot; label 0."""
FORBIDDEN = -1e9
MAX_ARCS = 24
"""Arcs of a lattice that are looked at: with 60 nothing more was understood."""
MAX_WINDOWS = 36
"""Windows of five words that are; a lattice with more is pruned further. With 240 nothing more was understood."""
BASIC_SHARE = 0.5
"""Probability from which on a lattice is taken for a basic intent."""
BASIC_PATHS = 10
_TRANSITION = hash_of("slot transition")


@dataclass(frozen=True)
class PathSettings:
    """What the parts have to say where a lattice's paths are compared."""

    posterior_scale: float = 1.0
    """Of the search's scores, where they become probabilities: below 1 the alternatives count more."""
    search: float = 1.0
    """Weight of the search's scores (natural logarithm)."""
    language: float = 0.1
    """Weight of the n-gram model of requests (natural logarithm)."""
    labels: float = 0.03
    """Weight of the CRF's scores."""
    word: float = 0.0
    """What each word is worth: makes up for what the others have for or against long paths."""


@dataclass(frozen=True, eq=False)
class UnderstandingModel:
    """What can be asked for, and how it is told."""

    intents: tuple[str, ...]
    """Names of what can be asked for; the last may be that of texts that ask for none of them."""
    none_of_them: bool
    """Whether the last intent stands for texts that ask for nothing."""
    labels: tuple[str, ...]
    """Labels of words: ``O``, and for each slot ``B-name`` for its first word and ``I-name`` for all others."""
    allowed: npt.NDArray[np.bool_]
    """[intents, labels] Labels that were seen with each intent."""
    intent_weights: Weights
    """A column for each intent."""
    slot_weights: Weights
    """A column for each label."""
    language_weights: Weights
    """Two columns, log-probability and backoff of n-grams of words."""
    classes: WordClasses | None
    """Which words are used alike."""
    rejection: Rejection
    """When to say no."""
    label_temperature: float = 1.0
    """What labels' scores are divided by where they become probabilities."""
    paths: PathSettings = PathSettings()
    """How paths of a lattice are compared."""
    known_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of slots that are closed lists, what they hold."""

    @cached_property
    def transitions(self) -> Floats:
        """[labels, labels] Score of a label behind another."""
        keys = transition_keys(self.labels)
        scores = summed(self.slot_weights.rows(keys), None, (len(keys), len(self.labels)), np.arange(len(keys)))
        for number, label in enumerate(self.labels):
            if label.startswith("I-"):
                inside = {label, "B-" + label[2:]}
                scores[[other not in inside for other in self.labels], number] = FORBIDDEN
        return scores.astype(np.float32)

    @cached_property
    def _inside(self) -> npt.NDArray[np.bool_]:
        """[labels] Which are of words that a slot does not begin with."""
        return np.array([label.startswith("I-") for label in self.labels])

    def labels_of(self, intent: int) -> tuple[npt.NDArray[np.intp], Doubles]:
        """Return the numbers of the labels that an intent allows, and the transitions between them."""
        chosen = np.flatnonzero(self.allowed[intent])
        return chosen, self.transitions[chosen[:, None], chosen].astype(np.float64)

    def understand_text(self, text: str, listed: Listed = NOTHING_LISTED) -> Understanding:
        """Return what a text asks for; its words are compared in lower case, without punctuation."""
        return self.understand_tokens(tokenize(text), listed)

    def understand_words(self, words: Sequence[str], listed: Listed = NOTHING_LISTED) -> Understanding:
        """Return what words, in lower case and as a recogniser writes them, ask for."""
        return self.understand_tokens([Token(word, 0, 0) for word in words], listed)

    def understand_tokens(self, tokens: Sequence[Token], listed: Listed = NOTHING_LISTED) -> Understanding:
        """Return what the words of a text ask for."""
        words = [token.text for token in tokens]
        basic = basic_intent(words)
        if basic and basic not in self.intents:
            return Understanding(accepted=True, intent=basic, text=" ".join(words), confidence=1.0, source="basic")
        graph = graph_of_words(words, self.classes, [token.case for token in tokens])
        return self._understood(graph, listed)

    def understand_lattice(self, lattice: Lattice, listed: Listed = NOTHING_LISTED) -> Understanding:
        """Return what a lattice asks for; ``text`` is the path that was chosen, ``slots`` have times."""
        kept = within_limits(lattice, MAX_ARCS, MAX_WINDOWS)
        graph = graph_of_lattice(lattice, self.classes, self.paths.posterior_scale, kept)
        if share_within(graph, BASIC_WORDS) >= BASIC_SHARE:
            basic = self._basic_of(lattice)
            if basic is not None:
                return basic
        return self._understood(graph, listed)

    def _basic_of(self, lattice: Lattice) -> Understanding | None:
        shares: dict[str, float] = {}
        texts: dict[str, str] = {}
        for path in n_best(lattice, BASIC_PATHS):
            basic = basic_intent([word.lower() for word in path.words])
            if basic and basic not in self.intents:
                shares[basic] = shares.get(basic, 0.0) + path.posterior
                texts.setdefault(basic, path.text)
        best = max(shares, key=shares.__getitem__, default="")
        if not best or shares[best] < BASIC_SHARE:
            return None
        return Understanding(
            accepted=True, intent=best, text=texts[best], confidence=round(min(1.0, shares[best]), 4), source="basic"
        )

    def margins(self, graph: Graph, listed: Listed = NOTHING_LISTED) -> Doubles:
        """Return the score of each intent, [intents]."""
        keys, counts = intent_features(graph, listed)
        sums: Doubles = summed(self.intent_weights.rows(keys), counts, (1, len(self.intents)))[0]
        return sums

    def reasons(self, text: str, listed: Listed = NOTHING_LISTED, most: int = 8) -> list[tuple[str, float]]:
        """Return by how much the best intent's margin would fall without each word of a text, the most first."""
        words = [token.text for token in tokenize(text)]
        if not words:
            return []
        whole = self.margins(graph_of_words(words, self.classes), listed)
        best = int((whole[:-1] if self.none_of_them else whole).argmax())
        falls = []
        for at, word in enumerate(words):
            without = self.margins(graph_of_words(words[:at] + words[at + 1 :], self.classes), listed)
            falls.append((word, float(whole[best] - without[best])))
        return sorted(falls, key=lambda one: -abs(one[1]))[:most]

    def _understood(self, graph: Graph, listed: Listed) -> Understanding:
        if not len(graph.word):
            return Understanding(accepted=False, source="model")
        margins = self.margins(graph, listed)
        known = margins[:-1] if self.none_of_them else margins
        number = int(known.argmax())
        sure = confidence = self.rejection.confidence(*lead_of(margins, self.none_of_them))
        words, heard, slots = self._slots(graph, number, listed)
        if graph.heard is not None:
            sure = HEARD.confidence(confidence, slots, heard)
        return Understanding(
            accepted=confidence >= self.rejection.least,
            intent=self.intents[number],
            slots=tuple(slots),
            text=" ".join(words),
            confidence=round(sure, 4),
            source="model",
        )

    def _slots(self, graph: Graph, intent: int, listed: Listed) -> tuple[list[str], Doubles, list[FilledSlot]]:
        """Return the words of the best path, how sure they are, and the slots in it."""
        spoken = graph.heard
        chosen, transitions = self.labels_of(intent)
        if spoken is None and len(chosen) == 1:
            return [graph.words[word] for word in graph.word], graph.posterior, []
        windows = windows_of(graph, max(len(graph.word), MAX_WINDOWS))
        if windows is None:
            raise ValueError(f"a graph of {len(graph.word)} arcs has more than {MAX_WINDOWS} windows")
        emissions = self.emissions(graph, windows, intent, listed)
        paths = self.paths
        if spoken is None:
            at, best = best_path(windows, emissions, transitions)
        else:
            base = paths.search * windows.score
            base += paths.language * language_scores(graph, windows.words, self.language_weights) + paths.word
            weight = paths.labels
            at, best = best_path(windows, weight * emissions + base[:, None], weight * transitions)
        arcs = windows.arc[at]
        words = [graph.words[word] for word in graph.word[arcs].tolist()]
        if spoken is None:
            heard, times = np.ones(len(arcs)), None
        else:
            heard = arc_confidences(graph.word, spoken.start, spoken.end, arcs, graph.posterior)
            times = np.stack([spoken.start[arcs], spoken.end[arcs]], 1) + spoken.offset
        if not best.any():
            return words, heard, []
        shares = marginals(emissions[at] / self.label_temperature, transitions / self.label_temperature)
        sure = shares[np.arange(len(at)), best] * heard
        labels = [self.labels[chosen[label]] for label in best]
        return words, heard, _filled(words, labels, sure, times, self.known_values)

    def emissions(self, graph: Graph, windows: Windows, intent: int, listed: Listed) -> Doubles:
        """Return the score of each label that the intent allows, [windows, labels]."""
        keys = features_there(graph, windows.words, listed, self.intents[intent])
        allowed = self.allowed[intent]
        chosen, place_of = allowed.nonzero()[0], allowed.cumsum() - 1
        asked, where = keys.ravel(), None
        if graph.heard is not None:  # windows have much in common
            asked, where = distinct(asked)
        found = self.slot_weights.rows(asked, allowed)
        group, column = found.key, place_of.take(found.column)
        weight = found.weight * (asked != 0).take(group)
        shape = len(asked), len(chosen)
        if where is None:
            group, shape = group // keys.shape[1], (len(keys), len(chosen))
        table = np.bincount(group * len(chosen) + column, weight, shape[0] * shape[1]).reshape(shape)
        scores = table if where is None else table[where.reshape(keys.shape)].sum(1)
        first = (windows.words[:, 1] == graph.begin)[:, None]
        out: Doubles = np.where(first & self._inside[chosen], FORBIDDEN, scores)
        return out


def transition_keys(labels: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return the keys of the rows in which slot weights hold the scores of labels behind each label."""
    return combined([_TRANSITION, np.array([hash_of(label) for label in labels], np.uint64)])


def lead_of(margins: Doubles, none_of_them: bool) -> tuple[float, float, float]:
    """Return the best margin over the mean, its lead over the next, and over "none of them", 0 without such."""
    known = margins[:-1] if none_of_them else margins
    top = np.partition(known, -2)[-2:] if len(known) > 1 else np.array([-1.0, known[0]])
    best = float(top[1])
    return best - float(margins.mean()), best - float(top[0]), best - float(margins[-1]) if none_of_them else 0.0


def _slot_value(words: Sequence[str], known: tuple[str, ...]) -> tuple[str | None, str | int | float | None]:
    """Return kind and value of the words of a slot; None where they have none."""
    value = value_of(words)
    if value is not None:
        return value.kind.value, value.value
    near = nearest_value(words, known) if known else None
    return (None, None) if near is None else (ValueKind.phrase.value, near)


def _filled(
    words: Sequence[str],
    labels: Sequence[str],
    sure: Doubles,
    times: npt.NDArray[np.floating] | None,
    known_values: Mapping[str, tuple[str, ...]],
) -> list[FilledSlot]:
    slots = []
    at = 0
    while at < len(labels):
        if labels[at] == OUTSIDE:
            at += 1
            continue
        name, end = labels[at][2:], at + 1
        while end < len(labels) and labels[end] == "I-" + name:
            end += 1
        kind, value = _slot_value(words[at:end], known_values.get(name, ()))
        slots.append(
            FilledSlot(
                name,
                " ".join(words[at:end]),
                at,
                end,
                None if times is None else round(float(times[at, 0]), 3),
                None if times is None else round(float(times[end - 1, 1]), 3),
                kind,
                value,
                round(float(sure[at:end].min()), 4),
            )
        )
        at = end
    return slots
