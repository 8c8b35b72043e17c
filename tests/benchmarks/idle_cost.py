"""What the encoder's rest between utterances saves, and whether anything that is said is lost by it.

    python tests/benchmarks/idle_cost.py cost [--seconds 60]
    python tests/benchmarks/idle_cost.py errors --speech FOLDER [--limit N]

``cost``: processor seconds per second of silence, with and without the rest, by turns in one process. ``errors``:
dev/barista and dev/commonvoice live, each recording after four seconds of its own quiet, so that the encoder rests
when speech begins: as it is, 30 dB softer, and in dev's kitchen noise at 6 dB; words wrong with and without, and how
many recordings come out without a word; and of the recordings as they are, nothing before or after, how many steps of
the encoder the rest leaves out.
"""

import argparse
import math
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from jiwer import process_words
from nearword.models import SAMPLE_RATE, read_audio
from nearword.runtime import Final, Recognizer, load_model
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition import recognizer as module
from nearword.runtime.recognition.text import normalise

WAYS = {"always": math.inf, "rests": module.IDLE_SECONDS}
SETS = {"barista": ("barista.jsonl", "aligned_text"), "commonvoice": ("commonvoice.tsv", "text")}
KINDS = ("alone", "as it is", "30 dB softer", "noise at 6 dB")


def quiet(generator: np.random.Generator, level: float, seconds: float) -> np.ndarray:
    return generator.normal(0, level, round(seconds * SAMPLE_RATE)).astype(np.float32)


def cost(seconds: float) -> None:
    model, audio = load_model(), quiet(np.random.default_rng(0), 2e-3, seconds)
    took: dict[str, list[float]] = defaultdict(list)
    for _ in range(3):
        for way, idle in WAYS.items():
            module.IDLE_SECONDS = idle
            recognizer = Recognizer(model)
            recognizer.accept(quiet(np.random.default_rng(1), 2e-3, 3))
            begun = time.process_time()
            for start in range(0, len(audio), 320):
                recognizer.accept(audio[start : start + 320])
            took[way].append((time.process_time() - begun) / seconds)
    for way, values in took.items():
        print(f"{way:8} {1000 * min(values):6.2f} ms of processor per second of silence")
    print(f"ratio {min(took['rests']) / min(took['always']):.2f}")


def made(kind: str, audio: np.ndarray, noise: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if kind == "alone":
        return audio
    level = float(np.sqrt(np.quantile(audio**2, 0.1))) + 1e-5
    audio = np.concatenate([quiet(generator, level, 4), audio, quiet(generator, level, 2)])
    if kind == "30 dB softer":
        return audio * np.float32(10 ** (-30 / 20))
    if kind == "noise at 6 dB":
        start = int(generator.integers(0, len(noise) - len(audio)))
        beside = noise[start : start + len(audio)]
        loud = audio[audio**2 > np.quantile(audio**2, 0.5)]
        audio = audio + beside * np.sqrt(np.mean(loud**2) / np.mean(beside**2) / 10**0.6)
    return audio.astype(np.float32)


def errors(speech: Path, limit: int | None) -> None:
    model, noise = load_model(), read_audio(speech / "dev/kitchen-noise.flac")
    for name, (file, key) in SETS.items():
        rows = read_manifest(speech / "dev" / file, text_key=key)[:limit]
        for kind in KINDS:
            said, heard, steps = [], defaultdict(list), Counter[str]()
            for number, row in enumerate(rows):
                audio = made(kind, read_audio(row.path), noise, np.random.default_rng(number))
                said.append(normalise(row.text))
                for way, idle in WAYS.items():
                    module.IDLE_SECONDS = idle
                    recognizer = Recognizer(model)
                    events = [*recognizer.accept(audio), *recognizer.finish()]
                    heard[way].append(normalise(" ".join(event.text for event in events if isinstance(event, Final))))
                    steps[way] += recognizer.times["encoder"].calls
            figures = "  ".join(
                f"{way} {100 * process_words(said, texts).wer:.1f} %, {sum(not text for text in texts)} without a word"
                for way, texts in heard.items()
            )
            differ = sum(a != b for a, b in zip(*heard.values(), strict=True))
            print(
                f"{name:12} {kind:14} {figures}  {differ} of {len(said)} differ"
                f"  {steps['rests']} steps of {steps['always']}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cost", "errors"])
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    if arguments.what == "cost":
        cost(arguments.seconds)
    elif arguments.speech is None:
        parser.error("errors needs --speech FOLDER")
    else:
        errors(arguments.speech, arguments.limit)


if __name__ == "__main__":
    main()
