"""How much a context counts beside what is heard, and when it is believed: learnt from recordings.

Each is recognised with its context and without. The scale is the value with the fewest word errors left when the better
of the two is chosen as well as can be learnt.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...lattice.edit_distance import edit_distance
from ...models import Transducer, stream_audio
from ..recognition.encoder_stream import AudioEncoder
from ..recognition.reading import Reading
from ..recognition.text import normalise
from ..recognition.transcriber import Transcriber
from ..search import BeamSearch
from .choice import accepts, evidence
from .compute import ContextModel
from .context_session import ContextSession
from .learn import Dialogue
from .messages import update
from .weights import EVIDENCE, ContextWeights

SCALES = (0.5, 0.7, 0.9)
"""Tried one after the other."""
STEPS = 50
"""Of Newton's method."""
HARM = 2.0
"""What an error that a context brings counts, beside one that it takes away: nobody expects the first."""
RIDGE = 1.0
"""By which large weights are held back: as by one recording."""
SURE = 30.0
"""Log-odds beyond which nothing more is to be learnt."""
WAIT_SECONDS = 60.0
"""For a context; there is time."""


@dataclass(frozen=True)
class Compared:
    """A recording with its context and without."""

    informed: int
    """Word errors with it."""
    plain: int
    """Word errors without."""
    evidence: npt.NDArray[np.float64]
    """[EVIDENCE] What speaks for the words with it."""


class _Comparing(ContextSession):
    """Keeps what both searches came to."""

    compared: tuple[BeamSearch, Reading, Reading] | None = None

    def prefers_informed(self, search: BeamSearch, informed: Reading, plain: Reading) -> bool:
        self.compared = search, informed, plain
        return super().prefers_informed(search, informed, plain)


def comparer(model: Transducer, dialogues: Iterable[Dialogue]) -> Callable[[ContextWeights, Dialogue], Compared | None]:
    """Return what recognises the recordings of dialogues with context and without; each is encoded once.

    What it returns gives None where there is no context to go by.

    Raises:
        AudioError: a recording cannot be read; names it.
    """
    kept = {}
    for dialogue in dialogues:
        if dialogue.path is not None:
            encoder = AudioEncoder(model, phones=True)
            steps = [step for block in stream_audio(dialogue.path) for step in encoder.accept(block)]
            kept[dialogue.path] = [*steps, *encoder.finish()]
    made: list[tuple[ContextWeights, ContextModel]] = []

    def compare(weights: ContextWeights, dialogue: Dialogue) -> Compared | None:
        if dialogue.path is None:
            return None
        if not made or made[-1][0] is not weights:
            made[:] = [(weights, ContextModel(model, weights))]
        session = _Comparing(model, context_model=made[-1][1])
        try:
            update(session.context, dialogue.message)
            session.wait(WAIT_SECONDS)
            Transcriber(model, session=session).replay(kept[dialogue.path], 0.0)
        finally:
            session.close()
        if session.compared is None:
            return None
        said = dialogue.text.split()
        search, *readings = session.compared
        informed, plain = (edit_distance(said, normalise(one.best.text).split()) for one in readings)
        return Compared(informed, plain, evidence(search, *readings))

    return compare


def learn_choice(rows: Sequence[Compared]) -> dict[str, float]:
    """Return the weights of ``EVIDENCE`` with which the better of two results is chosen.

    A logistic regression on recordings of which one result is better; then a constant. Of all constants the one that
    believes fewest contexts, of those that lose no more word errors against the best than chance may explain (the rule
    of one standard error, Breiman et al. 1984). Errors that a context brings count ``HARM`` times: without a reason an
    utterance stays as it is.
    """
    found = np.array([row.evidence for row in rows]).reshape(-1, len(EVIDENCE))
    gained = np.array([row.plain - row.informed for row in rows], float)
    gained[gained < 0] *= HARM
    spread = np.maximum(found.std(0), 1e-3)
    spread[0] = 1.0
    scaled, better = found / spread, (gained > 0).astype(float)
    counted = np.select([gained > 0, gained < 0], [1.0, HARM])
    weights = np.zeros(len(EVIDENCE))
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(scaled @ weights, -SURE, SURE)))
        slope = scaled.T @ (counted * (better - likely)) - RIDGE * weights
        curve = (scaled.T * (counted * likely * (1 - likely))) @ scaled + RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    scores = scaled @ weights
    order = np.argsort(-scores, kind="stable")
    # of the first so many in this order: errors that are gained by believing them, and the squares of these
    total, squares = (np.concatenate([[0.0], np.cumsum(gained[order] ** power)]) for power in (1, 2))
    most = int(total.argmax())
    count = int(np.flatnonzero(total[most] - total <= np.sqrt(np.maximum(0.0, squares[most] - squares)))[0])
    bounds = [scores[order[count - 1]] if count else SURE, scores[order[count]] if count < len(order) else -SURE]
    threshold = float(np.mean(np.clip(bounds, -SURE, SURE)))
    weights = weights / spread
    weights[0] -= threshold
    return dict(zip(EVIDENCE, weights.tolist(), strict=True))


def learn_search(
    weights: ContextWeights,
    dialogues: Sequence[Dialogue],
    compare: Callable[[ContextWeights, Dialogue], Compared | None],
    progress: Callable[[float, int, int], None] = lambda *_: None,
) -> ContextWeights:
    """Return the weights with the scale and the choice that leave the fewest word errors.

    Args:
        weights: of the sources.
        dialogues: with recordings; many of them have to be requests whose context does not fit.
        compare: see ``comparer``.
        progress: told a scale, the word errors with it, and how many there are without any context.
    """
    best: tuple[int, ContextWeights] | None = None
    for scale in SCALES:
        tried = replace(weights, scale=scale)
        rows = [row for each in dialogues if (row := compare(tried, each)) is not None]
        if not rows:
            return weights
        tried = replace(tried, choice=learn_choice(rows))
        errors = sum(row.informed if accepts(tried.choice, row.evidence) else row.plain for row in rows)
        progress(scale, errors, sum(row.plain for row in rows))
        if best is None or errors < best[0]:
            best = errors, tried
    return weights if best is None else best[1]
