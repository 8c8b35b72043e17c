"""Who speaks, on the command line: the options of commands that listen, and how it is printed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Format

if TYPE_CHECKING:
    from ...models import Transducer
    from ..recognition.anchor import SpeakerFollowing
    from ..recognition.events import Speaker
    from ..recognition.speakers import Speakers

WHISPERED = 0.5
"""Probability from which on something counts as whispered where it is told in a word."""
SpeakersOption = Annotated[
    Path | None,
    typer.Option(
        "--speakers",
        metavar="FILE",
        help="Say who speaks, of those in this file (see: nearword speakers), and whether in a whisper.",
        show_default=False,
    ),
]
AnchorOption = Annotated[
    float | None,
    typer.Option(
        "--anchor",
        metavar="SECONDS",
        help="The audio begins with so many seconds of a wake word: hear only who says it, whoever else talks.",
        show_default=False,
    ),
]
WhispersOption = Annotated[bool, typer.Option("--whispers", help="Say of each utterance whether it is whispered.")]


def speakers_of(model: "Transducer", path: Path | None, form: Format, *, whispers: bool) -> "Speakers | None":
    """Return who may be speaking by ``--speakers`` and ``--whispers``; None without either.

    Raises:
        ModelFileError: the model cannot tell; names it.
        SpeakersError: the file is damaged or of another model; names it.
        OSError: the file cannot be read.
    """
    if path is None and not whispers:
        return None
    if form not in (Format.text, Format.json):
        raise typer.BadParameter(f"{form.value} has no place for speakers; take text or json", param_hint="--format")
    from ..recognition.speakers import Speakers

    return Speakers.load(model, path)


def check_anchor_option(seconds: float | None) -> None:
    """Refuse a wake word of ``--anchor`` that is too short or too long."""
    from ..recognition.anchor_span import AnchorError, check_anchor

    if seconds is not None:
        try:
            check_anchor(seconds)
        except AnchorError as error:
            raise typer.BadParameter(str(error), param_hint="--anchor") from None


def following_of(model: "Transducer", seconds: float | None) -> "SpeakerFollowing | None":
    """Return what ``--anchor`` needs; None without it.

    Raises:
        ModelFileError: the model cannot follow one speaker; names what is missing.
    """
    if seconds is None:
        return None
    from ..recognition.anchor import SpeakerFollowing

    return SpeakerFollowing(model)


def voice_label(speaker: "Speaker | None", whispered: float | None) -> str:
    """Return what stands behind a line: the name, or "?" for one who is not enrolled; nothing where nobody asked."""
    parts = [] if speaker is None else [speaker.name or "?"]
    if whispered is not None and whispered > WHISPERED:
        parts.append("whispered")
    return f"  [{', '.join(parts)}]" if parts else ""
