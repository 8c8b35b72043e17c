"""A picture of a lattice, drawn without other programs: best path bold, arcs as wide as they are probable."""

import unicodedata
from html import escape

import numpy as np

from ..errors import LatticeError
from ..lattice import Lattice
from ..posterior import posteriors
from .layout import MARGIN, lay_out

MAX_ARCS = 1000
"""More cannot be told apart by eye; prune first."""
FONT, SMALL = 13.0, 9.0
"""Sizes of words and of times, in pixels."""
ROW = 42.0
"""Distance of rows."""
BORDER = 28.0
LETTER_WIDTHS = {"ijl.,:;'|!": 0.29, "frt()- ": 0.38, "mwMW@%": 0.92}
"""Widths of letters that are not average, parts of the font size: on the safe side for common sans-serif fonts."""
STYLE = """
  text { font-family: "Inter", "Helvetica Neue", Helvetica, Arial, sans-serif; text-anchor: middle }
  .halo { stroke: #fff; stroke-width: 4px; stroke-linejoin: round }
  .word { font-size: 13px; fill: #64748b }
  .time { font-size: 9px; fill: #94a3b8; font-variant-numeric: tabular-nums }
  .best .word { font-weight: 600; fill: #0f172a }
  .best .time { fill: #0f766e }
  path { fill: none; stroke: #94a3b8; stroke-linecap: round }
  .best path { stroke: #0d9488 }
  .caption { text-anchor: start }
  circle { fill: #fff; stroke: #64748b; stroke-width: 1.5 }
  circle.on { stroke: #0d9488; stroke-width: 2 }
  circle.start { fill: #0d9488 }
"""


def to_svg(lattice: Lattice) -> str:
    """Return the lattice as a picture; words tell their probability and scores when pointed at.

    Raises:
        LatticeError: it has too many arcs to be looked at.
    """
    if lattice.num_arcs > MAX_ARCS:
        raise LatticeError(f"{lattice.num_arcs} arcs cannot be told apart in a picture; prune to {MAX_ARCS} or fewer")
    return _Picture(lattice).svg()


class _Picture:
    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.timed = bool(lattice.num_arcs) and float(lattice.end.max()) > float(lattice.start.min())
        self.words = [_printable(lattice.words[word]) for word in lattice.word.tolist()]
        self.times = [f"{start:.2f}-{end:.2f}" for start, end in zip(lattice.start, lattice.end, strict=True)]
        self.probabilities = posteriors(lattice)
        widths = [
            max(text_width(word, FONT), text_width(time, SMALL) if self.timed else 0.0)
            for word, time in zip(self.words, self.times, strict=True)
        ]
        self.layout = lay_out(lattice, widths, self.probabilities)
        self.best = set(lattice.best_path())
        rows = [*self.layout.node_row, *self.layout.arc_row]
        self.top = min(rows)
        self.caption = (
            f"{lattice.num_nodes} nodes, {lattice.num_arcs} arcs; as wide as probable"
            + ("; times in seconds" if self.timed else "")
        )  # fmt: skip
        self.width = max(*self.layout.x, text_width(self.caption, SMALL)) + 2 * BORDER
        self.height = (max(rows) - self.top) * ROW + 2 * BORDER + 30

    def svg(self) -> str:
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        # the best path lies on top, then come nodes, then all text
        order = sorted(range(self.lattice.num_arcs), key=lambda arc: (arc in self.best, self.probabilities[arc]))
        heading = _printable(self.lattice.text(self.lattice.best_path())) or "(no words)"
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {self.width:.0f} {self.height:.0f}">',
            f"<title>{escape(heading)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect {size} rx="10" fill="#fff"/>',
            *(self._line(arc) for arc in order),
            *(self._node(node) for node in range(self.lattice.num_nodes)),
            *(self._label(arc) for arc in order),
            f'<text class="time caption" x="{BORDER:.0f}" y="{self.height - 12:.0f}">{self.caption}</text>',
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def _level(self, row: int) -> float:
        return (row - self.top) * ROW + BORDER + 8

    def _place(self, node: int) -> tuple[float, float]:
        return self.layout.x[node] + BORDER, self._level(self.layout.node_row[node])

    def _ends(self, arc: int) -> tuple[tuple[float, float], tuple[float, float]]:
        return self._place(int(self.lattice.source[arc])), self._place(int(self.lattice.target[arc]))

    def _line(self, arc: int) -> str:
        probability = float(self.probabilities[arc])
        look = ' class="best"' if arc in self.best else f' opacity="{0.55 + 0.45 * probability:.2f}"'
        curve = _curve(*self._ends(arc), self._level(self.layout.arc_row[arc]))
        return f'<g{look}><path d="{curve}" stroke-width="{1 + 5 * probability:.2f}"/></g>'

    def _node(self, node: int) -> str:
        x, y = self._place(node)
        kinds = ["on"] if not node or any(self.lattice.target[arc] == node for arc in self.best) else []
        kinds += ["start"] if not node else []
        circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{{}}" class="{" ".join(kinds)}"/>'
        ends = self.lattice.final_totals[node] > -np.inf
        return circle.format("6.5") + circle.format("3") if ends else circle.format("4.5")

    def _label(self, arc: int) -> str:
        (left, _), (right, _) = self._ends(arc)
        middle, level = (left + right) / 2, self._level(self.layout.arc_row[arc])
        acoustic, bias, language = self.lattice.scores[arc].tolist()
        details = (
            f"{self.words[arc]}: probability {self.probabilities[arc]:.3f}, {self.times[arc]} s, "
            f"acoustic {acoustic:.2f}, bias {bias:.2f}, language model {language:.2f}"
        )
        look = ' class="best"' if arc in self.best else ""
        texts = [f' x="{middle:.1f}" y="{level - 7:.1f}">{escape(self.words[arc])}</text>']
        if self.timed:
            texts.append(f' x="{middle:.1f}" y="{level + 14:.1f}">{self.times[arc]}</text>')
        # each text twice: what is behind makes room on lines that cross it
        drawn = [
            f'<text class="{kind}{halo}"{text}'
            for halo in (" halo", "")
            for kind, text in zip(("word", "time"), texts, strict=False)
        ]
        return f"<g{look}><title>{escape(details)}</title>{''.join(drawn)}</g>"


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is in pixels, rather more than less."""
    return size * sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in {"W", "F"}:
        return 1.05
    for letters, width in LETTER_WIDTHS.items():
        if letter in letters:
            return width
    return 0.75 if letter.isupper() else 0.61


def _curve(start: tuple[float, float], end: tuple[float, float], level: float) -> str:
    """Return a line from start to end that is level between its bends."""
    (left, from_y), (right, to_y) = start, end
    first = (
        ""
        if from_y == level
        else f" C{left + MARGIN / 2:.1f} {from_y:.1f} {left + MARGIN / 2:.1f} {level:.1f}"
        f" {left + MARGIN:.1f} {level:.1f}"
    )
    then = right if to_y == level else right - MARGIN
    last = (
        ""
        if to_y == level
        else f" C{right - MARGIN / 2:.1f} {level:.1f} {right - MARGIN / 2:.1f} {to_y:.1f} {right:.1f} {to_y:.1f}"
    )
    return f"M{left:.1f} {from_y:.1f}{first} H{then:.1f}{last}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
