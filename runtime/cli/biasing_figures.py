"""``nearword biasing report`` and ``tune``: what phrase lists do to recognition, and how strong they should be."""

import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Model, Report, Root, fail, open_output
from .searching import DEFAULT_BEAM, Beam, Strength

if TYPE_CHECKING:
    from ...biasing import Biasing
    from ...models import Transducer
    from ..evaluation.biasing import BiasFigures, EncodedUtterance, PhraseFinder
    from ..evaluation.word_errors import Entry

REPORT_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword biasing report calls.tsv --bias contacts.vcf\n\n"
    "nearword biasing report calls.tsv --bias contacts.txt --bias templates.json --sizes 10,100,1000"
)
TUNE_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword biasing tune calls.tsv --bias contacts.txt --output strengths.json\n\n"
    "nearword transcribe call.wav --bias contacts.txt --bias strengths.json"
)
Manifest = Annotated[
    Path,
    typer.Argument(help="TSV with header, or JSON lines; 'path' and 'text' per utterance.", show_default=False),
]
Bias = Annotated[
    list[Path],
    typer.Option("--bias", metavar="FILE", help="Boost the phrases of this file. Repeatable.", show_default=False),
]
TextKey = Annotated[str, typer.Option(help="Column that holds the reference.")]


def report(
    manifest: Manifest,
    bias: Bias,
    bias_strength: Strength = None,
    sizes: Annotated[
        str,
        typer.Option(
            help="Also lists of these sizes, e.g. 10,100,1000: phrases that are said first, then others at random.",
            show_default=False,
        ),
    ] = "",
    beam: Beam = DEFAULT_BEAM,
    model: Model = "assistant-en",
    text_key: TextKey = "text",
    root: Root = None,
    output_format: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Measure what phrase lists do: errors on their words and on all others, false accepts, cost.

    Biased words are those of listed phrases where the reference has them; a phrase that is heard where none is
    counts against them. False accepts are utterances without any of the phrases in which one is heard.
    """
    wanted = _parse_sizes(sizes)
    bench = _open(manifest, bias, bias_strength, model, text_key, root, beam)
    rows: list[dict[str, object]] = []
    with _progress("searching", 2 + len(wanted)) as done:
        rows.append(_row("no list", bench.figures(None), None))
        done()
        for size in wanted:
            if size < len(bench.biasing):
                part = bench.part(size, bias, bias_strength)
                rows.append(_row(f"{size} of them", bench.figures(part), part))
            done()
        rows.append(_row("whole list", bench.figures(bench.biasing), bench.biasing))
    rows[-1]["build_seconds"] = round(bench.build_seconds, 3)
    if output_format is Report.json:
        print(json.dumps({"model": bench.model.info.name, "utterances": len(bench.utterances), "rows": rows}))
    else:
        _print(rows, bench)
    if bench.broken:
        raise typer.Exit(1)


def tune(
    manifest: Manifest,
    bias: Bias,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the settings here, to be given to --bias.", show_default=False),
    ] = None,
    damage: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Relative rise of errors on all other words that is allowed.")
    ] = 0.01,
    false_accepts: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of utterances without a phrase in which one may be heard.")
    ] = 0.01,
    beam: Beam = DEFAULT_BEAM,
    model: Model = "assistant-en",
    text_key: TextKey = "text",
    root: Root = None,
) -> None:
    """Fit the strength of each class of phrases, within a bound on the harm to all other speech.

    The manifest should hold speech with the phrases and, for the bound to mean something, much without.
    """
    from ..evaluation.bias_tuning import Bound, trials
    from ..evaluation.bias_tuning import tune as fit

    bench = _open(manifest, bias, None, model, text_key, root, beam)
    plain = bench.figures(None)
    classes = {phrase.cls for phrase in bench.biasing.phrases}
    gated = bench.biasing.templated & classes
    with _progress("tuning", trials(len(classes), len(gated))) as tried:
        fitted, best = fit(
            bench.biasing, gated, plain, lambda: bench.figures(bench.biasing), Bound(damage, false_accepts), tried
        )
    settings = {"classes": {cls: {"strength": one.strength, "outside": one.outside} for cls, one in fitted.items()}}
    text = json.dumps(settings, indent=1)
    if output is None:
        print(text)
    else:
        with open_output(output, "--output") as file:
            file.write(text + "\n")
    for name, figures in (("no list", plain), ("tuned", best)):
        print(
            f"{name}: {_percent(figures.biased_rate)} errors on words of phrases, {_percent(figures.other_rate)} on "
            f"others, {figures.false_accepts} false accepts in {figures.plain_utterances} utterances without a phrase",
            file=sys.stderr,
        )
    if bench.broken:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Bench:
    """A manifest that is encoded once, and lists to be looked at."""

    model: "Transducer"
    utterances: "list[EncodedUtterance]"
    biasing: "Biasing"
    build_seconds: float
    """Processor time to read and tokenise the lists and to build their graph."""
    finder: "PhraseFinder"
    beam: int
    broken: bool
    """Whether some audio could not be read."""

    def figures(self, biasing: "Biasing | None") -> "BiasFigures":
        from ..evaluation.biasing import measure
        from ..search import BeamSettings

        return measure(self.model, self.utterances, self.finder, biasing, BeamSettings(max_active=self.beam))

    def part(self, size: int, files: list[Path], strength: float | None) -> "Biasing":
        """Return a list of so many phrases: those that are said, then others."""
        from ..recognition.biasing import load_biasing

        part, _ = load_biasing(self.model, files, strength=strength)
        references = {heard.reference for heard in self.utterances}
        said = {
            " ".join(words[begin:end])
            for reference in references
            if (words := reference.split())
            for begin, end in self.finder.find(words)
        }
        phrases = part.phrases
        random.Random(0).shuffle(phrases)  # noqa: S311 (not for secrets)
        phrases.sort(key=lambda phrase: phrase.text.lower() not in said)
        for phrase in phrases[size:]:
            part.remove(phrase.text, phrase.cls)
        return part


def _open(
    manifest: Path, bias: list[Path], strength: float | None, name: str, text_key: str, root: Path | None, beam: int
) -> _Bench:
    from ...models import Transducer, resolve
    from ..evaluation.biasing import encode_all, finder_for
    from ..evaluation.word_errors import read_manifest
    from ..recognition.biasing import load_biasing

    entries = read_manifest(manifest, text_key=text_key, root=root)
    model = Transducer.load(resolve(name))
    started = time.process_time()
    biasing, refused = load_biasing(model, bias, strength=strength)
    biasing.snapshot()
    build_seconds = time.process_time() - started
    for one in refused:
        fail(str(one))
    if not len(biasing):
        raise typer.BadParameter("no phrase can be used", param_hint="--bias")
    broken: list[Exception] = []

    def failed(error: Exception) -> None:
        broken.append(error)
        fail(str(error))

    with _progress("encoding", len(entries)) as done:
        utterances = encode_all(model, _told(entries, done), failed)
    finder = finder_for(model, biasing.phrases)
    return _Bench(model, utterances, biasing, build_seconds, finder, beam, bool(broken))


def _parse_sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        sizes = [0]
    if any(size < 1 for size in sizes):
        raise typer.BadParameter(f"{text!r}: expected numbers such as 10,100,1000", param_hint="--sizes")
    return sizes


def _row(name: str, figures: "BiasFigures", biasing: "Biasing | None") -> dict[str, object]:
    def rate(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    seconds = max(1e-9, figures.audio_seconds)
    return {
        "list": name,
        "phrases": figures.phrases,
        "biased_words": figures.biased_words,
        "biased_error_rate": rate(figures.biased_rate),
        "other_words": figures.other_words,
        "other_error_rate": rate(figures.other_rate),
        "said": figures.said,
        "found": figures.found,
        "plain_utterances": figures.plain_utterances,
        "false_accepts": figures.false_accepts,
        "cpu_per_second": round(figures.cpu_seconds / seconds, 5),
        "search_cpu_per_second": round(figures.search_seconds / seconds, 5),
        "bytes_per_phrase": round(biasing.nbytes / max(1, len(biasing))) if biasing is not None else 0,
    }


def _print(rows: list[dict[str, object]], bench: _Bench) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("list", "phrases", "errors: phrases", "others", "phrases found", "false accepts", "CPU s per s"):
        table.add_column(name, justify="left" if name == "list" else "right")
    for row in rows:
        biased, other = row["biased_error_rate"], row["other_error_rate"]
        table.add_row(
            str(row["list"]),
            str(row["phrases"]),
            _percent(biased) if isinstance(biased, float) else "-",
            _percent(other) if isinstance(other, float) else "-",
            f"{row['found']} of {row['said']}",
            f"{row['false_accepts']} in {row['plain_utterances']}",
            f"{row['cpu_per_second']:.4f}",
        )
    Console().print(table)
    print(
        f"{len(bench.utterances)} utterances; the whole list took {bench.build_seconds:.2f} s to build "
        f"and {rows[-1]['bytes_per_phrase']} bytes a phrase"
    )


def _percent(rate: float) -> str:
    return "-" if math.isnan(rate) else f"{100 * rate:.1f} %"


def _told(items: "Iterable[Entry]", done: Callable[[], None]) -> "Iterator[Entry]":
    for item in items:
        yield item
        done()


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal; what is given is called after each step."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)
