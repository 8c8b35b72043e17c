"""``nearword lattice``: look at, prune, convert and draw word lattices in files."""

import json
from enum import Enum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Report, fail

if TYPE_CHECKING:
    from ...lattice import Lattice, Slot
    from ...lattice import Path as LatticePath


class FileFormat(str, Enum):
    """The forms of ``lattice.FORMATS``, which is not loaded for the sake of a help text."""

    json = "json"
    binary = "binary"
    slf = "slf"
    att = "att"
    dot = "dot"
    svg = "svg"


DRAWN_ARCS = 60
"""Arcs of a picture, unless said otherwise."""
SHOW_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword lattice show command.nwl\n\n"
    "nearword lattice show command.nwl --n-best 20 --scale 0.5\n\n"
    "nearword lattice show command.slf --format json"
)
PRUNE_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword lattice prune command.nwl small.nwl --beam 4\n\n"
    "nearword lattice prune command.json small.nwl --bytes 1000\n\n"
    "nearword lattice prune command.nwl small.slf --depth 5 --max-arcs 200"
)
CONVERT_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword lattice convert command.nwl command.json\n\n"
    "nearword lattice convert command.nwl command.slf\n\n"
    "nearword lattice convert command.nwl command.att --symbols words.txt\n\n"
    "[dim]The last is for OpenFst: fstcompile --acceptor --isymbols=words.txt command.att[/dim]"
)
ORACLE_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    'nearword lattice oracle command.nwl "turn on the kitchen lights"\n\n'
    'nearword lattice oracle command.nwl "turn on the kitchen lights" --format json'
)
DRAW_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword lattice draw command.nwl\n\n"
    "nearword lattice draw command.nwl picture.svg --beam 4\n\n"
    "nearword lattice draw command.nwl picture.dot --max-arcs 500"
)
app = typer.Typer(help="Look at, prune, convert and draw word lattices: everything that may have been said.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A lattice: .nwl, .json, .slf or AT&T text.")]
Scale = Annotated[float, typer.Option(help="What scores are multiplied by before they become probabilities.")]
Beam = Annotated[
    float | None,
    typer.Option(min=0, help="Keep what is at most this much less probable than the best (natural logarithm)."),
]
Printed = Annotated[Report, typer.Option("--format", "-f", help="What to print.")]


@app.command(epilog=SHOW_EXAMPLES)
def show(
    file: File,
    n_best: Annotated[int, typer.Option("--n-best", "-n", min=1, max=10_000, help="How many alternatives.")] = 5,
    scale: Scale = 1.0,
    report: Printed = Report.text,
) -> None:
    """Print what a lattice holds: size, words with times and confidence, alternatives, words at each place.

    Alternatives come with their probability, total, and acoustic, bias and language-model score.
    """
    from ... import lattice as lattices

    _check_scale(scale)
    lattice = lattices.read_lattice(file)
    paths = lattices.n_best(lattice, n_best, scale)
    confidences = lattices.word_confidences(lattice, paths[0].arcs, lattices.posteriors(lattice, scale)).tolist()
    try:
        network = lattices.confusion_network(lattice, scale)
    except lattices.LatticeError as error:  # hours long: the rest can be shown all the same
        fail(f"{file}: {error}")
        network = lattices.ConfusionNetwork((), float("nan"))
    if report is Report.json:
        print(
            json.dumps(
                _size(lattice) | {
                    "words": _words(paths[0], confidences),
                    "alternatives": [_alternative(path) for path in paths],
                    "slots": [_slot(slot) for slot in network.slots],
                    "expected_errors": None if isnan(network.expected_errors) else round(network.expected_errors, 4),
                },
                ensure_ascii=False,
            )
        )  # fmt: skip
        return
    _print_text(lattice, paths, confidences)
    for slot in network.slots:
        choices = "  ".join(f"{one.word or '-'} {one.posterior:.2f}" for one in slot.choices if one.posterior >= 0.01)
        print(f"{slot.start:7.2f} {slot.end:7.2f}  {choices}")
    if not isnan(network.expected_errors):
        print(f"\nfewest expected errors ({network.expected_errors:.2f}): {network.text}")


@app.command(epilog=PRUNE_EXAMPLES)
def prune(
    file: File,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="File to write; its name says the format.")],
    beam: Beam = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Keep at most so many arcs at one time.")] = None,
    max_arcs: Annotated[int | None, typer.Option(min=0, help="Keep at most so many arcs.")] = None,
    max_bytes: Annotated[
        int | None, typer.Option("--bytes", min=0, help="Keep what the binary form holds in so many bytes.")
    ] = None,
) -> None:
    """Write a smaller lattice: what is least probable goes, the best path always stays.

    With several limits all of them hold.
    """
    from ... import lattice as lattices

    if beam is None and depth is None and max_arcs is None and max_bytes is None:
        raise typer.BadParameter("say how small: --beam, --depth, --max-arcs or --bytes")
    lattice = pruned = lattices.read_lattice(file)
    if beam is not None:
        pruned = lattices.prune(pruned, beam)
    if depth is not None:
        pruned = lattices.limit_depth(pruned, depth)
    if max_arcs is not None:
        pruned = lattices.limit_arcs(pruned, max_arcs)
    if max_bytes is not None:
        pruned = lattices.to_budget(pruned, max_bytes)
    lattices.write_lattice(pruned, output)
    before, after = _size(lattice), _size(pruned)
    print(f"arcs {before['arcs']} to {after['arcs']}, bytes {before['bytes']} to {after['bytes']} (binary)")


@app.command(epilog=CONVERT_EXAMPLES)
def convert(
    file: File,
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="File to write.")],
    source: Annotated[
        FileFormat | None, typer.Option("--from", help="Format of FILE; by default what its content looks like.")
    ] = None,
    target: Annotated[
        FileFormat | None, typer.Option("--to", help="Format of OUTPUT; by default what its name says.")
    ] = None,
    symbols: Annotated[
        Path | None, typer.Option(help="Write words as numbers of a symbol table, and the table here (AT&T text).")
    ] = None,
) -> None:
    """Write a lattice in another format.

    json: exact. binary (.nwl): smallest; times to 10 ms, scores to 1/64. slf: HTK's, for SRILM and Kaldi.
    att: AT&T text for OpenFst, without times. dot, svg: pictures.
    """
    from ... import lattice as lattices
    from ...lattice.formats import att

    lattice = lattices.read_lattice(file, source.value if source else None)
    if symbols is None:
        lattices.write_lattice(lattice, output, target.value if target else None)
        return
    if target is not FileFormat.att and not output.name.endswith(lattices.FORMATS["att"].suffixes):
        raise typer.BadParameter("only AT&T text has a symbol table; use --to att", param_hint="--symbols")
    table = att.to_symbols(lattice)
    output.write_text(att.to_att(lattice, numbered=True), encoding="utf-8")
    symbols.write_text(table, encoding="utf-8")


@app.command(epilog=ORACLE_EXAMPLES)
def oracle(
    file: File,
    reference: Annotated[str, typer.Argument(metavar="TEXT", help="What was said.")],
    report: Printed = Report.text,
) -> None:
    """Print how good the lattice could be: the path with the fewest word errors against what was said.

    Words are compared as they are; write the text as the recogniser does (small letters, no punctuation).
    """
    from ... import lattice as lattices

    lattice = lattices.read_lattice(file)
    closest = lattices.oracle(lattice, reference.split())
    best = lattice.best_path()
    first = lattices.oracle(lattices.best_only(lattice), reference.split())
    if report is Report.json:
        print(
            json.dumps(
                {
                    "errors": closest.errors, "text": closest.text, "best_path_errors": first.errors,
                    "best_path": lattice.text(best), "reference_words": closest.reference_words,
                    "density": round(closest.density, 3), "depth": round(closest.depth, 3),
                },
                ensure_ascii=False,
            )
        )  # fmt: skip
        return
    of = f"of {closest.reference_words} words"
    print(f"closest path: {closest.errors} errors {of}: {closest.text}")
    print(f"best path:    {first.errors} errors {of}: {lattice.text(best)}")
    print(f"{closest.density:.1f} arcs per word said, {closest.depth:.1f} at one time")


@app.command(epilog=DRAW_EXAMPLES)
def draw(
    file: File,
    output: Annotated[
        Path | None,
        typer.Argument(
            metavar="OUTPUT", help="File to write, .svg or .dot; by default FILE with .svg.", show_default=False
        ),
    ] = None,
    beam: Beam = None,
    max_arcs: Annotated[int, typer.Option(min=1, max=1000, help="Draw at most so many arcs, the best.")] = DRAWN_ARCS,
) -> None:
    """Draw a lattice: best path bold, arcs as wide as they are probable, words and times.

    An .svg needs no other program; a .dot file is for Graphviz.
    """
    from ... import lattice as lattices

    if output is not None and not output.name.lower().endswith((".svg", ".dot", ".gv")):
        raise typer.BadParameter(f"{output}: expected a name that ends in .svg or .dot", param_hint="OUTPUT")
    lattice = drawn = lattices.read_lattice(file)
    output = output or file.with_suffix(".svg")
    if beam is not None:
        drawn = lattices.prune(drawn, beam)
    drawn = lattices.limit_arcs(drawn, max_arcs)
    lattices.write_lattice(drawn, output)
    print(f"{output}: {drawn.num_arcs} of {lattice.num_arcs} arcs")


def _check_scale(scale: float) -> None:
    if not 0 < scale < float("inf"):
        raise typer.BadParameter(f"{scale}: expected a number above 0", param_hint="--scale")


def _size(lattice: "Lattice") -> dict[str, object]:
    from ...lattice import encode
    from ...lattice.oracle import mean_depth

    seconds = float(lattice.end.max() - lattice.start.min()) if lattice.num_arcs else 0.0
    return {
        "nodes": lattice.num_nodes, "arcs": lattice.num_arcs, "seconds": round(seconds, 2),
        "depth": round(mean_depth(lattice), 2), "bytes": len(encode(lattice)),
    }  # fmt: skip


def _words(path: "LatticePath", confidences: list[float]) -> list[dict[str, object]]:
    return [
        {"word": word, "start": round(start, 3), "end": round(end, 3), "confidence": round(confidence, 4)}
        for word, start, end, confidence in zip(path.words, path.starts, path.ends, confidences, strict=True)
    ]


def _alternative(path: "LatticePath") -> dict[str, object]:
    acoustic, bias, language = path.scores
    return {
        "text": path.text, "probability": round(path.posterior, 6), "total": round(path.total, 4),
        "acoustic": round(acoustic, 4), "bias": round(bias, 4), "language": round(language, 4),
    }  # fmt: skip


def _slot(slot: "Slot") -> dict[str, object]:
    choices = [{"word": one.word, "probability": round(one.posterior, 4)} for one in slot.choices]
    return {"start": round(slot.start, 3), "end": round(slot.end, 3), "choices": choices}


def _print_text(lattice: "Lattice", paths: "list[LatticePath]", confidences: list[float]) -> None:
    size = _size(lattice)
    print(f"{size['nodes']} nodes, {size['arcs']} arcs over {size['seconds']} s; {size['depth']} arcs at one time")
    print(f"{size['bytes']} bytes in binary form\n")
    for row in _words(paths[0], confidences):
        print(f"{row['start']:7.2f} {row['end']:7.2f}  {row['confidence']:.2f}  {row['word']}")
    print("\nprobability    total  acoustic    bias  language")
    for path in paths:
        acoustic, bias, language = path.scores
        print(
            f"{path.posterior:11.4f} {path.total:8.2f}  {acoustic:8.2f} {bias:7.2f}  {language:8.2f}  "
            f"{path.text or '(no words)'}"
        )
    print()
