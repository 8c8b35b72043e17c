"""The application: commands, what they share, and how errors end."""

import signal
import sys
from importlib import metadata
from typing import Annotated

import typer

from . import demo, evaluate, models, transcribe

app = typer.Typer(
    name="nearword",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Speech recognition that runs on your device, as you speak. Audio never leaves it.\n\n"
    "Start with: [bold]nearword demo[/bold], then [bold]nearword transcribe FILE[/bold].",
)
app.command(no_args_is_help=True)(transcribe.transcribe)
app.command(no_args_is_help=True)(evaluate.evaluate)
app.command()(demo.demo)
app.add_typer(models.app, name="models")


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
    from ...models import NearwordError

    try:
        app()
    except NearwordError as error:
        print(f"nearword: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
