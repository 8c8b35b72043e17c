"""What ``nearword understand evaluate`` prints and writes: figures as a table or as JSON, and a line for each text."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...endpointing.scorecard import Estimate
    from ..evaluation.requests import Answer, RequestScore


def detail_line(one: "Answer") -> str:
    """Return what was understood of one text, as a line of JSON."""
    from dataclasses import asdict

    row = {
        "text": one.example.text,
        "intent": one.example.intent,
        "right": one.whole_right if one.asks else not one.found.accepted,
        "understanding": asdict(one.found),
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def score_to_dict(score: "RequestScore", path: Path, milliseconds: float) -> dict[str, Any]:
    """Return the figures as JSON has them."""

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    return {
        "model": str(path),
        "bytes": path.stat().st_size,
        "requests": score.requests,
        "intent_accuracy": plain(score.intents.value),
        "accepted": plain(score.accepted.value),
        "understood": plain(score.understood.value),
        "slots": score.slots,
        "slot_precision": plain(score.slot_precision),
        "slot_recall": plain(score.slot_recall),
        "slot_f1": plain(score.slot_f1),
        "others": score.others,
        "others_refused": plain(score.refused.value),
        "others_refused_at_2_percent_lost": plain(score.refused_at_loss),
        "milliseconds_per_text": round(milliseconds, 3),
        "confusions": [list(one) for one in score.confusions[:20]],
    }


def print_score(score: "RequestScore", path: Path, milliseconds: float) -> None:
    """Print the figures as a table."""
    from rich.console import Console
    from rich.table import Table

    def told(share: "Estimate") -> str:
        return f"{100 * share.value:.1f} %  (95 %: {100 * share.low:.1f} to {100 * share.high:.1f})"

    rows = [("model", f"{path} ({path.stat().st_size / 1000:.0f} kB)")]
    if score.requests:
        rows += [
            ("intent right", f"{told(score.intents)} of {score.requests} requests"),
            ("accepted", told(score.accepted)),
            ("understood in full", told(score.understood)),
        ]
    if score.slots:
        precise = f"precision {100 * score.slot_precision:.1f}, recall {100 * score.slot_recall:.1f}"
        rows.append(("slot F1", f"{100 * score.slot_f1:.1f}  ({precise}, {score.slots} slots)"))
    if score.others:
        rows.append(("others refused", f"{told(score.refused)} of {score.others}"))
    if not math.isnan(score.refused_at_loss):
        rows.append(("where 2 % of requests are lost", f"{100 * score.refused_at_loss:.1f} % of others refused"))
    rows += [(f"taken for {taken}", f"{wanted}: {count}") for wanted, taken, count in score.confusions[:5]]
    rows.append(("time", f"{milliseconds:.2f} ms of processor time per text"))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
