"""What the encoder's cheap branch saves, and what it costs in words.

    python tests/benchmarks/branching_cost.py errors --speech FOLDER [--sets S] [--limit N] [--noise] [--live]
                                                    [--losses X]
    python tests/benchmarks/branching_cost.py time [--rounds N]
    python tests/benchmarks/branching_cost.py draw RECORDING -o docs/branching-cost.svg

``errors``: the three dev sets as ``nearword evaluate`` hears them, each step cheap where the gate expects less than so
many nats; words wrong, shares of cheap steps, multiplications for a second of audio. With ``--noise`` dev's kitchen
noise lies below at 6 dB. With ``--live`` they are heard as a stream is: with end-pointers, the encoder resting where
nobody speaks; what is encoded ahead, to complete a result, is counted too. ``time``: processor time of each kind of
step, by turns in one process. ``draw``: cost of each step beside the words.
"""

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
from graph_operations import products_of
from nearword.models import SAMPLE_RATE, Transducer, read_audio
from nearword.models.branching import BRANCH, EFFORTS, GATE, Branch
from nearword.models.encoder import Encoded, EncoderStream
from nearword.runtime import Final, Recognizer, Transcriber, load_model
from nearword.runtime.evaluation.word_errors import count_errors, read_manifest
from nearword.runtime.recognition.encoder_stream import AudioEncoder
from nearword.runtime.recognition.text import normalise
from nearword.runtime.search import SearchOptions

SETS = {
    "barista": ("barista.jsonl", "aligned_text"),
    "commonvoice": ("commonvoice.tsv", "text"),
    "speechocean762": ("speechocean762.tsv", "text"),
}


def multiplications(graph: Path) -> int:
    """Return the multiplications of a graph's products, in a run."""
    total = 0
    for _, left, right in products_of(graph):
        # of weights that are mixed into heads the left one is the constant
        rows = math.prod(left[:-2]) if len(left) >= len(right) else math.prod(right[:-2])
        total += rows * left[-2] * left[-1] * right[-1]
    return total


class Costs:
    """Multiplications of steps."""

    def __init__(self, model: Transducer) -> None:
        folder = Path(str(model.info.folder))
        self.full = multiplications(Path(str(model.info.graphs[0])))
        self.gate, self.branch = (multiplications(folder / name) for name in (GATE, BRANCH))

    def of(self, full: int, cheap: int, looks: int) -> float:
        """Return the millions of multiplications of steps in full, of cheap ones, and of looks of the gate."""
        return (self.full * full + self.branch * cheap + self.gate * looks) / 1e6

    def of_steps(self, steps: list[Encoded], *, gated: bool) -> float:
        """Return the millions of multiplications of steps."""
        cheap = sum(step.is_cheap for step in steps)
        return self.of(sum(step.runs for step in steps), cheap, len(steps) if gated else 0)


def noisy(audio: np.ndarray, noise: np.ndarray, seed: int, ratio: float = 6.0) -> np.ndarray:
    """Return audio with noise, at ``ratio`` dB below its louder half."""
    start = int(np.random.default_rng(seed).integers(0, len(noise) - len(audio)))
    beside, loud = noise[start : start + len(audio)], audio[audio**2 > np.quantile(audio**2, 0.5)]
    scale = np.sqrt(np.mean(loud**2) / np.mean(beside**2) / 10 ** (ratio / 10))
    return np.asarray(audio + scale * beside, np.float32)


def recordings(
    speech: Path, sets: list[str], limit: int | None, *, noise: bool
) -> Iterator[tuple[str, int, str, np.ndarray]]:
    """Yield set, number, words and samples of recordings, spread evenly over each set."""
    kitchen = read_audio(speech / "dev/kitchen-noise.flac")
    for name in sets:
        file, key = SETS[name]
        rows = read_manifest(speech / "dev" / file, text_key=key)
        rows = rows[:: max(1, len(rows) // limit)][:limit] if limit else rows
        for number, row in enumerate(rows):
            audio = read_audio(row.path)
            yield name, number, normalise(row.text), noisy(audio, kitchen, number) if noise else audio


def encoded(model: Transducer, audio: np.ndarray, loss: float) -> list[Encoded]:
    """Return the steps of a recording, cheap those of less than ``loss`` nats; 0: the gate is not asked."""
    model.branch.losses["balanced"] = loss
    encoder = AudioEncoder(model, phones=True, effort="balanced" if loss else "full")
    return [*encoder.accept(audio), *encoder.finish()]


def replayed(model: Transducer, costs: Costs, audio: np.ndarray, loss: float) -> tuple[str, int, int, float]:
    """Return the words of a recording, its steps, the cheap ones, and millions of multiplications."""
    found = encoded(model, audio, loss)
    text = Transcriber(model).replay(found, len(audio) / SAMPLE_RATE).text
    return text, len(found), sum(step.is_cheap for step in found), costs.of_steps(found, gated=loss > 0)


def live(model: Transducer, costs: Costs, audio: np.ndarray, loss: float) -> tuple[str, int, int, float]:
    """Return the same of a recording as a stream, all that is encoded counted."""
    model.branch.losses["balanced"] = loss
    calls = Counter[str]()

    def counted(of: type, name: str) -> object:
        run = getattr(of, name)

        def count(*given: object, **named: object) -> object:
            calls[name] += 1
            return run(*given, **named)

        return patch.object(of, name, count)

    with counted(EncoderStream, "run"), counted(Branch, "look"), counted(Branch, "step"):
        recognizer = Recognizer(model, search=SearchOptions(effort="balanced" if loss else "full"))
        events = [*recognizer.accept(audio), *recognizer.finish()]
    text = " ".join(event.text for event in events if isinstance(event, Final))
    return text, calls["run"] + calls["step"], calls["step"], costs.of(calls["run"], calls["step"], calls["look"])


def errors(
    speech: Path, sets: list[str], limit: int | None, losses: list[float], *, noise: bool, is_live: bool
) -> None:
    """Print a line for each set and loss."""
    model = load_model()
    costs, hear = Costs(model), live if is_live else replayed
    for name, group in groupby(recordings(speech, sets, limit, noise=noise), key=itemgetter(0)):
        wrong, steps, cheap, cost = (Counter[float]() for _ in range(4))
        words, seconds = 0, 0.0
        for _, _, said, audio in group:
            seconds += len(audio) / SAMPLE_RATE
            for loss in (0.0, *losses):
                text, *figures = hear(model, costs, audio, loss)
                count, *mistakes = count_errors(said, normalise(text))
                words += count if loss == 0 else 0
                wrong[loss] += sum(mistakes)
                for total, figure in zip((steps, cheap, cost), figures, strict=True):
                    total[loss] += figure
        for loss in (0.0, *losses):
            less = 1 - cost[loss] / cost[0.0]
            print(
                f"{name:15} loss {loss:<6} {wrong[loss]} of {words} words wrong, {100 * wrong[loss] / words:.1f} %;"
                f" {cheap[loss]} of {steps[loss]} steps cheap, {cost[loss] / seconds:.0f} M a second of audio,"
                f" {100 * less:.0f} % less",
                flush=True,
            )


def timed(rounds: int) -> None:
    """Print processor time of each kind of step, medians, and of their ratios to a full one in the same round."""
    model = load_model()
    branch, features = model.branch, np.random.default_rng(0).normal(-9, 3, (67, 80)).astype(np.float32)
    before, step = np.split(features, [model.info.chunk_shift])
    stream = model.encoder_stream(phones=True)
    stream.run(step)
    count = np.full((1, 1), 16.0, np.float32)
    hidden = branch.look(before, step, count)[1]
    left = branch.step(hidden, count, phones=True)[1]
    kinds: dict[str, Callable[[], object]] = {
        "in full": lambda: stream.run(step),
        "gate": lambda: branch.look(before, step, count),
        "branch": lambda: branch.step(hidden, count, phones=True),
        "caches, before a full step": lambda: branch.after(stream.states, [left] * 4),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, run in kinds.items():
            began = time.process_time()
            for _ in range(5):
                run()
            taken[name].append((time.process_time() - began) / 5)
    costs = Costs(model)
    print(f"multiplications: {costs.full / 1e6:.1f} M in full, {costs.gate / 1e6:.1f} gate, {costs.branch / 1e6:.1f} M")
    for name, values in taken.items():
        ratio = median(a / b for a, b in zip(values, taken["in full"], strict=True))
        print(f"{name:28} {1000 * min(values):.2f} ms at least, {1000 * median(values):.2f} mostly, {ratio:.3f} x")


def draw(recording: Path, output: Path) -> None:
    """Draw the cost of each step of a recording beside its words, for each effort."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    model, audio = load_model(), read_audio(recording)
    costs, shift = Costs(model), model.info.chunk_shift / 100
    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 9}
    figure, rows = plt.subplots(4, 1, figsize=(9, 5), sharex=True, layout="constrained", height_ratios=(2, 2, 2, 1.2))
    for effort, axes in zip(EFFORTS, rows, strict=False):
        encoder = AudioEncoder(model, phones=True, effort=effort)
        steps = [*encoder.accept(audio), *encoder.finish()]
        kinds = [costs.of_steps([step], gated=effort != "full") for step in steps]
        found = Transcriber(model).replay(steps, len(audio) / SAMPLE_RATE)
        axes.bar(
            np.arange(len(steps)) * shift, kinds, 0.9 * shift, align="edge",
            color=["tab:green" if step.is_cheap else "tab:blue" for step in steps],
        )  # fmt: skip
        axes.set_ylabel("M / step")
        axes.set_ylim(0, 2.6 * costs.full / 1e6)
        axes.set_title(f"{effort}: {sum(kinds) / len(steps) / shift:.0f} M a second", loc="left", fontsize=9)
        for number, word in enumerate(found.words):  # in two rows, as words may be close together
            height = (2.1 + 0.24 * (number % 2)) * costs.full / 1e6
            axes.text((word.start + word.end) / 2, height, word.text, ha="center", fontsize=7)
    wave = np.abs(audio[: len(audio) // 640 * 640].reshape(-1, 640)).max(1)
    rows[3].fill_between(0.04 * np.arange(len(wave)), -wave, wave, color="0.6", linewidth=0)
    rows[3].set_yticks([])
    rows[3].set_xlabel("seconds of audio; a step's bar stands where its newest audio is")
    figure.savefig(output, metadata={"Date": None})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["errors", "time", "draw"])
    parser.add_argument("recording", type=Path, nargs="?")
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--losses", type=float, nargs="+", default=[0.05, 0.2, 1.0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.what == "time":
        timed(options.rounds)
    elif options.what == "draw":
        draw(options.recording, options.output)
    elif options.speech is None:
        parser.error(f"{options.what} needs --speech FOLDER")
    else:
        errors(options.speech, options.sets, options.limit, options.losses, noise=options.noise, is_live=options.live)


if __name__ == "__main__":
    main()
