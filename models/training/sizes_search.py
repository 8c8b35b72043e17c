"""Candidates for the encoder's size trained one after the other, the table of them, and the picture of the front."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .follow import Windows, apart, apart_on
from .model import TransducerModel
from .sizes import Size, Surrogate, Tried, costs_of, front, grid, next_one, part_of

TRIED = "tried.jsonl"


@dataclass(frozen=True)
class ShortTraining:
    """How each candidate is trained."""

    updates: int = 60
    rows: int = 2
    """Windows of an update."""
    rate: float = 1e-3
    """Highest learning rate; it rises for a tenth of the updates, and falls to nothing."""
    seed: int = 1


def try_size(teacher: TransducerModel, size: Size, windows: Windows, held: Windows, training: ShortTraining) -> Tried:
    """Train an encoder of a size for a little while to do as the teacher, and return how well it does."""
    began = time.process_time()
    config = size.config(teacher.config)
    encoder = part_of(teacher, config).encoder
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=training.rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.rate, total_steps=training.updates + 1, pct_start=0.1, cycle_momentum=False
    )
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(training.seed))
    # the largest is what it is to become, and is only looked at
    for update in range(training.updates if size != Size.of(teacher.config) else 0):
        rows = order[torch.arange(update * training.rows, (update + 1) * training.rows) % len(order)]
        some = windows.at(rows.sort().values)
        optimizer.zero_grad()
        apart(encoder(some.features.float(), some.first), some, teacher).total().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    error = float(apart_on(encoder, held, teacher).tokens)
    return Tried(size, error, round(time.process_time() - began, 1))


def read_tried(folder: Path) -> list[Tried]:
    """Return what a search has tried so far."""
    lines = (folder / TRIED).read_text().splitlines() if (folder / TRIED).exists() else []
    rows = [json.loads(line) for line in lines]
    return [Tried(Size(**row["size"]), row["error"], row["seconds"]) for row in rows]


def search(
    folder: Path, teacher: TransducerModel, windows: Windows, held: Windows, *,
    stride: float, training: ShortTraining, until: float, most: int,
    progress: Callable[[Tried], None] = lambda _: None,
) -> list[Tried]:  # fmt: skip
    """Try candidates until the time or their number is reached; goes on where it was broken off.

    Args:
        folder: of the results.
        teacher: the trained network, the largest of all.
        windows: to train on.
        held: to judge by.
        stride: of the grid, see ``grid``.
        training: of each candidate.
        until: moment (``time.monotonic``) after which none is begun.
        most: candidates that are tried in all.
        progress: is told each result.
    """
    folder.mkdir(parents=True, exist_ok=True)
    candidates, tried = grid(teacher.config, stride), read_tried(folder)
    while time.monotonic() < until and len(tried) < most:
        size = next_one(candidates, tried, teacher.config)
        if size is None:
            break
        tried.append(try_size(teacher, size, windows, held, training))
        with (folder / TRIED).open("a") as out:
            out.write(json.dumps(asdict(tried[-1])) + "\n")
        progress(tried[-1])
    return tried


def found(tried: Sequence[Tried], teacher: TransducerModel, stride: float, training: ShortTraining) -> dict[str, Any]:
    """Return what came out: every candidate with its costs, tried or estimated, and which are on the front."""
    candidates = grid(teacher.config, stride)
    known = {one.size: one.error for one in tried}
    surrogate = Surrogate([one for one in tried if one.size != Size.of(teacher.config)])
    errors = [known.get(s, float(e)) for s, e in zip(candidates, surrogate(candidates), strict=True)]
    costs = costs_of(candidates, errors, teacher.config)
    on_front = front(costs)
    measured = np.asarray([size in known for size in candidates])
    among_measured = np.zeros(len(candidates), bool)
    among_measured[measured] = front(costs[measured])
    rows = [
        {
            **asdict(size), "parameters": int(cost[0]), "operations": cost[1], "error": round(float(cost[2]), 5),
            "tried": bool(there), "front": bool(best), "front_of_tried": bool(among),
        }
        for size, cost, there, best, among in zip(candidates, costs, measured, on_front, among_measured, strict=True)
    ]  # fmt: skip
    return {
        "stride": stride, "training": asdict(training), "trainings": len(tried), "candidates": len(candidates),
        "seconds": round(sum(one.seconds for one in tried), 1), "off": round(surrogate.off, 3), "sizes": rows,
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """Return the candidates that were tried as a Markdown table, the largest first."""
    tried = sorted((row for row in result["sizes"] if row["tried"]), key=lambda row: -row["operations"])
    lines = [
        "| layers | width | heads | inside | parameters | operations a second | divergence | |",
        "| --- " * 8 + "|",
    ]
    lines += [
        f"| {row['layers']} | {row['width']} | {row['heads']} | {row['feed']} | {row['parameters'] / 1e6:.2f} M"
        f" | {row['operations'] / 1e6:.0f} M | {row['error']:.3f} | {'front' if row['front_of_tried'] else ''} |"
        for row in tried
    ]
    return "\n".join(lines)


def draw(result: dict[str, Any], output: Path) -> None:
    """Draw errors against operations and parameters: what was tried, what is estimated, the front."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    figure, all_axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    rows = [row for row in result["sizes"] if row["error"] > 0]
    for axes, key, label in zip(
        all_axes, ("operations", "parameters"), ("multiplications a second of audio, M", "parameters, M"), strict=True
    ):
        for tried, style in ((False, {"color": "lightgrey", "s": 8}), (True, {"color": "tab:blue", "s": 24})):
            some = [row for row in rows if row["tried"] == tried]
            axes.scatter([row[key] / 1e6 for row in some], [row["error"] for row in some], **style)
        best = sorted((row for row in rows if row["front_of_tried"]), key=lambda row: row[key])
        axes.plot([row[key] / 1e6 for row in best], [row["error"] for row in best], ":", color="tab:orange")
        axes.set(xlabel=label, yscale="log")
        for row in best:
            name = f"{row['layers']} x {row['width']}, {row['heads']}, {row['feed']}"
            axes.annotate(name, (row[key] / 1e6, row["error"]), fontsize=5, xytext=(2, 3), textcoords="offset points")
    all_axes[0].set_ylabel("divergence of tokens, nats a frame")
    figure.tight_layout()
    figure.savefig(output, metadata={"Date": None})
    plt.close(figure)
