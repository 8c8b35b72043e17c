"""Words where nobody speaks: twelve minutes of silence, noise and tones. Prints words of each kind, as ``transcribe``
finds them in one piece, and as ``listen`` does in what it takes for utterances.

    python tests/benchmarks/no_speech.py [--model NAME-OR-FOLDER] [FILE...]

Files (recordings of noise without speech) are added, repeated to two minutes each.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from nearword.models import SAMPLE_RATE, read_audio
from nearword.runtime import Final, Recognizer, Transcriber, load_model

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
    total = np.zeros(2, int)
    for name, samples in [*made(), *repeated]:
        transcriber, recognizer = Transcriber(model), Recognizer(model)
        transcriber.accept(samples.astype(np.float32))
        whole = transcriber.finish().text
        events = [*recognizer.accept(samples.astype(np.float32)), *recognizer.finish()]
        parts = " ".join(event.text for event in events if isinstance(event, Final) and event.text)
        counts = len(whole.split()), len(parts.split())
        total += counts
        print(f"{name:32} {counts[0]:3} and {counts[1]:3} words  {whole[:40]} | {parts[:40]}")
    print(f"{'all':32} {total[0]:3} and {total[1]:3} words")


if __name__ == "__main__":
    main()
