"""How paths of a lattice are compared: what a word is worth, so that neither long nor short paths are preferred."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..graph import NOTHING_LISTED, Graph
from ..model import PathSettings, UnderstandingModel
from ..path_language import language_scores
from ..windows import best_path, windows_of


def path_settings(model: UnderstandingModel, graphs: Sequence[Graph], intents: Sequence[int]) -> PathSettings:
    """Return the settings in which an average word of a request, with the best labels, is worth nothing."""
    labels = language = 0.0
    words = 0
    for graph, intent in zip(graphs, intents, strict=True):
        windows = windows_of(graph, len(graph.word))
        if windows is None or not len(graph.word):
            continue
        scores, (_, transitions) = model.emissions(graph, windows, intent, NOTHING_LISTED), model.labels_of(intent)
        _, best = best_path(windows, scores, transitions)
        labels += float(scores[np.arange(len(best)), best].sum() + transitions[best[:-1], best[1:]].sum())
        language += float(language_scores(graph, windows.words, model.language_weights).sum())
        words += len(best)
    paths = PathSettings()
    word = -(paths.labels * labels + paths.language * language) / max(words, 1)
    return replace(paths, word=round(word, 4))
