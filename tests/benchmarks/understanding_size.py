"""What understanding loses on its way from floats to a file, and what it costs to use.

    python tests/benchmarks/understanding_size.py LABELLED.jsonl [--max-kb 300] [--plot FILE.svg] [--mutations 10000]

A fifth of LABELLED is held out. Learnt are all weights in floats, and as many as fit; these are stored with several
numbers of levels and widths of fingerprints. A dictionary of floats is counted as 16 bytes a name, 4 a weight and 2 its
column. Then, of the file: processor time per text, time to open it, memory beside the mapped file, and what becomes of
mutated copies, with the checksum made right again.
"""

import argparse
import json
import resource
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from nearword.lattice.understanding import ExactWeights, UnderstandingError, UnderstandingModel
from nearword.lattice.understanding.training import Example, Settings, read_examples, train
from nearword.runtime.evaluation.requests import answer, score_requests
from nearword.runtime.recognition.understanding_file import (
    Precision,
    load_understanding,
    load_word_classes,
    save_understanding,
)

Row = tuple[int, int, float, float]
"""Setting, bytes, intents right, slot F1."""
LEVELS = (8, 16, 32, 64, 128, 256, 4096)
WIDTHS = (0, 2, 4, 6, 8, 12, 16)
NAME, WEIGHT = 16, 6
"""Bytes in a dictionary of floats."""


def figures(model: UnderstandingModel, examples: Sequence[Example]) -> tuple[float, float]:
    """Return intents right and slot F1, in per cent; slots are 0 where there are none."""
    score = score_requests(list(answer(model, examples)))
    return 100 * score.intents.value, 100 * score.slot_f1 if score.slots else 0.0


def dictionary_bytes(model: UnderstandingModel) -> int:
    """Return what the exact weights of intents and slots take with names."""
    parts = [model.intent_weights, model.slot_weights]
    return sum(NAME * len(one.keys) + WEIGHT * len(one.weights) for one in parts if isinstance(one, ExactWeights))


def stored(model: UnderstandingModel, precision: Precision, folder: Path) -> tuple[int, UnderstandingModel]:
    """Return the size of a file, and the model in it."""
    path = folder / f"{precision.levels}-{precision.fingerprint_bits}.nlu"
    return save_understanding(model, path, precision), load_understanding(path)


def use(path: Path, examples: Sequence[Example]) -> None:
    """Print time and memory."""
    loads = []
    for _ in range(20):
        begun = time.process_time()
        load_understanding(path)
        loads.append(time.process_time() - begun)
    tracemalloc.start()
    model = load_understanding(path)
    _ = model.transitions
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tokens = [one.labelled()[0] for one in examples]
    spent = []
    for _ in range(3):
        for some in tokens:
            begun = time.process_time()
            model.understand_tokens(some)
            spent.append(1000 * (time.process_time() - begun))
    size = path.stat().st_size
    print(f"load {1000 * min(loads):.2f} ms at best, {1000 * float(np.median(loads)):.2f} in the middle")
    print(f"text {np.median(spent):.2f} ms in the middle, {np.percentile(spent, 90):.2f} at the 90th percentile")
    print(
        f"file {size} bytes; memory beside it {held} bytes, {peak} at most while it is opened: "
        f"{(size + peak) / size:.2f} x"
    )
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def mutate(path: Path, count: int, folder: Path) -> None:
    """Print what becomes of damaged copies."""
    whole, place = path.read_bytes(), folder / "mutated.nlu"
    header = 20 + int(np.frombuffer(whole[12:16], "<u4")[0])
    chance = np.random.default_rng(3)
    refused = harmless = caught = 0
    for number in range(count):
        data = bytearray(whole)
        for _ in range(int(chance.integers(1, 6))):
            data[int(chance.integers(8, header if number % 2 else len(data)))] = int(chance.integers(256))
        if number % 10 == 0:
            data = data[: int(chance.integers(0, len(data)))]
        if number % 5 and len(data) > 20:  # four in five with a right checksum
            data[16:20] = np.uint32(zlib.crc32(bytes(data[20:]))).tobytes()
        place.write_bytes(data)
        try:
            load_understanding(place).understand_text("wake me at twenty to nine")
        except UnderstandingError as error:
            refused += 1
            caught += "checksum" in str(error)
        else:
            harmless += 1
    print(f"{count} mutated files: {refused} refused in one line ({caught} by the checksum), {harmless} understood")


def draw(
    path: Path, by_levels: list[tuple[int, int, float, float]], by_width: list[tuple[int, int, float, float]]
) -> None:
    """Draw size and figures by levels and by fingerprints."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, rows, name in zip(
        axes, (by_levels, by_width), ("levels of weights", "bits of fingerprints"), strict=True
    ):
        places = list(range(len(rows)))
        axis.plot(places, [row[2] for row in rows], "o-", color="#0072b2", label="intents right, %")
        if any(row[3] for row in rows):
            axis.plot(places, [row[3] for row in rows], "s-", color="#d55e00", label="slot F1")
        axis.set_xticks(places, [f"{row[0]}\n{row[1] / 1000:.0f} kB" for row in rows])
        axis.set_xlabel(name)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--max-kb", type=int, default=300)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--mutations", type=int, default=0)
    settings = parser.parse_args()
    examples = read_examples([settings.labelled])
    order = np.random.default_rng(1).permutation(len(examples))
    held = [examples[place] for place in order[: len(order) // 5]]
    learnt = [examples[place] for place in order[len(order) // 5 :]]
    classes = load_word_classes()
    wanted = Settings(max_bytes=1000 * settings.max_kb, classes_bytes=35_000)
    whole = train(learnt, classes=classes, settings=replace(wanted, max_bytes=None)).model
    small = train(learnt, classes=classes, settings=wanted).model
    size = dictionary_bytes(whole)
    print(
        f"all weights, floats: {size / 1e6:.2f} MB with names; intents, F1 {figures(whole, held)}",
        flush=True,
    )
    print(
        f"those kept, floats: {dictionary_bytes(small) / 1e6:.2f} MB with names; intents, F1 {figures(small, held)}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = []
        for precisions in ([Precision(levels, 8) for levels in LEVELS], [Precision(256, width) for width in WIDTHS]):
            rows = []
            for precision in precisions:
                length, model = stored(small, precision, folder)
                rows.append(
                    (
                        precision.levels if len(tables) == 0 else precision.fingerprint_bits,
                        length,
                        *figures(model, held),
                    )
                )
                print(
                    f"{precision}: {length / 1000:.1f} kB ({1 - length / size:.1%} smaller), "
                    f"intents {rows[-1][2]:.2f}, F1 {rows[-1][3]:.2f}",
                    flush=True,
                )
            tables.append(rows)
        if settings.plot:
            draw(settings.plot, *tables)
        use(folder / "256-8.nlu", held[:400])
        if settings.mutations:
            mutate(folder / "256-8.nlu", settings.mutations, folder)
    print(json.dumps({"levels": tables[0], "fingerprints": tables[1]}))


if __name__ == "__main__":
    main()
