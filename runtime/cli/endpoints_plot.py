"""The picture of ``nearword endpoints``: histogram of latencies, and what speed costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...models import NearwordError

if TYPE_CHECKING:
    from ...endpointing import Observation, Scorecard

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Told apart by colour-blind readers too (Okabe and Ito)."""
BIN_SECONDS = 0.05


class PlotError(NearwordError):
    """A picture cannot be drawn."""


def check_plot(path: Path) -> None:
    """See before the work whether the picture can be drawn.

    Raises:
        PlotError: matplotlib is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}", param_hint="--plot")
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"{path}: no such folder", param_hint="--plot")
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise PlotError(f"{path}: matplotlib is not installed; for pictures: pip install 'nearword[plot]'") from error
    mpl.use("agg")


def draw(
    path: Path, cards: "Sequence[Scorecard]", rows: "Mapping[str, Sequence[Observation]]", own: Sequence[str]
) -> None:
    """Draw the picture; ``own`` are the systems that a line joins."""
    from matplotlib import pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 9}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    _histogram(left, cards, rows)
    _trade_off(right, cards, own)
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
    figure.savefig(path, dpi=150, metadata=metadata)
    plt.close(figure)


def _histogram(axes: Any, cards: "Sequence[Scorecard]", rows: "Mapping[str, Sequence[Observation]]") -> None:
    import numpy as np

    from ...endpointing import final_latency, speculative_latency

    final, guessed = {}, {}
    for card in cards:
        heard = [row for row in rows[card.system] if row.is_heard]
        final[card.system] = [final_latency(row) for row in heard]
        if card.speculation:
            guessed[card.system] = [speculative_latency(row) for row in heard]
    values = [value for times in (*final.values(), *guessed.values()) for value in times]
    bins = np.arange(np.floor(min(values) / BIN_SECONDS) - 1, np.ceil(max(values) / BIN_SECONDS) + 2) * BIN_SECONDS
    for card, colour in zip(cards, _colours(len(cards)), strict=True):
        name = card.system
        axes.hist(final[name], bins, color=colour, alpha=0.35, label=f"{name}, final")
        if name in guessed:
            axes.hist(guessed[name], bins, color=colour, histtype="step", linewidth=1.3, label=f"{name}, speculative")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="seconds after the true end of speech", ylabel="recordings", title="When the end was found")
    axes.legend(frameon=False)


def _trade_off(axes: Any, cards: "Sequence[Scorecard]", own: Sequence[str]) -> None:
    for card, colour in zip(cards, _colours(len(cards)), strict=True):
        early, latency = card.early_cut_offs, card.final_latency
        middle = 1000 * latency.p50.value
        axes.errorbar(
            middle, 100 * early.value,
            xerr=[[0], [1000 * latency.p90.value - middle]],
            yerr=[[100 * (early.value - early.low)], [100 * (early.high - early.value)]],
            fmt="o", color=colour, capsize=3, label=f"{card.system}, final: early cut-offs",
        )  # fmt: skip
        if card.speculation and card.speculation.right.value == card.speculation.right.value:
            wrong = 100 * (1 - card.speculation.right.value)
            axes.plot(
                1000 * card.speculation.latency.p50.value, wrong, "^", color=colour, fillstyle="none",
                label=f"{card.system}, speculative: wrong",
            )  # fmt: skip
    line = sorted((card.final_latency.p50.value, card.early_cut_offs.value) for card in cards if card.system in own)
    axes.plot([1000 * x for x, _ in line], [100 * y for _, y in line], color="grey", linewidth=0.8, zorder=0)
    axes.set(
        xlabel="median latency, ms (bar to the 90th percentile)", ylabel="too early, % (bar: 95 % interval)",
        title="What speed costs",
    )  # fmt: skip
    axes.set_ylim(bottom=-0.3)
    axes.legend(frameon=False)


def _colours(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
