"""Options of commands that may ask a service for better words; off unless its address is given."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ...lattice.rescoring import RescoringSettings
    from ..recognition.session import Session
    from ..streaming.rescoring import Private

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
SendContacts = Annotated[
    bool,
    typer.Option(
        "--rescore-contacts",
        help="Send the words of contacts and of plain phrase lists as they are; else placeholders stand for them.",
    ),
]


def private_words(session: "Session", send_contacts: bool) -> "Private":
    """Return what says which words do not leave the device: those of contacts, unless somebody chose to send them."""
    from ...lattice.rescoring import Masking

    return Masking if send_contacts else session.private


def rescoring_settings(url: str, token_file: Path | None, deadline: float) -> "RescoringSettings":
    """Return settings for a service; an address that will not do is wrong usage."""
    from ...lattice.rescoring import RescoringSettings

    try:
        return RescoringSettings(url, token_file=token_file, deadline=deadline)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rescore") from error
