"""Errors against bytes: the bundled model packed, its weights rounded after training to fewer bits and with zeros.

    python tests/benchmarks/compressed_models.py measure --speech DIR --work DIR [--points 8:0 5:0 4:0 8:50 ...]
                                                         [--calibrate FOLDER] [--trained FOLDER]
    python tests/benchmarks/compressed_models.py report --work DIR
    python tests/benchmarks/compressed_models.py draw --page docs/compression.md [-o docs/compression-errors.svg]
    python tests/benchmarks/compressed_models.py curves --runs DIR [-o docs/small-curves.svg]
    python tests/benchmarks/compressed_models.py loading [--work DIR]
    python tests/benchmarks/compressed_models.py operations

``measure`` packs each point (bits:zeros, then optionally :group and :block; with ``--calibrate``, a folder of
recordings, bits may be a fraction and there are no groups and blocks; with ``--trained``, a folder of models that
``python -m nearword.models.training small-train`` has written, called as b4z50, these are packed as they are) and runs
``nearword evaluate`` on the three dev sets as it stands; what is in the work folder already is not measured again.
``report`` prints the table as it stands in the page, ``draw`` draws what the tables of the page have: points were
measured in more than one run. ``curves`` draws how far encoders in training were from their teacher.
``loading`` opens folder and packed models in turn, and a step of the encoder with each, in one process. It also runs
one matrix product in int8 dense, with zeros, and with zeros in blocks: whether onnxruntime skips them.
``operations`` counts the multiplications of the graphs per second of audio.
"""

import argparse
import json
import math
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime as ort
from graph_operations import KINDS, products_of
from nearword.models import Transducer, resolve
from nearword.models.compression.calibration import Calibration
from nearword.models.compression.rounding import Rounding
from nearword.models.graphs import find_graphs
from nearword.models.packing import pack_model
from nearword.runtime.search.language import load_own
from onnx import TensorProto, helper, numpy_helper

SETS = {
    "commonvoice": ("dev/commonvoice.tsv",),
    "barista": ("dev/barista.jsonl", "--text-key", "aligned_text"),
    "speechocean762": ("dev/speechocean762.tsv",),
}
POINTS = [f"{bits}:{zeros}" for zeros in (0, 30, 50, 70) for bits in (8, 5, 4)]
RATE = re.compile(r"([\d.]+) % \(([\d.]+) to ([\d.]+)\)")
"""A rate and its interval, as the page has them."""
MISTAKES = ("substitutions", "deletions", "insertions")
GRAPHS = ("encoder.int8.onnx", "decoder.onnx", "joiner.onnx")


def zipped() -> int:
    """Return the bytes of the graphs in use, deflated as zip does."""
    return sum(len(zlib.compress((resolve() / name).read_bytes(), 9)) for name in GRAPHS)


def stored(path: Path) -> int:
    """Return the bytes of the graphs in use in a packed model."""
    return Transducer.load(path).info.size_bytes


def name_of(point: str, *, calibrated: bool = False) -> str:
    """Return what a point's files are called."""
    return (
        ("c" if calibrated else "")
        + "b{}z{}".format(*point.split(":")[:2])
        + "".join(f"-{more}" for more in point.split(":")[2:])
    )


def measure_trained(speech: Path, work: Path, models: Path) -> None:
    """Pack and evaluate each model of a folder."""
    work.mkdir(parents=True, exist_ok=True)
    for folder in sorted(path for path in models.iterdir() if path.is_dir()):
        packed = work / f"t{folder.name}.nearword"
        if not packed.exists():
            pack_model(folder, packed)
        evaluate(speech, packed)


def measure(speech: Path, work: Path, points: list[str], recordings: list[Path]) -> None:
    """Pack and evaluate each point."""
    work.mkdir(parents=True, exist_ok=True)
    for point in points:
        packed = work / f"{name_of(point, calibrated=bool(recordings))}.nearword"
        bits, zeros, *more = point.split(":")
        if packed.exists():
            pass
        elif recordings:
            pack_model(resolve(), packed, calibration=Calibration(float(bits), int(zeros) / 100), recordings=recordings)
        else:
            pack_model(resolve(), packed, rounding=Rounding(int(bits), int(zeros) / 100, *map(int, more)))
        evaluate(speech, packed)


def evaluate(speech: Path, packed: Path) -> None:
    """Run ``nearword evaluate`` on the dev sets, unless it has been run."""
    for name, (manifest, *options) in SETS.items():
        kept = packed.with_name(f"{packed.stem}.{name}.json")
        if kept.exists():
            continue
        command = [sys.executable, "-m", "nearword.runtime.cli", "evaluate", "--model", packed, speech / manifest]
        result = subprocess.run([*command, *options, "--format", "json"], capture_output=True, check=True)
        kept.write_bytes(result.stdout)
        print(kept, flush=True)


def report(work: Path) -> None:
    """Print the table of what was measured."""
    base = zipped()
    print(f"graphs zipped: {base:,} bytes")
    print(
        "| point | graphs, bytes | of int8 zipped | "
        + " | ".join(f"dev/{name}" for name in SETS)
        + " | errors in all |"
    )
    print("| --- " * (4 + len(SETS)) + "|")
    for packed in sorted(work.glob("*.nearword"), key=stored, reverse=True):
        found = {name: work / f"{packed.stem}.{name}.json" for name in SETS}
        values = {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}
        if values:
            size, cells = stored(packed), [_cell(values[one]) if one in values else "not run" for one in SETS]
            wrong = sum(value[kind] for value in values.values() for kind in MISTAKES)
            cells.append(f"{wrong:,}" if len(values) == len(SETS) else "")
            print(f"| {title_of(packed.stem)} | {size:,} | {100 * size / base:.0f} % | {' | '.join(cells)} |")


def title_of(name: str) -> str:
    """Return how a point is called in page and picture."""
    bits, zeros = name.lstrip("ctb").split("z")
    how = {"c": "calibrated, ", "t": "trained, "}.get(name[0], "")
    return f"{how}{bits} bits" + (f", {zeros} % zeros" if zeros != "0" else "")


def _cell(value: dict) -> str:
    rate, low, high = (100 * value[key] for key in ("wer", "wer_low", "wer_high"))
    return f"{rate:.1f} % ({low:.1f} to {high:.1f})"


def points_of(page: str) -> dict[str, tuple[float, list[tuple[float, ...]]]]:
    """Return the points of a page's tables: megabytes, and for each set rate, low and high in percent; gaps are NaN."""
    found = {}
    for line in page.splitlines():
        title, size, *cells = [cell.strip(" *") for cell in line.strip("|").split("|")] + [""] * 4
        rates = [RATE.fullmatch(cell) for cell in cells[1 : 1 + len(SETS)]]
        if any(rates):
            gaps = [tuple(map(float, rate.groups())) if rate else (math.nan,) * 3 for rate in rates]
            found[title] = (int(size.replace(",", "")) / 1e6, gaps)
    return found


def draw(page: Path, output: Path) -> None:
    """Draw errors against bytes, a row of the picture for each set."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    kinds: dict[str, dict[str, tuple[float, list[tuple[float, ...]]]]] = {}
    for title, point in points_of(page.read_text()).items():
        kind = next((one for one in ("calibrated", "trained", "int8") if title.startswith(one)), "rounded")
        kinds.setdefault(kind, {})[title.removeprefix(f"{kind}, ").replace(" bits", "").replace(" zeros", "")] = point
    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 8}
    figure, rows = plt.subplots(len(SETS), figsize=(8, 8.5), sharex=True, layout="constrained")
    for number, (name, axes) in enumerate(zip(SETS, rows, strict=True)):
        for (kind, points), marker in zip(kinds.items(), "oDs^", strict=False):
            sizes = [size for size, _ in points.values()]
            rate, low, high = np.array([rates[number] for _, rates in points.values()]).T
            bars = axes.errorbar(sizes, rate, (rate - low, high - rate), fmt=marker, markersize=4, elinewidth=0.6)
            bars.set_label(kind)
            color, below = bars[0].get_color(), kind == "trained"
            for label, size, end in zip(points, sizes, low * 0.98 if below else high * 1.02, strict=True):
                if kind != "int8" and not math.isnan(end):
                    sides = {"ha": "center", "va": "top" if below else "bottom"}
                    axes.text(size, end, label, color=color, rotation=90, fontsize=6, **sides)
        axes.axvline(zipped() / 2e6, linestyle=":", color="grey")
        axes.set(title=f"dev/{name}", ylabel="word error rate, %", xscale="log", yscale="log")
        axes.margins(y=0.27)
        for one in (axes.xaxis, axes.yaxis):
            one.set_major_formatter("{x:g}")
            one.set_minor_formatter("{x:g}")
    rows[0].legend()
    rows[-1].set_xlabel("graphs, MB (dotted: half of int8 zipped); beside the points: bits, zeros")
    figure.savefig(output, metadata={"Date": None})


def curves(runs: Path, output: Path | None) -> None:
    """Print and draw what the runs in a folder have logged of speech that is held out."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    for log in sorted(runs.glob("b*z*/log.jsonl")):
        rows = [json.loads(line) for line in log.read_text().splitlines()]
        print(log.parent.name, *(f"{row['update']}: {row['tokens']:.4f}, {row['phones']:.4f};" for row in rows))
        updates, tokens = ([row[key] for row in rows] for key in ("update", "tokens"))
        axes.plot(updates, tokens, marker=".", label=title_of(log.parent.name))
    axes.set(xlabel="updates", ylabel="divergence of tokens, nats a frame", yscale="log")
    axes.legend(fontsize=7)
    figure.tight_layout()
    if output is not None:
        figure.savefig(output, metadata={"Date": None})


def loading(work: Path | None, times: int = 7) -> None:
    """Print seconds to load, and milliseconds of a step, of folder and packed models in turn."""
    work = work or Path()
    models = {"folder": resolve(), **{path.stem: path for path in sorted(work.glob("*.nearword"))}}
    loads: dict[str, list[float]] = {name: [] for name in models}
    steps: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(times + 1):
        for name, path in models.items():
            began = time.process_time()
            model = Transducer.load(path)
            load_own(model)
            taken = time.process_time() - began
            stream, features = model.encoder_stream(phones=True), np.zeros((model.info.chunk_frames, 80), np.float32)
            stream.run(features)
            began = time.process_time()
            for _ in range(30):
                stream.run(features)
            if turn:  # the first warms files and imports
                loads[name].append(taken)
                steps[name].append((time.process_time() - began) / 30 * 1000)
    for name in models:
        ratio = median(a / b for a, b in zip(loads[name], loads["folder"], strict=True))
        step = median(a / b for a, b in zip(steps[name], steps["folder"], strict=True))
        print(
            f"{name:8} load {median(loads[name]):.3f} s, {ratio:.2f} x; step {median(steps[name]):.2f} ms, {step:.2f} x"
        )
    products(times)


def products(times: int) -> None:
    """Print how long a product of int8 takes with zeros in its weights, beside none."""
    rng = np.random.default_rng(0)
    dense = rng.integers(-127, 128, (1536, 384)).astype(np.int8)
    single = np.where(rng.random(dense.shape) < 0.7, 0, dense)
    blocks = np.where(np.kron(rng.random((96, 24)) < 0.7, np.ones((16, 16), np.bool_)), 0, dense)
    sessions = {"dense": _product(dense), "70 % zeros": _product(single), "70 % in blocks of 16 x 16": _product(blocks)}
    x = rng.integers(0, 256, (16, 1536)).astype(np.uint8)
    taken: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(times):
        for name, session in sessions.items():
            began = time.process_time()
            for _ in range(300):
                session.run(None, {"x": x})
            taken[name].append(time.process_time() - began)
    for name, values in taken.items():
        ratio = median(a / b for a, b in zip(values, taken["dense"], strict=True))
        print(f"MatMulInteger, {name}: {ratio:.2f} x")


def _product(weights: np.ndarray) -> ort.InferenceSession:
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [16, 1536])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [16, 384])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options)


def operations() -> None:
    """Print the multiplications of each graph's products per run, and per second of audio."""
    info = Transducer.load(resolve()).info
    per_second = {
        "encoder": 100 / info.chunk_shift,
        "decoder": 0.0,
        "joiner": info.encoder_frames * 100 / info.chunk_shift,
    }
    for part, path in find_graphs(resolve()).items():
        kinds = dict.fromkeys(KINDS, 0)
        for kind, left, right in products_of(Path(str(path))):
            kinds[kind] += math.prod(left) * right[-1]
        rate = per_second[part]
        print(f"{part}: {kinds['MatMulInteger']:,} in int8, {kinds['MatMul']:,} in float a run; "
              f"{rate * sum(kinds.values()) / 1e6:.1f} M a second of audio")  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["measure", "report", "draw", "curves", "loading", "operations"])
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--points", nargs="+", default=POINTS)
    parser.add_argument("--calibrate", type=Path)
    parser.add_argument("--trained", type=Path)
    parser.add_argument("--page", type=Path, default=Path("docs/compression.md"))
    parser.add_argument("--runs", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    if options.command == "measure" and options.trained:
        measure_trained(options.speech, options.work, options.trained)
    elif options.command == "measure":
        recordings = sorted(options.calibrate.iterdir()) if options.calibrate else []
        measure(options.speech, options.work, options.points, recordings)
    elif options.command == "report":
        report(options.work)
    elif options.command == "draw":
        draw(options.page, options.output or options.page.with_name("compression-errors.svg"))
    elif options.command == "curves":
        curves(options.runs, options.output)
    elif options.command == "loading":
        loading(options.work)
    else:
        operations()


if __name__ == "__main__":
    main()
