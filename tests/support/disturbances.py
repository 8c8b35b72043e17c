"""What cheap microphones, ground loops and rooms add to speech below where a voice is."""

from collections.abc import Callable
from functools import partial

import numpy as np
from nearword.models import SAMPLE_RATE
from nearword.models.samples import Samples

Disturb = Callable[[Samples, np.random.Generator], Samples]
"""Speech [samples] in [-1, 1] and what draws to what a microphone gives, as long."""


def clipped(samples: np.ndarray) -> Samples:
    """Return what 16 bits hold of samples."""
    out: Samples = (np.clip(np.rint(samples * 32768), -32768, 32767) / 32768).astype(np.float32)
    return out


def _time(samples: Samples) -> np.ndarray:
    return np.arange(len(samples)) / SAMPLE_RATE


def clean(samples: Samples, generator: np.random.Generator) -> Samples:
    del generator
    return clipped(samples)


def offset(samples: Samples, generator: np.random.Generator, *, height: float) -> Samples:
    del generator
    return clipped(samples + height)


def step(samples: Samples, generator: np.random.Generator, *, height: float) -> Samples:
    """An offset that begins somewhere in the middle half."""
    begin = int(generator.uniform(0.25, 0.75) * len(samples))
    return clipped(samples + height * (np.arange(len(samples)) >= begin))


def steps(samples: Samples, generator: np.random.Generator, *, height: float) -> Samples:
    """An offset that jumps twice a second: a loose connector."""
    jumps = generator.uniform(-height, height, len(samples) * 2 // SAMPLE_RATE + 1)
    return clipped(samples + jumps.repeat(SAMPLE_RATE // 2)[: len(samples)])


def drift(samples: Samples, generator: np.random.Generator, *, height: float) -> Samples:
    """An offset that settles within some seconds, as a coupling capacitor's does."""
    return clipped(samples + height * np.exp(-_time(samples) / generator.uniform(0.3, 2.0)))


def wander(samples: Samples, generator: np.random.Generator, *, height: float) -> Samples:
    """An offset that moves up and down, 0.1 to 4 times a second."""
    hertz = generator.uniform(0.1, 4.0, 4)[:, None]
    waves = np.sin(2 * np.pi * (hertz * _time(samples) + generator.uniform(0, 1, 4)[:, None])).mean(0)
    return clipped(samples + height * waves)


def hum(samples: Samples, generator: np.random.Generator, *, hertz: float, height: float = 0.1) -> Samples:
    return clipped(samples + height * np.sin(2 * np.pi * (hertz * _time(samples) + generator.uniform())))


def swelling_hum(samples: Samples, generator: np.random.Generator, *, hertz: float, height: float = 0.1) -> Samples:
    """A hum whose strength goes up and down: a motor, a passing lorry."""
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * (generator.uniform(0.3, 1.0) * _time(samples) + generator.uniform()))
    return clipped(samples + height * swell * np.sin(2 * np.pi * (hertz * _time(samples) + generator.uniform())))


def rumble(samples: Samples, generator: np.random.Generator, *, level: float) -> Samples:
    """Noise below 90 Hz of a root mean square: wind, a road, somebody who handles the microphone."""
    spectrum = np.fft.rfft(generator.normal(size=len(samples)))
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum *= (hertz > 3) & (hertz < 90)
    noise = np.fft.irfft(spectrum, len(samples))
    return clipped(samples + level * noise / np.sqrt((noise**2).mean()))


def buzz(samples: Samples, generator: np.random.Generator, *, hertz: float, decibels: float = 10.0) -> Samples:
    """A ground loop's hum with harmonics up to 4 kHz, so far below the speech; the odd ones are the louder."""
    orders = np.arange(1, int(4000 / hertz) + 1)
    heights = np.where(orders % 2 == 1, 1.0, 0.3) / orders
    phases = generator.uniform(0, 1, len(orders))
    wave = np.zeros(len(samples))
    for order, height, phase in zip(orders, heights, phases, strict=True):
        wave += height * np.sin(2 * np.pi * (order * hertz * _time(samples) + phase))
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    power = (frames**2).mean(1)
    speech = power[power > np.quantile(power, 0.95) / 100].mean()
    return clipped(samples + wave * np.sqrt(speech / (wave**2).mean() / 10 ** (decibels / 10)))


DISTURBANCES: dict[str, Disturb] = {
    "clean": clean,
    **{f"offset {h:g}": partial(offset, height=h) for h in (0.003, 0.01, 0.03, 0.1, 0.3, -0.1, -0.3)},
    **{f"step {h:g}": partial(step, height=h) for h in (0.03, 0.1, 0.3, -0.3)},
    "steps 0.1": partial(steps, height=0.1),
    "drift 0.3": partial(drift, height=0.3),
    "wander 0.1": partial(wander, height=0.1),
    "wander 0.3": partial(wander, height=0.3),
    **{f"hum {hz:g} Hz": partial(hum, hertz=hz) for hz in (10, 15, 20, 30, 50, 60, 75, 90, 100)},
    "hum 100 Hz 0.01": partial(hum, hertz=100, height=0.01),
    "hum 50 Hz 0.03": partial(hum, hertz=50, height=0.03),
    "swelling hum 50 Hz": partial(swelling_hum, hertz=50),
    "swelling hum 100 Hz": partial(swelling_hum, hertz=100),
    "rumble 0.03": partial(rumble, level=0.03),
    "rumble 0.1": partial(rumble, level=0.1),
    "buzz 50 Hz 10 dB": partial(buzz, hertz=50),
    "buzz 60 Hz 10 dB": partial(buzz, hertz=60),
    "buzz 50 Hz 20 dB": partial(buzz, hertz=50, decibels=20.0),
}
"""By name; what each draws depends on the generator alone."""
