"""Words where nobody speaks: twelve minutes of silence, noise and tones. Prints insertions per hour of each kind.

    python tests/benchmarks/no_speech.py [--model NAME-OR-FOLDER] [FILE...]

Files (recordings of noise without speech) are added, repeated to two minutes each.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from nearword.models import SAMPLE_RATE, read_audio
from nearword.runtime import Transcriber, load_model

SECONDS = 120


def made() -> Iterator[tuple[str, np.ndarray]]:
    """Yield two minutes of each kind."""
    rng = np.random.default_rng(0)
    count = SECONDS * SAMPLE_RATE
    t = np.arange(count) / SAMPLE_RATE
    white = rng.normal(0, 1, count)
    yield "digital silence", np.zeros(count)
    yield "quiet room (-60 dB white)", 1e-3 * white
    yield "white noise, -30 dB", 0.03 * white
    spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(count // 2 + 1)))
    pink = np.fft.irfft(spectrum)
    yield "pink noise with swells", 0.05 * pink / pink.std() * (1 + np.sin(t / 3))
    notes = 220 * 2 ** (rng.integers(0, 24, SECONDS * 4).repeat(SAMPLE_RATE // 4) / 12)
    phase = np.cumsum(2 * np.pi * notes / SAMPLE_RATE)
    fade = np.exp(-4 * (t % 0.25) / 0.25)
    yield (
        "melody, four notes a second",
        0.1 * fade * (np.sin(phase) + 0.5 * np.sin(2 * phase) + 0.25 * np.sin(3 * phase)),
    )
    chords = 110 * 2 ** (rng.integers(0, 36, (3, SECONDS // 10)).repeat(10 * SAMPLE_RATE, axis=1) / 12)
    yield "chords, ten seconds each", 0.05 * np.sin(2 * np.pi * chords * t).sum(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    recordings = [(path, read_audio(path)) for path in arguments.files]
    repeated = [(path, np.resize(samples, SECONDS * SAMPLE_RATE)) for path, samples in recordings]
    total = count = 0
    for name, samples in [*made(), *repeated]:
        transcriber = Transcriber(model)
        transcriber.accept(samples.astype(np.float32))
        words = transcriber.finish().words
        total, count = total + len(words), count + 1
        print(f"{name:32} {len(words) * 3600 / SECONDS:7.0f} words per hour  {' '.join(w.text for w in words)[:60]}")
    print(f"{'all':32} {total * 3600 / SECONDS / count:7.0f} words per hour")


if __name__ == "__main__":
    main()
