"""How good end-pointing is: how late, how often too early, what speculation wins and what it wastes.

Counted per recording with one stretch of speech whose true end is known:

- latency: from the true end to the first ending at or after it. A recording never ended counts as ended with its
  audio, so that waiting for ever cannot look fast.
- early cut-off: an ending before the true end. What is left of the speech still has its latency.
- speculative latency: the same for the speculation that the ending confirmed; where none was, the ending's own.
- lead: what speculation won, the ending's latency less the speculative; 0 where nothing was confirmed.
- right: of all speculations, those that the ending after the true end confirmed.
- thrown away: from a speculation to its reset, the time that downstream work ran in vain.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .observation import Observation

BOOTSTRAP_DRAWS = 1000
Z_95 = 1.959964
"""Standard deviations on each side that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quantiles:
    """A distribution of times, in seconds, over recordings."""

    p50: Estimate
    """Median; bootstrap interval."""
    p90: Estimate
    """Nine of ten are at most this; bootstrap interval."""


@dataclass(frozen=True)
class Scorecard:
    """The figures of one system on one set of recordings."""

    system: str
    """A preset, or a peer."""
    recordings: int
    """Those in which words were recognised; only these are scored."""
    unheard: int
    """Recordings in which no word was recognised."""
    never_ended: int
    """Recordings whose audio was over before an ending came."""
    final_latency: Quantiles
    """From the true end of speech to the final end-pointer's decision."""
    early_cut_offs: Estimate
    """Share of recordings ended before their true end, 0 to 1; Wilson interval."""
    endings: float
    """Endings with words per recording; 1 is right."""
    speculation: "SpeculationScore | None"
    """None for a system that does not speculate."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; seconds to a tenth of a millisecond."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded


@dataclass(frozen=True)
class SpeculationScore:
    """The figures of the speculative end-pointer."""

    latency: Quantiles
    """From the true end of speech to the speculation that was confirmed."""
    lead: Quantiles
    """Seconds won over the final end-pointer."""
    right: Estimate
    """Share of all speculations that were, 0 to 1; Wilson interval. NaN without any."""
    speculations: float
    """Speculations per recording."""
    resets: float
    """Resets per recording."""
    thrown_away: float
    """Seconds of work in vain per recording."""
    thrown_away_share: float
    """The same, of all seconds between a speculation and its reset or final, 0 to 1."""


def scorecard(system: str, observations: Sequence[Observation], *, speculates: bool = True) -> Scorecard:
    """Compute the figures.

    Args:
        system: the name in reports.
        observations: one per recording.
        speculates: False for a system without speculative end-pointer.

    Raises:
        ValueError: no recording was heard.
    """
    heard = [observation for observation in observations if observation.is_heard]
    if not heard:
        raise ValueError(f"{system}: no words in any of {len(observations)} recordings; nothing to score")
    final = np.asarray([final_latency(observation) for observation in heard])
    return Scorecard(
        system,
        len(heard),
        len(observations) - len(heard),
        sum(observation.closing is None for observation in heard),
        _quantiles(final),
        proportion(sum(observation.is_cut for observation in heard), len(heard)),
        sum(len(observation.endings) for observation in heard) / len(heard),
        _speculation(heard, final) if speculates else None,
    )


def final_latency(observation: Observation) -> float:
    """Return the seconds from the true end to the ending after it, or to the end of the audio."""
    closing = observation.closing
    return (observation.seconds if closing is None else closing.time) - observation.end


def speculative_latency(observation: Observation) -> float:
    """Return the seconds from the true end to the confirmed speculation; without one, to the ending.

    Negative, if it came before the true end and was right.
    """
    standing = observation.standing
    return final_latency(observation) if standing is None else standing.time - observation.end


def _speculation(heard: Sequence[Observation], final: npt.NDArray[np.float64]) -> SpeculationScore:
    guesses = [(observation, guess) for observation in heard for guess in observation.speculations]
    vain = sum(guess.reset - guess.time for _, guess in guesses if guess.reset is not None)
    latency = np.asarray([speculative_latency(observation) for observation in heard])
    # one that was confirmed worked until the ending that did so
    used = sum(
        min((ending.time for ending in observation.endings if ending.time >= guess.time), default=observation.seconds)
        - guess.time
        for observation, guess in guesses
        if guess.reset is None
    )
    return SpeculationScore(
        _quantiles(latency),
        _quantiles(final - latency),
        proportion(sum(observation.standing is not None for observation in heard), len(guesses)),
        len(guesses) / len(heard),
        sum(guess.reset is not None for _, guess in guesses) / len(heard),
        vain / len(heard),
        vain / (vain + used) if vain + used else 0.0,
    )


def _quantiles(values: npt.NDArray[np.float64]) -> Quantiles:
    """Return median and 90th percentile of values [recordings], with a seeded percentile bootstrap."""
    draws = np.random.default_rng(0).choice(values, (BOOTSTRAP_DRAWS, len(values)))

    def estimate(share: float) -> Estimate:
        low, high = np.quantile(np.quantile(draws, share, axis=1), (0.025, 0.975))
        return Estimate(float(np.quantile(values, share)), float(low), float(high))

    return Quantiles(estimate(0.5), estimate(0.9))


def proportion(count: int, total: int) -> Estimate:
    """Return a proportion with Wilson's score interval (1927), which holds for small counts too."""
    if not total:
        return Estimate(float("nan"), float("nan"), float("nan"))
    share, square = count / total, Z_95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 / (1 + square / total) * (share * (1 - share) / total + square / (4 * total**2)) ** 0.5
    return Estimate(share, max(0.0, centre - half), min(1.0, centre + half))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if value == value else None  # noqa: PLR0124 (NaN has no JSON)
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return value
