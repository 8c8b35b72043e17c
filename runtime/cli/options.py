"""Options that several commands share."""

import errno
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, TextIO

import typer


class Format(str, Enum):
    """What a transcript is printed as; the writers are in ``runtime.formats``."""

    text = "text"
    json = "json"
    srt = "srt"
    vtt = "vtt"
    ctm = "ctm"


class Report(str, Enum):
    """What figures are printed as."""

    text = "text"
    json = "json"


class Precision(str, Enum):
    """Which of a model's graphs run; see ``models.graphs.find_graphs``."""

    auto = "auto"
    int8 = "int8"
    fp16 = "fp16"
    float = "float"


def complete_model(incomplete: str) -> list[str]:
    """Return the names of installed models that begin so."""
    from ...models import list_models

    return [model.name for model in list_models() if model.name.startswith(incomplete)]


Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME-OR-FOLDER",
        help="A model by name (see: nearword models), its folder, or one of several encoders in it.",
        autocompletion=complete_model,
    ),
]
Threads = Annotated[int, typer.Option(min=1, max=64, help="Threads for the encoder; one is enough for one stream.")]
Graphs = Annotated[Precision, typer.Option("--precision", help="Graphs to use, if the model has several.")]
LookAhead = Annotated[
    float | None,
    typer.Option(
        "--look-ahead",
        metavar="SECONDS",
        help="How far ahead of its words the model hears, if it lets one choose. Less: words show sooner, more errors.",
        show_default="the model's own",
    ),
]

KeepCase = Annotated[bool, typer.Option("--keep-case", help="Leave letters as the model's tokens have them.")]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Folder that paths are relative to; by default the manifest's, or the one above it.",
        show_default=False,
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Take only the first recordings.", show_default=False)
]


@contextmanager
def open_output(path: Path, option: str) -> Iterator[TextIO]:
    """Open a file to write; one that cannot be written is wrong usage of ``option``.

    Raises:
        OSError: there is no room for the file any more; names it.
    """
    try:
        file = path.open("w", encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise typer.BadParameter(f"{path}: cannot be written ({error.strerror})", param_hint=option) from error
    try:
        with file:
            yield file
    except OSError as error:
        if error.errno == errno.ENOSPC and error.filename is None:
            error.filename = str(path)
        raise


def spare(inputs: Iterable[Path], output: Path | None, option: str) -> None:
    """Refuse to write over what is read."""
    if output is not None and output.exists() and any(_same(path, output) for path in inputs):
        raise typer.BadParameter(f"{output} is read as well; it would be lost", param_hint=option)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # not there, or a name that no file can have
        return False


def told(name: object, error: Exception) -> str:
    """Return what is said of one of several things that went wrong."""
    from ...models.errors import NearwordError

    if isinstance(error, NearwordError):
        return str(error)
    what = " ".join(str(error).split())[:200]
    return f"{name}: cannot be recognised ({type(error).__name__}: {what}); please report this"


def fail(message: str) -> None:
    """Say on standard error what went wrong with one of several things; the rest goes on."""
    print(f"nearword: {message}", file=sys.stderr)


@contextmanager
def download_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Give what is to be told of progress: a bar for each file, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def told(file: str, done: int, total: int) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file, total=total)
            progress.update(tasks[file], completed=done)

        yield told
