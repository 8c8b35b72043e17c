"""Options of commands that may ask a service for better words; off unless its address is given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...lattice.rescoring import RescoringSettings

RescoreUrl = Annotated[
    str | None,
    typer.Option(
        "--rescore",
        metavar="URL",
        help="Send word lattices (never audio) to this service for better words. Without: nothing is sent.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--rescore-token-file", help="File with its bearer token; else NEARWORD_RESCORE_TOKEN.", show_default=False
    ),
]


def rescoring_settings(url: str, token_file: Path | None, deadline: float) -> "RescoringSettings":
    """Return settings for a service; an address that will not do is wrong usage."""
    from ...lattice.rescoring import RescoringSettings

    try:
        return RescoringSettings(url, token_file=token_file, deadline=deadline)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rescore") from error
