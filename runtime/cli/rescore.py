"""``nearword rescore``: a language model on a lattice in a file, here or by a service; and what would be sent."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Model, Report

if TYPE_CHECKING:
    from ...lattice import Lattice
    from ...lattice.rescoring import ScoredPath
    from ...lattice.rescoring.settings import RescoringSettings

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword rescore command.nwl --lm commands.bin\n\n"
    "nearword rescore command.nwl --url https://rescore.example --token-file token\n\n"
    "nearword rescore command.nwl --show --private contact=contacts.txt"
)


def rescore(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="LATTICE", help="A lattice: .nwl, .json, .slf or AT&T text.", exists=True, dir_okay=False,
            show_default=False,
        ),
    ],
    lm: Annotated[
        Path | None,
        typer.Option(
            help="A language model in a file; nothing is sent.", exists=True, dir_okay=False, show_default=False
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(envvar="NEARWORD_RESCORE_URL", help="Address of a service.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print all that would be sent, and send nothing.")] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the bearer token; else NEARWORD_RESCORE_TOKEN.", show_default=False)
    ] = None,
    private: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=FILE", help="Words that placeholders are sent for, a phrase a line.", show_default=False
        ),
    ] = None,
    locale: Annotated[str | None, typer.Option(help="Language tag to send.", show_default=False)] = None,
    deadline: Annotated[float, typer.Option(min=0.01, help="Seconds to wait for an answer.")] = 2.0,
    max_bytes: Annotated[int, typer.Option(min=1, help="Send at most this much of the lattice.")] = 1500,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates to trust instead of the system's.", show_default=False)
    ] = None,
    weight: Annotated[float, typer.Option(min=0, help="With --lm: its share beside the acoustic score.")] = 0.5,
    word_bonus: Annotated[float, typer.Option(help="With --lm: added for every word (natural logarithm).")] = 0.5,
    token_bonus: Annotated[float, typer.Option(help="With --lm: added to its score for every token.")] = 3.0,
    model: Model = "assistant-en",
    count: Annotated[int, typer.Option("--n-best", "-n", min=1, max=100, help="With --lm: how many alternatives.")] = 5,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:  # fmt: skip
    """Find the best words of a lattice with a language model: one in a file, or a service's.

    With --show, prints what would leave this machine, and how much it is.
    """
    from ...lattice import read_lattice
    from ...lattice.rescoring.masking import Masking
    from ...lattice.rescoring.settings import RescoringSettings

    if (lm is not None and show) or (lm is None and url is None and not show):
        raise typer.BadParameter("name one of --lm, --url and --show")
    lattice = read_lattice(file)
    if lm is not None:
        _print_paths(_local(lattice, lm, model, (weight, word_bonus, token_bonus), count), lm.name, report)
        return
    try:
        settings = RescoringSettings(
            url or "https://rescore.invalid", token_file=token_file, deadline=deadline, connect_timeout=deadline,
            max_bytes=max_bytes, locale=locale, private=Masking(_classes(private or [])), ca_file=ca_file,
        )  # fmt: skip
        token = settings.token()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if show:
        _show(lattice, settings, token is not None)
    else:
        _ask(lattice, settings, report)


def _classes(options: list[str]) -> dict[str, list[str]]:
    classes: dict[str, list[str]] = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{option!r}: expected CLASS=FILE", param_hint="--private")
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{path}: cannot be read as text ({error})", param_hint="--private") from error
        classes.setdefault(name, []).extend(lines)
    return classes


def _local(
    lattice: "Lattice", lm: Path, model: str, weights: tuple[float, float, float], count: int
) -> "list[ScoredPath]":
    from ...lattice.language import load_ngram
    from ...lattice.service.language_models import NgramLanguageModel, Weights

    loaded, encode = load_ngram(lm), None
    if loaded.unit == "pieces":
        from ...models import resolve
        from ...models.model_path import open_model
        from ...models.tokens import Vocabulary
        from ..recognition.word_pieces import piece_encoder

        folder = open_model(resolve(model))
        vocabulary = Vocabulary.load(folder)
        loaded, encode = loaded.aligned(vocabulary.tokens), piece_encoder(vocabulary, folder)
    share, word_bonus, token_bonus = weights
    added = Weights(share, word_bonus=word_bonus, token_bonus=token_bonus)
    return NgramLanguageModel(loaded, encode, weights=added).best_paths(lattice, count)


def _print_paths(paths: "list[ScoredPath]", name: str, report: Report, milliseconds: float | None = None) -> None:
    if report is Report.json:
        rows = [{"text": " ".join(p.words), "language": p.language, "total": p.total} for p in paths]
        print(json.dumps({"model": name, "milliseconds": milliseconds, "paths": rows}))
        return
    for path in paths:
        print(f"{path.total:9.2f}  {path.language:9.2f}  {' '.join(path.words)}")


def _show(lattice: "Lattice", settings: "RescoringSettings", token: bool) -> None:
    import gzip

    from ...lattice.rescoring.contract import Form, read_request

    request, masked = settings.request(0, 0, lattice)
    body = request.to_json(settings.form).encode()
    packed = gzip.compress(body, 6, mtime=0)
    # as it arrives: the compact form rounds
    sent = json.loads(read_request(body).to_json(Form.json))
    print(json.dumps(sent, indent=2, ensure_ascii=False))
    seconds = float(lattice.end.max() - lattice.start.min()) if lattice.num_arcs else 0.0
    audio = f"; {seconds:.1f} s of audio are {seconds * 32_000:.0f} bytes" if seconds else ""
    print(
        f"nearword: {lattice.num_arcs} arcs, {masked.lattice.num_arcs} of them sent, in {min(len(body), len(packed))} "
        f"bytes (the lattice in its compact form){audio}\n"
        f"nearword: with it go {'the bearer token' if token else 'no token'} and the headers that HTTP needs "
        "(User-Agent: nearword); nothing else",
        file=sys.stderr,
    )


def _ask(lattice: "Lattice", settings: "RescoringSettings", report: Report) -> None:
    import asyncio

    from ...lattice.rescoring.client import Rescorer
    from ...lattice.rescoring.result import Rescored

    async def ask() -> Rescored:
        async with Rescorer(settings) as rescorer:
            return await rescorer.rescore(0, 0, lattice)

    try:
        found = asyncio.run(ask())
    except (ValueError, ImportError) as error:
        raise typer.BadParameter(str(error)) from error
    if not found.rescored:
        detail = f" ({found.detail})" if found.detail else ""
        print(f"nearword: not rescored: {found.reason.value}{detail}, {found.milliseconds:.0f} ms", file=sys.stderr)
        raise typer.Exit(1)
    _print_paths(list(found.paths), found.model or "", report, found.milliseconds)
