"""``nearword evaluate``: word error rate, speed and memory on a manifest."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Model, Report, Threads, fail

if TYPE_CHECKING:
    from ..evaluation import Score


def evaluate(
    manifest: Annotated[
        Path,
        typer.Argument(help="TSV with header, or JSON lines; 'path' and 'text' per utterance.", show_default=False),
    ],
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
    model: Model = "assistant-en",
    text_key: Annotated[str, typer.Option(help="Column that holds the reference.")] = "text",
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that paths are relative to; by default the manifest's, or the one above it.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first utterances.", show_default=False)
    ] = None,
    details: Annotated[
        Path | None,
        typer.Option(help="Write reference and hypothesis of each utterance here, as JSON lines.", show_default=False),
    ] = None,
    precision: Annotated[str, typer.Option(help="Graphs to use: auto, int8 or float.")] = "auto",
    threads: Threads = 1,
) -> None:
    r"""Measure the word error rate on recordings with known words.

    Words are compared in lower case without punctuation (apostrophes stay). The interval is a 95 % bootstrap
    over utterances.

    \b
    nearword evaluate dev/test.tsv
    nearword evaluate orders.jsonl --text-key transcript --format json
    """
    from ...models import Transducer, resolve
    from ..evaluation import read_manifest, recognise_all, score
    from ..transcriber import transcribe_file

    entries = read_manifest(manifest, text_key=text_key, root=root)[:limit]
    started = time.perf_counter()
    loaded = Transducer.load(resolve(model), threads=threads, precision=precision)
    load_seconds = time.perf_counter() - started
    broken: list[str] = []

    def recognise(path: Path) -> tuple[str, float]:
        transcript = transcribe_file(loaded, path)
        return transcript.text, transcript.seconds

    def failed(_: object, error: Exception) -> None:
        broken.append(str(error))
        fail(str(error))

    from rich.console import Console
    from rich.progress import track

    cpu, wall = time.process_time(), time.perf_counter()
    shown = track(entries, "evaluating", console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    results = list(recognise_all(shown, recognise, failed))
    figures = score(results, time.process_time() - cpu, time.perf_counter() - wall)
    if details is not None:
        lines = ({"path": str(r.entry.path), "text": r.entry.text, "hypothesis": r.hypothesis} for r in results)
        details.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    if report is Report.json:
        print(json.dumps(_as_json(figures, loaded.info.name, load_seconds, len(broken))))
    else:
        _print(figures, loaded.info.name, load_seconds, len(broken))
    if broken:
        raise typer.Exit(1)


def _as_json(figures: "Score", model: str, load_seconds: float, broken: int) -> dict[str, object]:
    return {
        "model": model,
        "utterances": figures.utterances,
        "broken": broken,
        "words": figures.words,
        "wer": round(figures.error_rate, 4),
        "wer_low": round(figures.low, 4),
        "wer_high": round(figures.high, 4),
        "substitutions": figures.substitutions,
        "deletions": figures.deletions,
        "insertions": figures.insertions,
        "audio_seconds": round(figures.audio_seconds, 2),
        "cpu_seconds": round(figures.cpu_seconds, 3),
        "wall_seconds": round(figures.wall_seconds, 3),
        "real_time_factor": round(figures.real_time_factor, 5),
        "load_seconds": round(load_seconds, 3),
        "peak_memory_bytes": figures.peak_memory,
    }


def _print(figures: "Score", model: str, load_seconds: float, broken: int) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    wrong = f"{figures.substitutions} substituted, {figures.deletions} deleted, {figures.insertions} inserted"
    rows = [
        ("model", model),
        ("utterances", f"{figures.utterances}" + (f" ({broken} more could not be read)" if broken else "")),
        (
            "word error rate",
            f"{100 * figures.error_rate:.1f} %  (95 %: {100 * figures.low:.1f} to {100 * figures.high:.1f})",
        ),
        ("errors", f"{wrong}, of {figures.words} words"),
        ("speed", f"{figures.real_time_factor:.4f} CPU seconds per second of audio ({figures.audio_seconds:.0f} s)"),
        ("model load", f"{load_seconds:.2f} s"),
        ("peak memory", f"{figures.peak_memory / 1e6:.0f} MB"),
    ]
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
