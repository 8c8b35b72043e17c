"""Make the recording that ships with the package: ``python tests/support/make_demo_recording.py [FILE]`` (needs flite).

Two synthetic voices, a pause of 0.8 s between them, and faint noise: a digital zero is not what microphones give.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

RECORDING = Path(__file__).parent.parent.parent / "runtime" / "audio" / "demo.flac"
SPOKEN = (("slt", "tell my brother i am on my way"), ("rms", "set an alarm for seven"))
RATE = 16000
SILENCE_SECONDS = (0.25, 0.8, 0.25)
"""Before, between and after."""
NOISE = 0.0003
"""Standard deviation of the noise."""


def speak(voice: str, text: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spoken.wav")
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
        samples, rate = soundfile.read(path)
    assert rate == RATE, f"flite's voice {voice} speaks at {rate} Hz; expected {RATE}"
    return samples


def main() -> None:
    before, between, after = (np.zeros(int(seconds * RATE)) for seconds in SILENCE_SECONDS)
    first, second = (speak(voice, text) for voice, text in SPOKEN)
    samples = np.concatenate([before, first, between, second, after])
    samples += np.random.default_rng(0).normal(0, NOISE, len(samples))
    soundfile.write(sys.argv[1] if len(sys.argv) > 1 else RECORDING, samples, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main()
