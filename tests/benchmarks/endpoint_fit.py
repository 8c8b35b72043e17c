"""Fit the weights of ``endpointing.finality`` on real speech that nobody measures on; prints what goes into the file.

    python tests/benchmarks/endpoint_fit.py train/speechocean762.tsv [--keep FILE.npz]

Each recording is heard as it is, and with one and two pauses of 0.3 to 0.7 s put in; its own pauses count as pauses
too. At every silence the voice is measured as in live use, and labelled by whether speech follows. Logistic
regression, both labels with the same weight, L2; five folds by speaker say how well it can be told.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from nearword.endpointing import WebRtcVad
from nearword.endpointing.finality import DECIDE_SECONDS, LEAD_SECONDS, LOOK_SECONDS, features
from nearword.endpointing.vad import voice_filter
from nearword.models import SAMPLE_RATE, read_audio

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from pauses import anywhere, with_pauses

FRAME = SAMPLE_RATE // 50
START_FRAMES = 8
TAIL = SAMPLE_RATE // 2
CLIP = 3.0
RIDGE = 1.0


def speech_frames(samples: np.ndarray) -> np.ndarray:
    """Return which frames of 20 ms are speech, [frames] bool."""
    vad = WebRtcVad()
    return np.asarray([vad.accept(samples[k : k + FRAME]) for k in range(0, len(samples) - FRAME + 1, FRAME)], bool)


def moments(samples: np.ndarray, end: float) -> list[tuple[np.ndarray, bool]]:
    """Return the measures at every silence, and whether it is the last."""
    run = silence = 0
    started = None
    found = []
    voice = voice_filter()
    heard = [voice.accept(samples[k : k + FRAME]) for k in range(0, len(samples) - FRAME + 1, FRAME)]
    filtered = np.concatenate(heard)
    for number, speech in enumerate(speech_frames(samples), 1):
        now = number * FRAME
        run, silence = (run + 1, 0) if speech else (0, silence + 1)
        if started is None and run >= START_FRAMES:
            started = now
        if started is None or silence != round(DECIDE_SECONDS * 50):
            continue
        begin = max(0, started - round(LEAD_SECONDS * SAMPLE_RATE), now - round(LOOK_SECONDS * SAMPLE_RATE))
        values = features(filtered[begin:now], DECIDE_SECONDS, (now - started) / SAMPLE_RATE - DECIDE_SECONDS)
        is_last = now / SAMPLE_RATE >= end
        if values is not None:
            found.append((values, is_last))
        if is_last:
            break
    return found


def collect(manifest: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return measures [silences, 13], labels [silences] and speakers [silences]."""
    generator = np.random.default_rng(0)
    rows = []
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            samples = read_audio(manifest.parent.parent / row["path"])
            heard = np.flatnonzero(speech_frames(samples)) / 50
            if not len(heard):
                continue
            start, end = float(heard[0]), float(heard[-1]) + 0.02
            level = float(np.sqrt(np.quantile(samples**2, 0.1)))
            samples = np.concatenate([samples, generator.normal(0, level, TAIL).astype(np.float32)])
            for count in range(3):
                places = anywhere(samples, start, end, generator, count)
                paused = with_pauses(samples, end, places, generator, most=count)
                rows += [(*moment, row["speaker"]) for moment in moments(paused.samples, paused.end - 0.05)]
    values, labels, speakers = zip(*rows, strict=True)
    return np.asarray(values), np.asarray(labels, float), np.asarray(speakers)


def fit(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return mean, deviation, weights and bias of the logistic model, by Newton's method."""
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    inputs = np.c_[np.ones(len(values)), np.clip((values - mean) / deviation, -CLIP, CLIP)]
    share = labels.mean()
    counts = np.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    ridge = np.eye(inputs.shape[1]) * RIDGE
    ridge[0, 0] = 0
    weights = np.zeros(inputs.shape[1])
    for _ in range(30):
        guess = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (counts * (guess - labels)) + ridge @ weights
        weights -= np.linalg.solve((inputs * (counts * guess * (1 - guess))[:, None]).T @ inputs + ridge, slope)
    return mean, deviation, weights[1:], float(weights[0])


def predict(model: tuple[np.ndarray, np.ndarray, np.ndarray, float], values: np.ndarray) -> np.ndarray:
    mean, deviation, weights, bias = model
    return 1 / (1 + np.exp(-bias - np.clip((values - mean) / deviation, -CLIP, CLIP) @ weights))


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the area under the ROC curve."""
    ranks = np.argsort(np.argsort(scores))
    count = labels.sum()
    return float((ranks[labels > 0].sum() - count * (count - 1) / 2) / (count * (len(labels) - count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--keep", type=Path, help="write the measures here (.npz), or read them if there")
    options = parser.parse_args()
    if options.keep and options.keep.exists():
        kept = np.load(options.keep)
        values, labels, speakers = kept["values"], kept["labels"], kept["speakers"]
    else:
        values, labels, speakers = collect(options.manifest)
        if options.keep:
            np.savez(options.keep, values=values, labels=labels, speakers=speakers)
    names = np.unique(speakers)
    scores = np.zeros(len(labels))
    for fold in range(5):
        held = np.isin(speakers, names[fold::5])
        scores[held] = predict(fit(values[~held], labels[~held]), values[held])
    print(f"{len(labels)} silences, {labels.mean():.3f} of them the last; area under ROC {area(scores, labels):.3f}")
    mean, deviation, weights, bias = fit(values, labels)
    for name, row in (("_MEAN", mean), ("_DEVIATION", deviation), ("_WEIGHTS", weights)):
        print(f"{name} = np.asarray(\n    [{', '.join(f'{value:.4g}' for value in row)}]\n)")
    print(f"_BIAS = {bias:.4g}")


if __name__ == "__main__":
    main()
