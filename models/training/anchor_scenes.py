"""Scenes for following one speaker: a wake word and a request by one, others' speech before, under and after both."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..audio import read_audio
from ..samples import SAMPLE_RATE, Samples
from .prepare import melodies, trim
from .speaker_sets import Utterance

FRAME = SAMPLE_RATE // 25
"""Samples of a frame of the tap, 40 ms."""
ANCHOR = (0.5, 1.3)
"""Seconds of a wake word."""
RATIOS = (-2.0, 20.0)
"""Decibels of the request above others' speech."""
NOISE_RATIOS = (5.0, 25.0)
"""The same above noise."""
ALONE = 0.15
"""Share of the scenes in which nobody else speaks: half of these have noise."""
SPEEDS = (0.88, 1.13)
"""Whom to follow is somebody else at another speed; half of the scenes."""
SHORT = 1.2
"""Seconds of a request at least."""
LONG = 1.5
"""Seconds of a recording that others speak."""
LONGEST = 8
"""Seconds of a request."""
FLOOR = 10**-3.2
"""Power of somebody's speech, of its loudest, from which on he counts as speaking."""


@dataclass(frozen=True)
class Scene:
    """Some seconds of audio, and who speaks when."""

    samples: Samples
    """[n]"""
    anchor: tuple[float, float]
    """Seconds at which the wake word begins and ends."""
    speaks: npt.NDArray[np.bool_]
    """[frames] Whether whom to follow speaks, every 40 ms."""
    request: tuple[float, float]
    """Seconds at which the request begins and ends."""


@lru_cache(400)
def read_trimmed(path: Path) -> Samples:
    """Return a recording without the silence around it, its loudest sample 1."""
    samples = trim(read_audio(path), 0.05)
    return np.asarray(samples / np.float32(max(1e-4, float(np.abs(samples).max()))), np.float32)


def power(samples: Samples) -> float:
    """Return the mean power of the parts that are no silence."""
    frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
    energy = (frames.astype(np.float64) ** 2).mean(1)
    if not len(energy):
        return 1e-9
    return float(energy[energy > energy.max() * 10**-2.5].mean()) + 1e-9


def speaking(track: Samples) -> npt.NDArray[np.bool_]:
    """Return for every 40 ms whether a track without noise has speech."""
    frames = track[: len(track) // FRAME * FRAME].reshape(-1, FRAME)
    energy = (frames.astype(np.float64) ** 2).mean(1)
    return np.asarray(energy > energy.max() * FLOOR)


def through_a_room(samples: Samples, rng: np.random.Generator, most: float) -> Samples:
    """Return sound as it comes from farther off: an exponential tail of echoes behind the direct sound, duller."""
    seconds = rng.uniform(0.1, most)
    n = int(seconds * SAMPLE_RATE)
    tail = rng.normal(0, 1, n) * np.exp(-6.9 * np.arange(n) / n)
    tail *= rng.uniform(0.1, 0.9) / np.sqrt((tail**2).sum())
    tail[0] += 1
    size = 1 << (len(samples) + n).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(tail, size)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 50) / 1000)
    spectrum *= 10 ** (rng.uniform(-4, 3) * octaves / 20)
    if rng.random() < 0.3:
        spectrum[int(3400 * size / SAMPLE_RATE) :] *= 0.03
    return np.asarray(np.fft.irfft(spectrum, size)[: len(samples)], np.float32)


def requests(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Return those that are long enough to be a request: of more than a word."""
    return [one for one in utterances if one.seconds >= SHORT and len(one.text.split()) > 1]


def _at_speed(samples: Samples, speed: float) -> Samples:
    import soxr

    if speed == 1.0:
        return samples
    return np.asarray(soxr.resample(samples, SAMPLE_RATE * speed, float(SAMPLE_RATE)), np.float32)


class Scenes:
    """Draws scenes of some speakers."""

    def __init__(
        self, utterances: Sequence[Utterance], noises: Sequence[Path], behind: Sequence[Utterance] | None = None
    ) -> None:
        """Take who may speak.

        Args:
            utterances: of whom to follow; speakers with two recordings at least are.
            noises: recordings without words.
            behind: of those who are heard behind; by default the same as may be followed.
        """
        by_speaker: dict[str, list[Utterance]] = defaultdict(list)
        for one in utterances:
            by_speaker[one.speaker].append(one)
        self._by_speaker = dict(by_speaker)
        self._others: dict[str, list[Utterance]] = defaultdict(list)
        self._talk_of: dict[str, list[Utterance]] = defaultdict(list)
        for one in utterances if behind is None else behind:
            if one.seconds > LONG:
                self._others[one.corpus].append(one)
                self._talk_of[one.speaker].append(one)
        self._noises = list(noises)
        self.leads = [name for name, own in by_speaker.items() if len(own) > 1 and requests(own)]
        """Who may be followed."""

    def draw(self, rng: np.random.Generator) -> Scene:
        """Return a scene."""
        name = self.leads[rng.integers(len(self.leads))]
        own = self._by_speaker[name]
        long = requests(own)
        request = long[rng.integers(len(long))]
        words = [one for one in own if one is not request]
        short = [one for one in words if len(one.text.split()) == 1]
        anchor = (short or words)[rng.integers(len(short or words))]
        speed = rng.uniform(*SPEEDS) if rng.random() < 0.5 else 1.0
        return self.make(request, anchor, rng, RATIOS if rng.random() >= ALONE else None, speed)

    def make(
        self,
        request: Utterance,
        anchor: Utterance,
        rng: np.random.Generator,
        ratios: tuple[float, float] | None,
        speed: float = 1.0,
    ) -> Scene:
        """Return a scene.

        Args:
            request: what is asked for.
            anchor: what gives the wake word; a longer one is cut.
            rng: of all that is of chance.
            ratios: decibels of the request above others' speech, from and to; None for nobody else.
            speed: of whom to follow.
        """
        wake, said = (_at_speed(read_trimmed(one.path), speed) for one in (anchor, request))
        wake, said = wake[: int(rng.uniform(*ANCHOR) * SAMPLE_RATE)], said[: LONGEST * SAMPLE_RATE]
        # the same mouth at the same place: as loud, but for what habit changes
        wake = wake * np.float32(np.sqrt(power(said) / power(wake)) * 10 ** (rng.uniform(-2, 4) / 20))
        lead, gap, tail = (int(rng.uniform(*span) * SAMPLE_RATE) for span in ((0.3, 1.5), (0.1, 0.7), (0.5, 3.0)))
        track = np.zeros(lead + len(wake) + gap + len(said) + tail, np.float32)
        begin = lead + len(wake) + gap
        track[lead : lead + len(wake)] = wake
        track[begin : begin + len(said)] = said
        speaks = speaking(track)
        if rng.random() < 0.4:
            track = through_a_room(track, rng, 0.4)
        mixture = track
        if ratios is not None:
            behind = self._behind(request, len(track), rng, begin + len(said))
            mixture = track + behind * np.float32(
                np.sqrt(power(track) / power(behind)) * 10 ** (-rng.uniform(*ratios) / 20)
            )
        elif rng.random() < 0.5:
            noise = self._noise(len(track), rng)
            mixture = track + noise * np.float32(
                np.sqrt(power(track) / power(noise)) * 10 ** (-rng.uniform(*NOISE_RATIOS) / 20)
            )
        mixture = mixture * np.float32(10 ** (rng.uniform(-24, -1) / 20) / max(1e-6, float(np.abs(mixture).max())))
        mixture = mixture + rng.normal(0, 10 ** (rng.uniform(-85, -60) / 20), len(mixture)).astype(np.float32)
        return Scene(
            mixture,
            (lead / SAMPLE_RATE, (lead + len(wake)) / SAMPLE_RATE),
            speaks,
            (begin / SAMPLE_RATE, (begin + len(said)) / SAMPLE_RATE),
        )

    def _behind(self, request: Utterance, length: int, rng: np.random.Generator, end: int) -> Samples:
        """Return others' speech, over all of it, or only before or after a moment."""
        sound = self._talk(request, length, rng)
        kind = rng.random()
        if kind < 0.25:
            sound = sound + self._talk(request, length, rng) * np.float32(rng.uniform(0.2, 1))
        elif kind < 0.4:
            music = melodies(length / SAMPLE_RATE, rng)[:length]
            sound = sound + music * np.float32(np.sqrt(power(sound) / power(music)) * rng.uniform(0.1, 0.7))
        if rng.random() < 0.7:
            sound = through_a_room(sound, rng, 0.7)
        where = rng.random()
        if where < 0.2:
            sound[: max(0, end - int(rng.uniform(0, 1) * SAMPLE_RATE))] = 0
        elif where < 0.3:
            sound[end - int(rng.uniform(0, 1.5) * SAMPLE_RATE) :] = 0
        return sound

    def _talk(self, request: Utterance, length: int, rng: np.random.Generator) -> Samples:
        """Return somebody else's speech with pauses; two in five times out of the same set, as by the same channel."""
        corpora = list(self._others)
        near = request.corpus in self._others and rng.random() < 0.4
        while True:
            pool = self._others[request.corpus if near else corpora[rng.integers(len(corpora))]]
            speaker = pool[rng.integers(len(pool))].speaker
            if speaker != request.speaker:
                break
            near = False
        own = self._talk_of[speaker]
        sound, at = np.zeros(length, np.float32), -int(rng.uniform(0, 2) * SAMPLE_RATE)
        while at < length:
            piece = read_trimmed(own[rng.integers(len(own))].path)
            begin, skipped = max(0, at), max(0, -at)
            piece = piece[skipped : skipped + length - begin]
            sound[begin : begin + len(piece)] = piece
            at = begin + len(piece) + int(rng.uniform(0.05, 0.7) * SAMPLE_RATE)
        return sound

    def _noise(self, length: int, rng: np.random.Generator) -> Samples:
        sound = _noise(self._noises[rng.integers(len(self._noises))])
        at = int(rng.integers(max(1, len(sound) - length)))
        return np.resize(sound[at : at + length], length)


@lru_cache(32)
def _noise(path: Path) -> Samples:
    return read_audio(path)
