"""Fit what makes probabilities of a model's confidences, and say how well they hold.

    NEARWORD_SPEECH=... python tests/benchmarks/calibrate_confidence.py [--model FOLDER] [--dry-run] [--plot FILE]

To be run after every training: writes ``confidence.json`` into the model's folder. The expected calibration error is
that of each half of the dev sets (no speaker in both) with the constants of the other; what is written is fitted on
both. With ``--plot``, the reliability of these held-out confidences as a picture (needs matplotlib).
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import numpy.typing as npt
from dev_speech import Recording, recordings
from nearword.lattice.calibration import Calibration, expected_calibration_error, fit, reliability
from nearword.models import Transducer, resolve, stream_audio
from nearword.runtime.recognition.confidence import write_calibration
from nearword.runtime.recognition.segmenter import Segmenter
from nearword.runtime.recognition.text import normalise
from nearword.runtime.recognition.transcript import Word

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def is_right(words: Sequence[Word], reference: Sequence[str]) -> list[bool]:
    """Return for each word whether it stands where it was said, in the alignment with the fewest errors."""
    right = [False] * len(words)
    if words and reference:
        # a word with a stop in it is none to the reference: it stays one here, and is wrong
        said = [normalise(word.text).replace(" ", "_") or "_" for word in words]
        for chunk in jiwer.process_words(" ".join(reference), " ".join(said)).alignments[0]:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return right


def collect(model: Transducer, chosen: Sequence[Recording]) -> tuple[Doubles, Mask, Mask]:
    """Return confidence, rightness, and half of every word that is recognised."""
    groups = {group: number for number, group in enumerate(sorted({one.group for one in chosen}))}
    confidences: list[float] = []
    right: list[bool] = []
    second: list[bool] = []
    for recording in chosen:
        segmenter = Segmenter(model)
        for block in stream_audio(recording.entry.path):
            segmenter.accept(block)
        words = segmenter.finish().words
        confidences += [word.confidence for word in words]
        right += is_right(words, recording.words)
        second += [groups[recording.group] % 2 == 1] * len(words)
    return np.array(confidences), np.array(right, bool), np.array(second, bool)


def cross_entropy(sure: Doubles, right: Mask) -> float:
    """Return the normalised cross entropy: how much of what could be known the confidences tell; 0 for their mean."""
    share = right.mean()
    ours = np.where(right, np.log(sure), np.log1p(-sure)).mean()
    return float(1 - ours / (share * np.log(share) + (1 - share) * np.log1p(-share)))


def draw(path: Path, before: Doubles, after: Doubles, right: Mask) -> None:
    """Draw how often words of a confidence were right, before and after calibration."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, sure, colour in (("not calibrated", before, "#d55e00"), ("calibrated", after, "#0072b2")):
        rows = [row for row in reliability(sure, right) if row.count]
        error = expected_calibration_error(sure, right)
        places, shares = [row.confidence for row in rows], [row.accuracy for row in rows]
        axes.plot(places, shares, color=colour, label=f"{name}: expected error {error:.3f}")
        axes.scatter(places, shares, [12 + 250 * row.count / len(right) for row in rows], color=colour, alpha=0.8)
    axes.set(xlabel="confidence", ylabel="share of right words", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Collect, fit, report, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en", help="name or folder")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument("--limit", type=int, help="recordings of each set")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    folder = resolve(options.model)
    model = Transducer.load(folder)
    with tempfile.TemporaryDirectory() as empty:  # as if there were no calibration yet
        model.info = dataclasses.replace(model.info, folder=Path(empty))
        confidences, right, second = collect(model, recordings(options.limit))
    after = np.empty_like(confidences)
    for half in (second, ~second):
        after[half] = fit(confidences[~half], right[~half])(confidences[half])
    calibration: Calibration = fit(confidences, right)
    print(f"{len(right)} words, {right.mean():.3f} of them right")
    for name, sure in (("not calibrated", np.clip(confidences, 1e-4, 1 - 1e-4)), ("calibrated", after)):
        halves = " and ".join(
            f"{expected_calibration_error(sure[half], right[half]):.4f}" for half in (second, ~second)
        )
        whole = expected_calibration_error(sure, right)
        print(
            f"{name:14} expected calibration error {whole:.4f} (halves: {halves}), "
            f"normalised cross entropy {cross_entropy(sure, right):.3f}"
        )
    print("\nconfidence     words   mean  right")
    for row in reliability(after, right):
        if row.count:
            print(f"{row.low:.1f} to {row.high:.1f} {row.count:9} {row.confidence:6.3f} {row.accuracy:6.3f}")
    print("\n" + ", ".join(f"{name} {value:.4g}" for name, value in dataclasses.asdict(calibration).items()))
    if options.plot:
        draw(options.plot, confidences, after, right)
    if not options.dry_run:
        print(write_calibration(folder, calibration))


if __name__ == "__main__":
    main()
