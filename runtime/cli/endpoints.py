"""``nearword endpoints``: a scorecard of end-pointing on recordings with a known end of speech."""

import json
import math
import sys
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from .audio_options import OneChannel, choose_one_channel
from .interrupt import exit_code, whole_steps
from .options import Graphs, Limit, LookAhead, Model, Precision, Report, Root, Threads, fail, open_output, spare, told
from .searching import loaded_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...endpointing import Observation, Scorecard
    from ...endpointing.scorecard import Estimate
    from ...models import Channel, Transducer
    from ..evaluation.endpoints import Recording, System

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword endpoints commands.jsonl\n\n"
    "nearword endpoints dev/barista.jsonl --end-key aligned_end --plot endpoints.svg\n\n"
    "nearword endpoints commands.jsonl --preset balanced --peer sherpa-onnx --format json\n\n"
    "nearword endpoints commands.jsonl --details mine.jsonl --compare theirs.jsonl"
)


class Preset(str, Enum):
    """Settings of the end-pointers; see ``endpointing.PRESETS``."""

    fast = "fast"
    balanced = "balanced"
    patient = "patient"


class Peer(str, Enum):
    """Systems that can be measured beside."""

    sherpa = "sherpa-onnx"


def endpoints(
    manifest: Annotated[
        Path,
        typer.Argument(
            help="JSON lines, or TSV with header: 'path', and the second at which speech ends.", show_default=False
        ),
    ],
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
    model: Model = "assistant-en",
    preset: Annotated[
        list[Preset] | None, typer.Option(help="Measure this one; again for more. Default: all.", show_default=False)
    ] = None,
    peer: Annotated[
        list[Peer] | None,
        typer.Option(help="Measure its end-pointing beside, same model, same audio.", show_default=False),
    ] = None,
    end_key: Annotated[
        str | None,
        typer.Option(help="Column with the true end of speech. Default: end, or aligned_end.", show_default=False),
    ] = None,
    root: Root = None,
    limit: Limit = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw latencies and trade-off here (.png, .svg, .pdf).", show_default=False),
    ] = None,
    details: Annotated[
        Path | None,
        typer.Option(help="Write what was decided on each recording here, as JSON lines.", show_default=False),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="Score these records of other systems too, as --details writes them.", show_default=False),
    ] = None,
    channel: OneChannel = "mix",
    precision: Graphs = Precision.auto,
    look_ahead: LookAhead = None,
    threads: Threads = 1,
) -> None:
    """Measure how soon, and how often too soon, the end of speech is found.

    Latency runs from the true end of speech, in seconds of audio. Each recording should hold one stretch of speech.

    Where less than 3 s follow the end, quiet noise as loud as the recording's own is added.

    Audio that cannot be read is reported and left out; the exit code is 1 then. Ctrl-C gives the figures so far.
    """
    from ...endpointing import PRESETS, scorecard
    from ..evaluation.endpoint_peers import sherpa_system
    from ..evaluation.endpoints import own_system, read_ends, read_records

    if plot is not None:
        from .endpoints_plot import check_plot

        check_plot(plot)
    for path, option in ((details, "--details"), (plot, "--plot")):
        spare([manifest], path, option)
    heard = choose_one_channel(channel)
    recordings = read_ends(manifest, end_key=end_key, root=root)[:limit]
    others = {name: rows for path in compare or () for name, rows in read_records(path).items()}
    loaded = loaded_model(model, precision, threads=threads, look_ahead=look_ahead)
    systems: dict[str, System] = {
        name.value: own_system(loaded, PRESETS[name.value]) for name in dict.fromkeys(preset or Preset)
    }
    own = tuple(systems)
    if peer:
        systems[Peer.sherpa.value] = sherpa_system(loaded)
    with ExitStack() as stack:
        detail_file = stack.enter_context(open_output(details, "--details")) if details else None
        seen, broken, interrupted = _observe_all(systems, recordings, heard, detail_file)
    cards: list[Scorecard] = []
    rows_of = {**{name: seen[name] for name in systems}, **others}
    for name, rows in rows_of.items():
        try:
            speculates = name in own or any(row.speculations for row in rows)
            cards.append(scorecard(name, rows, speculates=speculates))
        except ValueError as error:
            fail(str(error))
    if cards:
        _report(cards, report, loaded, broken)
        if plot is not None:
            from .endpoints_plot import draw

            draw(plot, cards, rows_of, own)
    if interrupted or broken or not cards:
        raise typer.Exit(exit_code() if interrupted else 1)


def _observe_all(
    systems: "Mapping[str, System]", recordings: "Sequence[Recording]", channel: "Channel", detail_file: TextIO | None
) -> "tuple[dict[str, list[Observation]], int, bool]":
    """Return what each system decided on the recordings, how many could not be read, and whether Ctrl-C came.

    All systems hear a recording before the next one, so that Ctrl-C leaves them with the same.
    """
    from rich.console import Console
    from rich.progress import track

    from ..evaluation.endpoints import observe, read_recording

    shown = recordings
    if sys.stderr.isatty():
        shown = track(recordings, "listening", console=Console(stderr=True), transient=True)  # type: ignore[assignment]
    seen: dict[str, list[Observation]] = {name: [] for name in systems}
    broken = 0
    try:
        for recording in shown:
            with whole_steps():
                path = str(recording.path)
                try:
                    samples = read_recording(recording, channel)
                    rows = {name: observe(one, path, recording.end, samples) for name, one in systems.items()}
                except Exception as error:  # noqa: BLE001 (what goes wrong with one leaves the others as they are)
                    broken += 1
                    fail(told(path, error))
                    continue
                for name, row in rows.items():
                    seen[name].append(row)
                    if detail_file:
                        ascii_only = not row.name.isprintable()
                        detail_file.write(json.dumps({"system": name, **row.to_dict()}, ensure_ascii=ascii_only) + "\n")
    except KeyboardInterrupt:
        return seen, broken, True
    return seen, broken, False


def _report(cards: "Sequence[Scorecard]", report: Report, model: "Transducer", broken: int) -> None:
    if report is Report.json:
        print(json.dumps({"model": model.info.name, "broken": broken, "systems": [card.to_dict() for card in cards]}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"End of speech, {model.info.name}", title_justify="left")
    table.add_column("ms after the end", no_wrap=True)
    for card in cards:
        table.add_column(card.system, justify="right", no_wrap=True)
    for rows in zip(*map(_column, cards), strict=True):
        table.add_row(rows[0][0], *[figure for _, figure in rows])
    Console().print(table)
    print("In brackets: 95 % intervals; those of the latencies are in --format json.")


def _column(card: "Scorecard") -> list[tuple[str, str]]:
    """Return label and figure of every row."""
    guesses = card.speculation
    rows = [
        ("recordings", str(card.recordings)),
        ("  without words", str(card.unheard)),
        ("  never ended", str(card.never_ended)),
        ("final: median", _milliseconds(card.final_latency.p50)),
        ("  90th percentile", _milliseconds(card.final_latency.p90)),
        ("  early cut-offs", _percent(card.early_cut_offs)),
        ("  finals each", f"{card.endings:.2f}"),
    ]
    if guesses is None:
        figures = ["-"] * 6
    else:
        figures = [
            _milliseconds(guesses.latency.p50),
            _milliseconds(guesses.latency.p90),
            _milliseconds(guesses.lead.p50),
            _percent(guesses.right),
            f"{guesses.resets:.3f}",
            f"{1000 * guesses.thrown_away:.0f}",
        ]
    labels = (
        "speculative: median", "  90th percentile", "  median lead", "  right", "  resets each",
        "  work thrown away",
    )  # fmt: skip
    return rows + list(zip(labels, figures, strict=True))


def _milliseconds(estimate: "Estimate") -> str:
    return f"{1000 * estimate.value:.0f}"


def _percent(estimate: "Estimate") -> str:
    if math.isnan(estimate.value):
        return "-"
    return f"{100 * estimate.value:.1f} %\n({100 * estimate.low:.1f}-{100 * estimate.high:.1f})"
