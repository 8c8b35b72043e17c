"""Fits how much each class counts: as few errors on its words as can be had without harm to all others."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...biasing import Biasing, ClassSettings
from .biasing import BiasFigures

STRENGTHS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
OUTSIDES = (0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Bound:
    """How much harm a list may do."""

    damage: float = 0.01
    """Relative rise of the error rate on other words."""
    false_accepts: float = 0.01
    """Share of utterances without a phrase in which one may be heard."""

    def holds(self, plain: BiasFigures, biased: BiasFigures) -> bool:
        """Whether a run with lists is within the bound of one without."""
        worse = biased.other_errors - plain.other_errors
        allowed = math.floor(self.damage * plain.other_errors)
        more = biased.false_accepts - plain.false_accepts
        return worse <= allowed and more <= math.floor(self.false_accepts * plain.plain_utterances)


def tune(
    biasing: Biasing,
    gated: frozenset[str],
    plain: BiasFigures,
    run: Callable[[], BiasFigures],
    bound: Bound,
    tried: Callable[[], None],
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[dict[str, ClassSettings], BiasFigures]:
    """Return settings of each class and what they give; ``biasing`` has them afterwards.

    One class after the other is fitted while the others stay as they are, from nothing, twice over.

    Args:
        biasing: holds the lists; ``run`` measures with it.
        gated: classes that templates name, whose share outside is fitted too.
        plain: figures without lists.
        run: measures.
        bound: what must hold.
        tried: called after each measurement, for a progress bar.
        strengths: to be tried.
    """
    classes = sorted({phrase.cls for phrase in biasing.phrases})
    settings = {cls: ClassSettings(0.0, 0.0) for cls in classes}
    for cls in classes:
        biasing.set_class(cls, settings[cls])
    best = plain
    for _ in range(2 if len(classes) > 1 else 1):
        for cls in classes:
            candidates = [ClassSettings(strength, settings[cls].outside) for strength in strengths]
            settings[cls], best = _best(biasing, cls, [settings[cls], *candidates], best, plain, run, bound, tried)
            if cls in gated and settings[cls].strength:
                candidates = [ClassSettings(settings[cls].strength, outside) for outside in OUTSIDES]
                settings[cls], best = _best(biasing, cls, [settings[cls], *candidates], best, plain, run, bound, tried)
    return settings, best


def trials(classes: int, gated: int) -> int:
    """Return how many measurements ``tune`` makes at most."""
    return (2 if classes > 1 else 1) * (classes * (len(STRENGTHS) - 1) + gated * (len(OUTSIDES) - 1))


def _best(
    biasing: Biasing,
    cls: str,
    candidates: Sequence[ClassSettings],
    known: BiasFigures,
    plain: BiasFigures,
    run: Callable[[], BiasFigures],
    bound: Bound,
    tried: Callable[[], None],
) -> tuple[ClassSettings, BiasFigures]:
    """Return the best of the candidates within the bound; the first of them is in force, its figures ``known``."""
    best, figures = candidates[0], known
    for settings in dict.fromkeys(candidates[1:]):
        if settings == candidates[0]:
            continue
        biasing.set_class(cls, settings)
        new = run()
        tried()
        # equal errors: the weaker setting does less where nobody looked
        if bound.holds(plain, new) and (_errors(new), settings.strength, settings.outside) < (
            _errors(figures), best.strength, best.outside,
        ):  # fmt: skip
            best, figures = settings, new
    biasing.set_class(cls, best)
    return best, figures


def _errors(figures: BiasFigures) -> int:
    return figures.biased_errors + figures.other_errors
