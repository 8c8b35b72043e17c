"""The weights of the sources of context, learnt from dialogues.

How likely each source's answers are is found by expectation-maximisation over mixture weights (Dempster, Laird and
Rubin 1977; for language models Jelinek and Mercer 1980), from texts alone.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .acts import Act
from .compute import ContextModel
from .errors import ContextError
from .inputs import ContextInput
from .messages import update
from .session import SessionContext
from .weights import ContextWeights, Source

ROUNDS = 60
"""Of expectation and maximisation."""
LEAST = 1e-30
"""Probability of a text that a source does not have."""
LEAST_WEIGHT = 0.001
"""Of a source that nothing speaks for in these dialogues: others may be different."""


@dataclass(frozen=True)
class Dialogue:
    """What came before, and what was said then."""

    message: Mapping[str, Any]
    """What came before, as ``messages.update`` takes it."""
    given: ContextInput
    """The same as it stands after that."""
    text: str
    """Normalised words."""
    path: Path | None = None
    """Its recording."""


def read_dialogues(path: Path) -> list[Dialogue]:
    """Read dialogues, JSON lines with ``context`` (see ``messages.update``), ``text``, and ``path`` if there is audio.

    Raises:
        ContextError: the file cannot be read, or a line is none; names it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ContextError(f"{path}: cannot be read ({error}); expected dialogues as JSON lines") from error
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_dialogue(json.loads(line), path.parent))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ContextError(
                    f"{path}: line {number}: {error}; expected an object with 'context', 'text' and perhaps 'path'"
                ) from error
    if not found:
        raise ContextError(f"{path}: holds no dialogue")
    return found


def _dialogue(row: dict[str, Any], folder: Path) -> Dialogue:
    context = SessionContext()
    update(context, row["context"])
    text = " ".join(str(row["text"]).lower().split())
    return Dialogue(row["context"], context.snapshot(), text, folder / row["path"] if row.get("path") else None)


@dataclass(frozen=True)
class _Likelihoods:
    asked: bool
    general: float
    by_source: dict[Source, float]


def learn_sources(model: ContextModel, dialogues: Sequence[Dialogue]) -> ContextWeights:
    """Return the weights with those of the sources, and the priors of both kinds of act, as the dialogues have them.

    Dialogues whose context does not fit belong among them: without, everything is taken for an answer.
    """
    rows = [_likelihoods(model, each) for each in dialogues]
    weights = dict.fromkeys(Source, 1.0)
    priors = {True: 0.5, False: 0.5}
    for _ in range(ROUNDS):
        given, expected = dict.fromkeys(Source, 0.0), dict.fromkeys(Source, 0.0)
        answered, counts = {True: 0.0, False: 0.0}, {True: 0, False: 0}
        for row in rows:
            total = sum(weights[source] for source in row.by_source)
            if total <= 0:
                continue
            prior = priors[row.asked]
            joint = {source: prior * weights[source] / total * likely for source, likely in row.by_source.items()}
            whole = (1 - prior) * row.general + sum(joint.values())
            counts[row.asked] += 1
            answers = sum(joint.values()) / whole
            answered[row.asked] += answers
            for source, value in joint.items():
                given[source] += value / whole
                expected[source] += answers * weights[source] / total
        # of a mixture in which not all sources are always there: the weights grow where more came than was expected
        weights = {
            source: weight * given[source] / expected[source] if expected[source] > 0 else weight
            for source, weight in weights.items()
        }
        priors = {asked: answered[asked] / counts[asked] if counts[asked] else prior for asked, prior in priors.items()}
    most = max(weights.values())
    sources = {source: max(LEAST_WEIGHT, weight / most) for source, weight in weights.items()}
    bounded = {asked: min(0.95, max(0.05, prior)) for asked, prior in priors.items()}
    return replace(model.weights, expected=bounded[True], unasked=bounded[False], sources=sources)


def _likelihoods(model: ContextModel, dialogue: Dialogue) -> _Likelihoods:
    general = model.likelihood(dialogue.given, dialogue.text, frozenset())
    act = model.act(dialogue.given)
    by_source = {
        source: max(LEAST, model.likelihood(dialogue.given, dialogue.text, frozenset((source,))))
        for source in model.present(dialogue.given)
    }
    return _Likelihoods(act is not Act.open, max(LEAST, general), by_source)


def perplexity(model: ContextModel, dialogues: Sequence[Dialogue]) -> float:
    """Return the perplexity per word and utterance end of what was said, by the model's weights."""
    total = sum(math.log(max(LEAST, model.likelihood(each.given, each.text, None))) for each in dialogues)
    return math.exp(-total / sum(len(each.text.split()) + 1 for each in dialogues))
