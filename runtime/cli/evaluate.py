"""``nearword evaluate``: word error rate, speed and memory on a manifest."""

import json
import math
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .audio_options import OneChannel, choose_one_channel
from .commands import GRAMMAR_HELP, GrammarFile, UnderstandModel, request_model, understanding_of
from .interrupt import exit_code, whole_steps
from .options import (
    Format,
    Graphs,
    Limit,
    LookAhead,
    Model,
    Precision,
    Report,
    Root,
    Threads,
    fail,
    open_output,
    spare,
    told,
)
from .searching import (
    DEFAULT_BEAM,
    Attention,
    Beam,
    Bias,
    Effort,
    EffortOption,
    LanguageModel,
    LanguageWeight,
    Phones,
    Sentences,
    Strength,
    loaded_model,
    search_options,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...lattice.understanding import UnderstandingModel
    from ..evaluation.commands import CommandScore, Labels
    from ..evaluation.word_errors import Entry, Result, Score
    from ..recognition.events import Command
    from ..recognition.transcriber import Transcriber

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword evaluate dev/test.tsv\n\n"
    "nearword evaluate orders.jsonl --text-key transcript --format json\n\n"
    "nearword evaluate test.tsv --model zipformer-en-66m --details errors.jsonl\n\n"
    "nearword evaluate orders.jsonl --grammar orders.json\n\n"
    f"{GRAMMAR_HELP}"
)


@dataclass(frozen=True)
class _Run:
    """What the figures are of."""

    model: str
    load_seconds: float
    broken: int
    """Utterances whose audio could not be used."""
    commands: "CommandScore | None"
    """What was understood; None without a grammar."""


def evaluate(
    manifest: Annotated[
        Path,
        typer.Argument(help="TSV with header, or JSON lines; 'path' and 'text' per utterance.", show_default=False),
    ],
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
    model: Model = "assistant-en",
    text_key: Annotated[str, typer.Option(help="Column that holds the reference.")] = "text",
    root: Root = None,
    limit: Limit = None,
    details: Annotated[
        Path | None,
        typer.Option(help="Write reference and hypothesis of each utterance here, as JSON lines.", show_default=False),
    ] = None,
    beam: Beam = DEFAULT_BEAM,
    bias: Bias = None,
    bias_strength: Strength = None,
    grammar: GrammarFile = None,
    understand: UnderstandModel = None,
    lm: LanguageModel = None,
    lm_weight: LanguageWeight = None,
    phones: Phones = True,
    sentences: Sentences = True,
    attention: Attention = False,
    effort: EffortOption = Effort.full,
    channel: OneChannel = "mix",
    precision: Graphs = Precision.auto,
    look_ahead: LookAhead = None,
    threads: Threads = 1,
) -> None:
    """Measure the word error rate on recordings with known words.

    Words are compared in lower case without punctuation (apostrophes stay).

    The interval is a 95 % bootstrap over utterances. Speed leaves the loading of the model out.

    With --grammar or --understand, also how many commands are understood: columns 'intent' and 'slots' (a JSON object,
    in a TSV too) say what is asked for. A command counts if all of it is right; an empty intent says that nothing is
    asked for.

    Audio that cannot be read is reported and left out; the exit code is 1 then. Ctrl-C and SIGTERM give the
    figures so far.
    """
    from ...models import stream_audio
    from ..evaluation.word_errors import read_manifest, recognise_all, score
    from ..recognition.transcriber import Transcriber

    spare([manifest], details, "--details")
    heard = choose_one_channel(channel)
    entries = read_manifest(manifest, text_key=text_key, root=root)[:limit]
    labels = _labels(entries, wanted=(grammar or understand) is not None)
    with ExitStack() as stack:
        detail_file = stack.enter_context(open_output(details, "--details")) if details else None
        started = time.perf_counter()
        loaded = loaded_model(model, precision, threads=threads, look_ahead=look_ahead)
        load_seconds = time.perf_counter() - started
        search = search_options(
            loaded, beam, bias, bias_strength, lm, lm_weight, phones=phones, sentences=sentences, attention=attention,
            effort=effort,
        )  # fmt: skip
        understanding = understanding_of(loaded, grammar, Format.text)
        requests = request_model(understand, Format.text)
        broken: list[str] = []
        commands: dict[Path, Command] = {}

        def recognise(path: Path) -> tuple[str, float]:
            with whole_steps():
                transcriber = Transcriber(loaded, search, grammar=understanding)
                for block in stream_audio(path, channel=heard):
                    transcriber.accept(block)
                transcript = transcriber.finish()
                command = _asked(transcriber, requests)
                if command is not None:
                    commands[path] = command
            return transcript.text, transcript.seconds

        def failed(entry: "Entry", error: Exception) -> None:
            broken.append(str(entry.path))
            fail(told(entry.path, error))

        results: list[Result] = []
        interrupted = False
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            for result in recognise_all(_followed(entries), recognise, failed):
                results.append(result)
                if detail_file:
                    detail_file.write(_detail(result, commands.get(result.entry.path)))
        except KeyboardInterrupt:
            interrupted = True
        figures = score(results, time.process_time() - cpu, time.perf_counter() - wall)
        run = _Run(loaded.info.name, load_seconds, len(broken), _score_commands(results, labels, commands))
        if report is Report.json:
            print(json.dumps(_as_json(figures, run)))
        else:
            _print(figures, run)
    if interrupted or broken:
        raise typer.Exit(exit_code() if interrupted else 1)


def _asked(transcriber: "Transcriber", requests: "UnderstandingModel | None") -> "Command | None":
    """Return what a recording asks for: by a grammar, or else by a model; None without either."""
    from ..evaluation.commands import command_of

    command = transcriber.command
    if requests is None or (command is not None and command.accepted):
        return command
    return command_of(requests.understand_lattice(transcriber.lattice()))


def _labels(entries: "list[Entry]", *, wanted: bool) -> "dict[Path, Labels | None]":
    """Return what recordings are said to ask for; nothing where nobody wants to know."""
    from ..evaluation.commands import labels_of

    return {entry.path: labels_of(entry) for entry in entries} if wanted else {}


def _followed(entries: "list[Entry]") -> "Iterable[Entry]":
    """Return the entries, with a bar on a terminal that follows them."""
    if not sys.stderr.isatty():
        return entries
    from rich.console import Console
    from rich.progress import track

    return track(entries, "evaluating", console=Console(stderr=True), transient=True)


def _score_commands(
    results: "list[Result]", labels: "dict[Path, Labels | None]", commands: "dict[Path, Command]"
) -> "CommandScore | None":
    """Return what became of the commands; None without a grammar, where nothing is labelled."""
    from ..evaluation.commands import score_commands

    heard = [result.entry.path for result in results]
    return score_commands([labels[path] for path in heard], [commands[path] for path in heard]) if labels else None


def _detail(result: "Result", command: "Command | None") -> str:
    row: dict[str, object] = {
        "path": str(result.entry.path),
        "seconds": round(result.seconds, 3),
        "text": result.entry.text,
        "reference": result.reference,
        "hypothesis": result.hypothesis,
    }
    if command is not None:
        row["command"] = asdict(command)
    return json.dumps(row, ensure_ascii=not str(result.entry.path).isprintable()) + "\n"


def _as_json(figures: "Score", run: _Run) -> dict[str, object]:
    def rate(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    return {
        "model": run.model,
        "utterances": figures.utterances,
        "broken": run.broken,
        "words": figures.words,
        "wer": rate(figures.error_rate),
        "wer_low": rate(figures.low),
        "wer_high": rate(figures.high),
        "substitutions": figures.substitutions,
        "deletions": figures.deletions,
        "insertions": figures.insertions,
        "audio_seconds": round(figures.audio_seconds, 2),
        "cpu_seconds": round(figures.cpu_seconds, 3),
        "wall_seconds": round(figures.wall_seconds, 3),
        "real_time_factor": round(figures.real_time_factor, 5),
        "wall_real_time_factor": round(figures.wall_real_time_factor, 5),
        "load_seconds": round(run.load_seconds, 3),
        "peak_memory_bytes": figures.peak_memory,
    } | ({} if run.commands is None else {"commands": _commands_as_json(run.commands, rate)})


def _commands_as_json(score: "CommandScore", rate: "Callable[[float], float | None]") -> dict[str, object]:
    share = score.share
    shares = {"understood_share": rate(share.value), "low": rate(share.low), "high": rate(share.high)}
    return asdict(score) | shares


def _command_rows(score: "CommandScore") -> "Iterator[tuple[str, str]]":
    if score.commands:
        share = score.share
        missed = score.commands - score.understood - score.mistaken
        of = f"of {score.commands}; {score.mistaken} mistaken, {missed} rejected"
        between = f"(95 %: {100 * share.low:.1f} to {100 * share.high:.1f})"
        yield "commands understood", f"{100 * share.value:.1f} %  {between} {of}"
    if score.others:
        yield "no commands", f"{score.others_accepted} of {score.others} taken for one"
    if score.unlabelled:
        yield "not labelled", f"{score.unlabelled_accepted} of {score.unlabelled} taken for a command"


def _print(figures: "Score", run: _Run) -> None:
    from rich.console import Console
    from rich.table import Table

    rate = f"{100 * figures.error_rate:.1f} %  (95 %: {100 * figures.low:.1f} to {100 * figures.high:.1f})"
    wrong = f"{figures.substitutions} substituted, {figures.deletions} deleted, {figures.insertions} inserted"
    speed = f"{figures.real_time_factor:.4f} CPU seconds, {figures.wall_real_time_factor:.4f} s by the clock"
    rows = [
        ("model", run.model),
        ("utterances", f"{figures.utterances}" + (f" ({run.broken} more could not be read)" if run.broken else "")),
        ("word error rate", rate if figures.words else "none: no reference words"),
        ("errors", f"{wrong}, of {figures.words} words"),
        *(_command_rows(run.commands) if run.commands else ()),
        ("speed", f"{speed} per second of audio ({figures.audio_seconds:.0f} s)"),
        ("model load", f"{run.load_seconds:.2f} s"),
        ("peak memory", f"{figures.peak_memory / 1e6:.0f} MB"),
    ]
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
