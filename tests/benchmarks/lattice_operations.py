"""How long operations on lattices take, against their size.

    python tests/benchmarks/lattice_operations.py [FILE ...]

Random lattices, or those in the files given. Milliseconds, the median of several runs on one core.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from lattices import random_lattice
from nearword.lattice import (
    Lattice,
    confusion_network,
    decode,
    encode,
    limit_depth,
    n_best,
    oracle,
    posteriors,
    prune,
    read_lattice,
    to_budget,
    word_confidences,
)
from nearword.lattice.formats.json_format import from_json, to_json
from nearword.lattice.formats.svg import MAX_ARCS, to_svg

SECONDS = 0.3
"""How long each operation is repeated."""


def operations(lattice: Lattice) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    data, text = encode(lattice), to_json(lattice)
    words = [lattice.words[lattice.word[arc]] for arc in lattice.best_path()]
    timed: dict[str, Callable[[], object]] = {
        "posteriors": lambda: posteriors(lattice),
        "word_confidences": lambda: word_confidences(lattice),
        "n_best 5": lambda: n_best(lattice, 5),
        "n_best 100": lambda: n_best(lattice, 100),
        "prune, beam 4": lambda: prune(lattice, 4),
        "limit_depth 3": lambda: limit_depth(lattice, 3),
        "to_budget, half": lambda: to_budget(lattice, len(data) // 2),
        "oracle": lambda: oracle(lattice, words),
        "confusion_network": lambda: confusion_network(lattice),
        "encode": lambda: encode(lattice),
        "decode": lambda: decode(data),
        "to_json": lambda: to_json(lattice),
        "from_json": lambda: from_json(text),
    }
    if lattice.num_arcs <= MAX_ARCS:
        timed["to_svg"] = lambda: to_svg(lattice)
    return timed


def milliseconds(run: Callable[[], object]) -> float:
    """Return the median time of a run."""
    run()
    times = []
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return 1000 * statistics.median(times)


def main() -> None:
    """Time them, and print a column per lattice."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    chosen = [read_lattice(path) for path in options.files] or [
        random_lattice(3, nodes=nodes, vocabulary=10) for nodes in (12, 30, 110, 550, 2700)
    ]
    print(f"{'arcs':20}", *(f"{lattice.num_arcs:8}" for lattice in chosen))
    print(f"{'bytes':20}", *(f"{len(encode(lattice)):8}" for lattice in chosen))
    columns = [operations(lattice) for lattice in chosen]
    for name in max(columns, key=len):
        print(
            f"{name:20}", *(f"{milliseconds(timed[name]):8.2f}" if name in timed else f"{'-':>8}" for timed in columns)
        )


if __name__ == "__main__":
    main()
