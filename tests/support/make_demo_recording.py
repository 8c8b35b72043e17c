"""Make the recording that ships with the package: ``python tests/support/make_demo_recording.py KOKORO [FILE]``.

``KOKORO`` is a folder with the synthesiser's files, as the recipe's ``prepare --kokoro`` takes it. Two voices, a pause
of 0.8 s between them, and faint noise: a digital zero is not what microphones give.
"""

import argparse
from pathlib import Path

import numpy as np
import soundfile
import soxr
from nearword.models.training.kokoro import RATE as SPOKEN_RATE
from nearword.models.training.kokoro import Kokoro

RECORDING = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"
SPOKEN = (("bf_emma", "tell my brother I am on my way."), ("am_puck", "set an alarm for seven."))
RATE = 16000
SILENCE_SECONDS = (0.25, 0.8, 0.25)
"""Before, between and after."""
NOISE = 0.0003
"""Standard deviation of the noise."""
LEAST = 0.003
"""What is quieter at the ends of what a voice says is cut off."""


def speak(kokoro: Kokoro, voice: str, text: str) -> np.ndarray:
    samples = soxr.resample(kokoro.speak(text, voice), SPOKEN_RATE, RATE)
    loud = np.flatnonzero(np.abs(samples) > LEAST)
    return 0.4 * samples[loud[0] : loud[-1]] / np.abs(samples).max()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kokoro", type=Path)
    parser.add_argument("file", type=Path, nargs="?", default=RECORDING)
    arguments = parser.parse_args()
    kokoro = Kokoro.read(arguments.kokoro)
    before, between, after = (np.zeros(int(seconds * RATE)) for seconds in SILENCE_SECONDS)
    first, second = (speak(kokoro, voice, text) for voice, text in SPOKEN)
    samples = np.concatenate([before, first, between, second, after])
    samples += np.random.default_rng(0).normal(0, NOISE, len(samples))
    soundfile.write(arguments.file, samples, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
