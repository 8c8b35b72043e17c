"""Graphviz: for its layouts and tools; ``svg`` draws without it."""

import numpy as np

from ..lattice import Lattice
from ..posterior import posteriors


def to_dot(lattice: Lattice) -> str:
    """Return the lattice as a Graphviz graph: best path bold, width by posterior, words with times."""
    best = set(lattice.best_path())
    lines = [
        "digraph lattice {",
        '  rankdir=LR; bgcolor="transparent"; nodesep=0.25; ranksep=0.35;',
        '  node [shape=circle, fixedsize=true, width=0.22, fontname="Helvetica", fontsize=8, color="#64748b"];',
        '  edge [fontname="Helvetica", fontsize=11, arrowsize=0.6, color="#94a3b8", fontcolor="#475569"];',
    ]
    lines += [f"  {node} [shape=doublecircle];" for node in np.flatnonzero(lattice.final_totals > -np.inf).tolist()]
    probabilities = posteriors(lattice).tolist()
    for arc in range(lattice.num_arcs):
        word = quoted(lattice.words[lattice.word[arc]])
        label = f"{word}\\n{lattice.start[arc]:.2f}-{lattice.end[arc]:.2f} s  {probabilities[arc]:.2f}"
        emphasis = ', color="#0f766e", fontcolor="#0f172a", style=bold' if arc in best else ""
        lines.append(
            f'  {lattice.source[arc]} -> {lattice.target[arc]} [label="{label}", '
            f"penwidth={0.5 + 3.5 * probabilities[arc]:.2f}{emphasis}];"
        )
    return "\n".join([*lines, "}"]) + "\n"


def quoted(word: str) -> str:
    """Return a word as it stands between Graphviz's double quotes."""
    plain = "".join(letter if letter.isprintable() else "\ufffd" for letter in word)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
