"""What lattices are worth: error of the search, and of the best path in its lattice, against bytes and n-best lists.

    NEARWORD_SPEECH=... python tests/benchmarks/lattice_quality.py [--limit 100] [--json FILE] [--plot FILE]

Word error rates on the dev sets (of ``barista`` against its aligned texts, which hold errors):

- 1-best: what the search followed; lattice: the best path of the lattice; expected: the words with the fewest
  expected errors (confusion network)
- oracle: the path of the lattice that is closest to what was said, of all that was kept and of what fits into so many
  bytes per utterance (binary form); list: the closest of an n-best list of as many bytes (texts and a score of two
  bytes each, deflated), of at most 2000 texts
- nodes a second: nodes of the search per second of processor time, without the encoder's
"""

import argparse
import json
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from dev_speech import encode as encode_speech
from dev_speech import recordings
from nearword.lattice import (
    DeterminizeSettings,
    Lattice,
    confusion_network,
    determinize,
    encode,
    n_best,
    oracle,
    to_budget,
)
from nearword.models import Transducer, resolve
from nearword.runtime.search import BeamSearch, BeamSettings, GreedySearch
from rapidfuzz.distance import Levenshtein

BUDGETS = (100, 200, 500, 1000, 2000, 4000, 8000)
"""Bytes per utterance."""
LONGEST_LIST = 2000
LINES = {4: "#0072b2", 8: "#d55e00", 16: "#009e73"}


@dataclass
class Row:
    """Sums over the recordings, of one search."""

    name: str
    words: int = 0
    """Words that were said."""
    errors: dict[str, int] = field(default_factory=dict)
    """Word errors, by what was compared."""
    sizes: list[int] = field(default_factory=list)
    """Bytes of each lattice."""
    arcs: list[int] = field(default_factory=list)
    nodes: int = 0
    """Nodes the search made."""
    seconds: float = 0.0
    """Processor time of the search."""
    lattice_seconds: float = 0.0
    """Processor time from its nodes to the word lattice."""
    frames: int = 0
    """Encoder frames."""

    def count(self, what: str, errors: int) -> None:
        """Add to the errors of ``what``."""
        self.errors[what] = self.errors.get(what, 0) + errors

    def rate(self, what: str) -> float:
        """Return the word error rate of ``what``, NaN if that was not compared."""
        return self.errors[what] / self.words if what in self.errors else float("nan")


def list_within(texts: Sequence[str], max_bytes: int) -> int:
    """Return how many of the first texts fit, at least one."""
    low, high = 1, len(texts) + 1
    while high - low > 1:
        middle = (low + high) // 2
        size = len(zlib.compress("\n".join(texts[:middle]).encode(), 9)) + 2 * middle
        low, high = (middle, high) if size <= max_bytes else (low, middle)
    return low


def look(row: Row, lattice: Lattice, said: list[str]) -> None:
    """Add what a lattice is worth."""
    row.count("lattice", Levenshtein.distance(said, lattice.text(lattice.best_path()).split()))
    row.count("expected", Levenshtein.distance(said, confusion_network(lattice).text.split()))
    row.count("oracle", oracle(lattice, said).errors)
    row.sizes.append(len(encode(lattice)))
    row.arcs.append(lattice.num_arcs)
    texts = [path.text for path in n_best(lattice, LONGEST_LIST)]
    best = np.minimum.accumulate([Levenshtein.distance(said, text.split()) for text in texts])
    for budget in BUDGETS:
        row.count(f"oracle {budget}", oracle(to_budget(lattice, budget), said).errors)
        row.count(f"list {budget}", int(best[list_within(texts, budget) - 1]))


def search_all(
    model: Transducer, row: Row, settings: BeamSettings, kept: DeterminizeSettings, speech: Sequence[tuple[list, list]]
) -> None:
    """Search all recordings, given as encoder steps and words."""
    text = lru_cache(maxsize=None)(model.vocabulary.text)
    for number, (steps, said) in enumerate(speech, 1):
        search = GreedySearch(model) if settings.max_active == 1 else BeamSearch(model, settings)
        before = time.process_time()
        for step in steps:
            search.advance(step)
        row.seconds += time.process_time() - before
        row.words += len(said)
        row.frames += search.frames_seen
        row.count("1-best", Levenshtein.distance(said, text(tuple(search.tokens)).split()))
        if isinstance(search, BeamSearch):
            row.nodes += max(node.number for node, _ in search._live)
            before = time.process_time()
            lattice = determinize(
                search.lattice(), text, model.vocabulary.word_starts, frame_seconds=model.info.frame_seconds,
                settings=kept,
            )  # fmt: skip
            row.lattice_seconds += time.process_time() - before
            look(row, lattice, said)
        if sys.stderr.isatty():
            print(f"\r{row.name}: {number}/{len(speech)} ", end="", file=sys.stderr)


def report(rows: Sequence[Row]) -> None:
    """Print the tables."""
    print(f"{'search':26} 1-best lattice expected oracle  lower   bytes    arcs  nodes/s  search  lattice")
    for row in rows:
        whole = f"{row.name:26} {row.rate('1-best'):6.3f}"
        audio = row.frames * 0.08
        if row.sizes:
            lower = 1 - row.rate("oracle") / row.rate("1-best")
            whole += (
                f" {row.rate('lattice'):7.3f} {row.rate('expected'):8.3f} {row.rate('oracle'):6.3f} {lower:6.1%}"
                f" {np.mean(row.sizes):7.0f} {np.mean(row.arcs):7.0f} {row.nodes / row.seconds:8.0f}"
                f" {1000 * row.seconds / audio:7.2f} {1000 * row.lattice_seconds / audio:8.2f}"
            )
        print(whole)
    print(
        "(lower: oracle below 1-best; bytes, arcs: mean; search, lattice: ms of processor time per second of audio)\n"
    )
    print(f"{'oracle error within bytes':26}", *(f"{budget:>13}" for budget in BUDGETS))
    print(f"{'':26}", *(f"{'lattice':>7}{'list':>6}" for _ in BUDGETS))
    for row in rows:
        if row.sizes:
            rates = (f"{row.rate(f'oracle {b}'):7.3f}{row.rate(f'list {b}'):6.3f}" for b in BUDGETS)
            print(f"{row.name:26}", *rates)


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Draw oracle error against bytes."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
    for beam, colour in LINES.items():
        row = next((row for row in rows if row.name == f"beam {beam}"), None)
        if row is not None:
            for what, line in (("oracle", "-"), ("list", ":")):
                rates = [100 * row.rate(f"{what} {budget}") for budget in BUDGETS]
                label = f"beam {beam}, {'lattice' if what == 'oracle' else 'n-best list'}"
                axes.plot(BUDGETS, rates, line, color=colour, label=label, marker="o", markersize=3)
    axes.axhline(100 * rows[1].rate("1-best"), color="0.6", linewidth=1, label="best words of beam 4")
    axes.set(xscale="log", xlabel="bytes per utterance", ylabel="word error rate of the closest text, %")
    axes.set_xticks(BUDGETS, [f"{budget:,}" for budget in BUDGETS])
    axes.minorticks_off()
    axes.legend(frameon=False, ncols=2, fontsize=8, loc="upper right", bbox_to_anchor=(1, 0.95))
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    """Search the dev sets with all settings, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en", help="name or folder")
    parser.add_argument("--limit", type=int, help="recordings of each set")
    parser.add_argument("--search-beam", type=float, default=BeamSettings().beam)
    parser.add_argument("--temperature", type=float, default=BeamSettings().temperature)
    parser.add_argument("--kept-beam", type=float, default=DeterminizeSettings().beam, help="of the word lattice")
    parser.add_argument("--max-arcs", type=int, default=DeterminizeSettings().max_arcs, help="of the word lattice")
    parser.add_argument("--beams", type=int, nargs="+", default=list(LINES))
    parser.add_argument("--recombined-only", action="store_true", help="leave out the searches without recombination")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    model = Transducer.load(resolve(options.model))
    speech = [(encode_speech(model, one.entry.path), one.words) for one in recordings(options.limit)]
    kept = DeterminizeSettings(beam=options.kept_beam, max_arcs=options.max_arcs)
    rows = [Row("greedy")]
    search_all(model, rows[0], BeamSettings(max_active=1), kept, speech)
    for recombine in (True,) if options.recombined_only else (True, False):
        for beam in options.beams:
            settings = BeamSettings(
                max_active=beam, beam=options.search_beam, recombine=recombine, temperature=options.temperature
            )
            rows.append(Row(f"beam {beam}" + ("" if recombine else ", not recombined")))
            search_all(model, rows[-1], settings, kept, speech)
    report(rows)
    if options.json:
        rates = [{"search": row.name} | {what: row.rate(what) for what in row.errors} for row in rows]
        options.json.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        draw(options.plot, rows)


if __name__ == "__main__":
    main()
