"""The application: commands, what they share, and how errors end."""

import codecs
import errno
import os
import signal
import sys
from importlib import metadata
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from .interrupt import exit_code, install, was_stopped
from .lazy_commands import MARKUP, LazyGroup

app = typer.Typer(
    name="nearword",
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
    pretty_exceptions_enable=False,
    help="Speech recognition that runs on your device, as you speak. Audio never leaves it.",
    epilog="Start with [bold]nearword demo[/bold], then [bold]nearword transcribe FILE[/bold].\n\n"
    "Every command explains itself, with examples: [bold]nearword transcribe --help[/bold].",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"nearword {metadata.version('nearword')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; errors end in one line on standard error and exit code 1, wrong usage in 2."""
    _prepare_streams()
    install()
    try:
        try:
            app()
        except SystemExit as end:
            if end.code == 128 + signal.SIGINT:  # of whatever signal: typer knows only one
                sys.exit(exit_code())
            raise
        finally:
            sys.stdout.flush()  # here, where a full disk or a reader that went away can still be told
    except KeyboardInterrupt:
        sys.exit(exit_code())
    except Exception as error:
        if was_stopped():
            sys.exit(exit_code())  # in the middle of an import an interruption comes out as any error
        from ...models.errors import NearwordError

        # what can go wrong outside this program is one line; anything else is a bug and shows its trace
        if not isinstance(error, (NearwordError, OSError)):
            raise
        _give_up(error)


def _prepare_streams() -> None:
    """Make file names of any bytes printable, and closed streams harmless."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (lives to the end)
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ESCAPES)


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode a character for which a stream has no place: a stray byte of a file name as it is, others as JSON does."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    character = error.object[error.start]
    if "\udc80" <= character <= "\udcff":
        return bytes([ord(character) - 0xDC00]), error.start + 1
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)), error.start + 1


ESCAPES = "nearword-escapes"
codecs.register_error(ESCAPES, _escape)


def _give_up(error: Exception) -> NoReturn:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.EPIPE, errno.ENOSPC):
        # the interpreter would try to write the rest once more at its end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if number != errno.EPIPE:
        print(f"nearword: {_told(error)}", file=sys.stderr)
    sys.exit(1)


def _told(error: Exception) -> str:
    """Return an error as one line that names the file; the system's own begin with a number instead."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    name = error.filename if error.filename is not None else "standard output" if error.errno == errno.ENOSPC else None
    return error.strerror if name is None else f"{os.fsdecode(name)}: {error.strerror}"
