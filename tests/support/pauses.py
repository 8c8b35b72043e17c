"""Pauses put between the words of a recording: what a speaker who thinks while speaking does."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from nearword.models import SAMPLE_RATE, Transducer
from nearword.runtime import Transcriber

FRAME = SAMPLE_RATE // 100
EDGE_SECONDS = 0.4
"""No pause so near to the beginning or end of speech."""
APART_SECONDS = 0.5
"""Least speech between two pauses."""
FADE = SAMPLE_RATE // 200


@dataclass(frozen=True)
class Paused:
    """A recording with pauses."""

    samples: np.ndarray
    """[samples] float32."""
    end: float
    """When its speech ends, in seconds."""
    pauses: tuple[tuple[float, float], ...]
    """Begin and length of each, in seconds."""


def with_pauses(
    samples: np.ndarray, end: float, places: list[float], generator: np.random.Generator, *, most: int,
    least: float = 0.3, longest: float = 0.7,
) -> Paused:  # fmt: skip
    """Return the recording with up to ``most`` pauses of ``least`` to ``longest`` seconds at some of the places.

    The pauses are as loud as the recording's quietest tenth, with 5 ms fades on both sides.
    """
    level = float(np.sqrt(np.quantile(_power(samples), 0.1)))
    chosen: list[float] = []
    for place in sorted(generator.choice(places, min(most, len(places)), replace=False)) if places else []:
        if not chosen or place - chosen[-1] >= APART_SECONDS:
            chosen.append(float(place))
    pieces, pauses, begin, shift = [], [], 0, 0.0
    for place in chosen:
        at = round(place * SAMPLE_RATE)
        noise = generator.normal(0.0, level, round(generator.uniform(least, longest) * SAMPLE_RATE)).astype(np.float32)
        pieces += [_faded(samples[begin:at], first=not begin, last=False), noise]
        pauses.append((place + shift, len(noise) / SAMPLE_RATE))
        shift += len(noise) / SAMPLE_RATE
        begin = at
    pieces.append(_faded(samples[begin:], first=not begin, last=True))
    return Paused(np.concatenate(pieces), end + shift, tuple(pauses))


def between_words(model: Transducer, samples: np.ndarray, end: float) -> list[float]:
    """Return seconds between words, as the model hears them, each at the quietest 10 ms within 0.1 s."""
    power = _power(samples)
    transcriber = Transcriber(model)
    transcriber.accept(samples)
    words = transcriber.finish().words
    places = (
        quietest(power, (before.end + after.start) / 2) for before, after in pairwise(words)
    )  # fmt: skip
    return sorted({place for place in places if words[0].start + EDGE_SECONDS <= place <= end - EDGE_SECONDS})


def anywhere(samples: np.ndarray, start: float, end: float, generator: np.random.Generator, count: int) -> list[float]:
    """Return seconds within the speech, each at the quietest 10 ms within 0.1 s."""
    power = _power(samples)
    if end - start < 2 * EDGE_SECONDS:
        return []
    return sorted({quietest(power, at) for at in generator.uniform(start + EDGE_SECONDS, end - EDGE_SECONDS, count)})


def quietest(power: np.ndarray, at: float) -> float:
    """Return the quietest place within 0.1 s of ``at`` seconds; power [frames of 10 ms]."""
    low = max(0, round(100 * at) - 10)
    return (low + int(np.argmin(power[low : low + 20]))) / 100 + 0.005


def _power(samples: np.ndarray) -> np.ndarray:
    return (samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(axis=1)


def _faded(samples: np.ndarray, *, first: bool, last: bool) -> np.ndarray:
    faded = samples.copy()
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    if not first:
        faded[:FADE] *= ramp[: len(faded)]
    if not last:
        faded[-FADE:] *= ramp[::-1][-len(faded) :]
    return faded
