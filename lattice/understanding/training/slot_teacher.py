"""A teacher of slots labels words of texts that nobody labelled: a CRF that also reads a sentence encoder's vectors.

What a linear probe (Alain and Bengio 2016) makes of the vectors of a word and its neighbours are features of the CRF
beside those of the model that is stored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..model import FORBIDDEN, UnderstandingModel
from ..weights import Doubles, Floats, Ints, summed
from ..windows import best_labels
from ..words import Keys, combined, hash_of
from . import slots

PARTS = 5
"""Parts of our texts, each judged by a probe of the others: what a probe says of its own texts is too good."""
PULL = 300.0
"""Against large weights of a probe, whose inputs have variance 1."""
NEIGHBOUR, ASKED = 0.5, 3.0
"""Weight of a neighbour's vector, and of the intent, against that of the word's own vector."""
LIKELY = 0.15
"""From which on a label is worth a feature, of the ``MOST`` likeliest."""
MOST = 3
QUARTERS = 4
"""Steps of how sure a probe is."""
_KINDS = tuple(hash_of("probe " + name) for name in ("best", "sure", "two", "likely", "before", "pair", "behind"))


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as a teacher of slots reads them; each sequence has one of each."""

    features: Sequence[Keys]
    """[words, features] What the model that is stored sees."""
    vectors: Sequence[Floats]
    """[words, size] What an encoder makes of each word."""
    intents: Ints
    """[texts] Number of what is asked for, guessed."""


def taught(
    model: UnderstandingModel, ours: Texts, labels: Sequence[Sequence[str]], others: Texts, told: Callable[[str], None]
) -> slots.SlotData:
    """Return our texts with their labels, and behind them others with those of a teacher.

    Args:
        model: names of labels and intents, and which go together.
        ours: texts that have labels.
        labels: [words] of each.
        others: texts that have none.
        told: gets a line now and then.
    """
    told("slots: a teacher learns")
    center, width = _spread([*ours.vectors, *others.vectors])
    number = {label: place for place, label in enumerate(model.labels)}

    def seen(texts: Texts, place: int) -> Floats:
        return _seen((texts.vectors[place] - center) / width, int(texts.intents[place]), len(model.intents))

    size = 3 * len(center) + len(model.intents) + 1
    squares = np.zeros((PARTS, size, size), np.float32)
    products = np.zeros((PARTS, size, len(model.labels)), np.float32)
    for place, row in enumerate(labels):
        inputs = seen(ours, place)
        squares[place % PARTS] += inputs.T @ inputs
        np.add.at(products[place % PARTS].T, np.array([number[label] for label in row], np.int64), inputs)
    every, wanted = squares.sum(0), products.sum(0)
    probes = [_probe(every - squares[part], wanted - products[part]) for part in range(PARTS)]
    whole = _probe(every, wanted)
    named = np.array([hash_of(label) for label in model.labels], np.uint64)
    features = [
        np.hstack([keys, _features(seen(ours, place) @ probes[place % PARTS], named)])
        for place, keys in enumerate(ours.features)
    ]
    weights = slots.learn(slots.SlotData(features, labels), model.labels, told)
    teacher = replace(model, slot_weights=weights)
    told("slots: the teacher labels texts")
    found = []
    for place, keys in enumerate(others.features):
        both = np.hstack([keys, _features(seen(others, place) @ whole, named)])
        found.append(_labels(teacher, both, int(others.intents[place])))
    return slots.SlotData([*ours.features, *others.features], [*labels, *found])


def _spread(vectors: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the mean of all vectors, [size], and their standard deviation over all of their values."""
    count = max(sum(map(len, vectors)), 1)
    center = sum((some.sum(0, dtype=np.float64) for some in vectors), np.zeros(1)) / count
    variance = sum(float(np.square(some - center).sum()) for some in vectors) / (count * len(center))
    return center.astype(np.float32), np.float32(np.sqrt(variance) + 1e-9).reshape(1)


def _seen(vectors: Floats, intent: int, num_intents: int) -> Floats:
    """Return what a probe reads of each word of a text: its vector, its neighbours', and what is asked for."""
    words, size = vectors.shape
    out = np.zeros((words, 3 * size + num_intents + 1), np.float32)
    out[:, :size] = vectors
    out[1:, size : 2 * size] = NEIGHBOUR * vectors[:-1]
    out[:-1, 2 * size : 3 * size] = NEIGHBOUR * vectors[1:]
    out[:, 3 * size + intent] = ASKED
    out[:, -1] = 1.0
    return out


def _probe(squares: Floats, products: Floats) -> Floats:
    out: Floats = np.linalg.solve(squares + PULL * np.eye(len(squares), dtype=np.float32), products)
    return out


def _features(scores: Floats, named: Keys) -> Keys:
    """Return features of what a probe says of the words of a text, [words, features]; 0 where there is none."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :MOST]
    top = np.take_along_axis(scores, order, 1)
    best, second = named[order[:, 0]], named[order[:, min(1, order.shape[1] - 1)]]
    sure = np.clip(top[:, 0] * QUARTERS, 0, QUARTERS - 1).astype(np.uint64)
    before, behind = np.zeros_like(best), np.zeros_like(best)
    before[1:], behind[:-1] = best[:-1], best[1:]
    likely = np.where(top > LIKELY, combined([_KINDS[3], named[order]]), np.uint64(0))
    return np.column_stack(
        [
            combined([_KINDS[0], best]),
            combined([_KINDS[1], best, sure]),
            combined([_KINDS[2], best, second]),
            combined([_KINDS[4], before]),
            combined([_KINDS[5], before, best]),
            combined([_KINDS[6], behind]),
            likely,
        ]
    )


def _labels(model: UnderstandingModel, keys: Keys, intent: int) -> list[str]:
    """Return the best labels of the words of a text whose features are known."""
    if not len(keys):
        return []
    chosen, transitions = model.labels_of(intent)
    group = np.arange(len(keys)).repeat(keys.shape[1])
    scores = summed(model.slot_weights.rows(keys.ravel()), None, (len(keys), len(model.labels)), group)[:, chosen]
    inside: npt.NDArray[np.bool_] = np.array([model.labels[label].startswith("I-") for label in chosen])
    emissions: Doubles = scores
    emissions[0, inside] = FORBIDDEN
    return [model.labels[chosen[label]] for label in best_labels(emissions, transitions)]
