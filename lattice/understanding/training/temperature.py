"""What the scores of labels are divided by, so that they are probabilities (Guo et al. 2017)."""

from collections.abc import Sequence

import numpy as np

from ..graph import Graph, Listed
from ..model import UnderstandingModel
from ..weights import Ints
from ..windows import marginals, windows_of

CHOICES = tuple(float(value) for value in np.geomspace(0.25, 64, 17))


def fit_temperature(
    model: UnderstandingModel, graphs: Sequence[Graph], intents: Ints, labels: Sequence[Sequence[str]], listed: Listed
) -> float:
    """Return the temperature under which the labels of texts are most probable, word by word."""
    sums = np.zeros(len(CHOICES))
    for graph, intent, wanted in zip(graphs, intents.tolist(), labels, strict=True):
        windows = windows_of(graph, len(graph.word))
        chosen, transitions = model.labels_of(intent)
        place = {model.labels[label]: number for number, label in enumerate(chosen.tolist())}
        if windows is None or not wanted or len(chosen) == 1 or not place.keys() >= set(wanted):
            continue
        scores = model.emissions(graph, windows, intent, listed)
        columns = [place[label] for label in wanted]
        for number, temperature in enumerate(CHOICES):
            shares = marginals(scores / temperature, transitions / temperature)
            sums[number] += np.log(np.maximum(shares[np.arange(len(columns)), columns], 1e-6)).sum()
    return CHOICES[int(sums.argmax())]
