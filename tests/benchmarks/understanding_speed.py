"""Processor time of understanding a text and a lattice, of opening a model, and its memory; two versions by turns.

    python tests/benchmarks/understanding_speed.py MODEL LABELLED.jsonl [--heard FILE] [--against PYTHON] [--rounds 15]

HEARD is what ``understanding_lattices.py --keep`` wrote. Of each text the least of all rounds counts, since whatever
else runs only adds; told are the median and the 90th percentile over the texts. Rounds of PYTHON, an interpreter with
another version of nearword, and of this one take turns; with it come the ratios, round by round, and how many
understandings differ.
"""

import argparse
import gc
import hashlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from nearword.lattice import decode
from nearword.lattice.understanding.training import read_examples
from nearword.runtime.recognition.understanding_file import load_understanding, resolve_understanding

LOADS = 5
"""Times that the model is opened in each round."""


def spent(function: Callable[[], object]) -> float:
    """Return the milliseconds of processor time that a call takes."""
    begun = time.process_time()
    function()
    return 1000 * (time.process_time() - begun)


def answer(settings: argparse.Namespace) -> None:
    """Measure a round for each line that comes in, and write what it took."""
    path = resolve_understanding(settings.model)
    model = load_understanding(path)
    examples = read_examples([settings.labelled])
    tokens = [one.labelled()[0] for one in examples[:: max(1, len(examples) // settings.texts)]]
    rows = settings.heard.read_text().splitlines() if settings.heard else []
    lattices = [decode(bytes.fromhex(json.loads(row)["lattice"])) for row in rows[: settings.texts]]
    gc.disable()
    for _ in sys.stdin:
        gc.collect()
        told = {
            "load": [spent(lambda: load_understanding(path)) for _ in range(LOADS)],
            "text": [spent(lambda some=some: model.understand_tokens(some)) for some in tokens],
            "lattice": [spent(lambda one=one: model.understand_lattice(one)) for one in lattices],
        }
        print(json.dumps(told), flush=True)
    found = [*map(model.understand_tokens, tokens), *map(model.understand_lattice, lattices)]
    del model
    gc.enable()
    tracemalloc.start()
    model = load_understanding(path)
    opened, peak = tracemalloc.get_traced_memory()
    for some in tokens:
        model.understand_tokens(some)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    memory = {"size": path.stat().st_size, "opened": opened, "peak": peak, "held": held}
    print(json.dumps({"memory": memory, "found": [hashlib.sha256(repr(one).encode()).hexdigest() for one in found]}))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--heard", type=Path)
    parser.add_argument("--against", help="interpreter of the version before")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--texts", type=int, default=200, help="texts, and lattices, spread over the file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.child:
        answer(settings)
        return
    programs = {"before": settings.against} if settings.against else {}
    programs["now"] = sys.executable
    arguments = [__file__, *sys.argv[1:], "--child"]
    children = {
        name: subprocess.Popen(
            [program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for name, program in programs.items()
    }
    rounds: dict[str, list[dict[str, list[float]]]] = {name: [] for name in children}
    for number in range(settings.rounds):
        for name, child in sorted(children.items(), reverse=bool(number % 2)):
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write("\n")
            child.stdin.flush()
            rounds[name].append(json.loads(child.stdout.readline()))
    last = {name: json.loads(child.communicate()[0]) for name, child in children.items()}
    for name, taken in rounds.items():
        print(name)
        for what in ("text", "lattice"):
            least = np.array([one[what] for one in taken]).min(0)
            if least.size:
                usual = np.median([one[what] for one in taken])
                print(
                    f"  {what:8}{np.median(least):6.2f} ms in the middle of {least.size}, "
                    f"{np.percentile(least, 90):.2f} at the 90th percentile, least of {len(taken)}; "
                    f"{usual:.2f} over all rounds"
                )
        loads = np.array([one["load"] for one in taken])
        print(f"  load    {loads.min():6.2f} ms at the least, {np.median(loads):.2f} in the middle")
        memory = last[name]["memory"]
        share = (memory["size"] + max(memory["peak"], memory["held"])) / memory["size"]
        print(f"  memory  {memory}: {share:.2f} x the file")
    if settings.against:
        for what in ("text", "lattice", "load"):
            pairs = [
                np.median(now[what]) / np.median(before[what])
                for before, now in zip(rounds["before"], rounds["now"], strict=True)
                if now[what]
            ]
            if pairs:
                low, middle, high = np.percentile(pairs, [25, 50, 75])
                print(f"{what}: now {middle:.2f} of before ({low:.2f} to {high:.2f})")
        differ = sum(one != other for one, other in zip(last["before"]["found"], last["now"]["found"], strict=True))
        print(f"understandings that differ: {differ} of {len(last['now']['found'])}")


if __name__ == "__main__":
    main()
