"""Options that say what audio comes, and which of its channels is heard."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ...models import Channel, RawFormat

STANDARD_INPUT = Path("-")
NAME = "standard input"
RAW_PANEL = "Raw audio (samples without a header)"
CHANNEL_HELP = "Of several channels the one to hear (1 is the left), or mix"

Channels = Annotated[
    str, typer.Option("--channel", metavar="N|mix|each", help=f"{CHANNEL_HELP}, or each: a transcript per channel.")
]
OneChannel = Annotated[str, typer.Option("--channel", metavar="N|mix", help=f"{CHANNEL_HELP}.")]
RawRate = Annotated[
    float | None,
    typer.Option(
        "--rate", help="Samples per second.  \\[default: 16000]", show_default=False, rich_help_panel=RAW_PANEL
    ),
]
RawChannels = Annotated[
    int | None,
    typer.Option(
        "--channels", help="Interleaved channels.  \\[default: 1]", show_default=False, rich_help_panel=RAW_PANEL
    ),
]
SampleFormat = Annotated[
    str | None,
    typer.Option(
        "--sample-format",
        metavar="NAME",
        help="int8, uint8, int16, int24, int32, float32, float64, alaw, mulaw; big-endian: int16be. "
        "S16_LE, s16le and the like are the same.  \\[default: int16]",
        show_default=False,
        rich_help_panel=RAW_PANEL,
    ),
]


def choose_channel(text: str) -> "Channel | Literal['each']":
    """Return the channel that ``--channel`` names."""
    if text == "mix":
        return "mix"
    if text == "each":
        return "each"
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise typer.BadParameter(f"{text!r}: expected a number from 1 (the left) on, mix or each", param_hint="--channel")


def choose_one_channel(text: str) -> "Channel":
    """Return the channel that ``--channel`` names, where only one can be heard."""
    channel = choose_channel(text)
    if channel == "each":
        raise typer.BadParameter(
            "one stream is heard here; 'nearword transcribe --channel each' hears them all", param_hint="--channel"
        )
    return channel


def raw_format(rate: float | None, channels: int | None, sample_format: str | None) -> "RawFormat | None":
    """Return how raw samples are written; None if nothing is said of it."""
    if rate is None and channels is None and sample_format is None:
        return None
    from ...models import AudioError, RawFormat
    from ...models.samples import make_resampler

    try:
        make_resampler(rate or 16000)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--rate") from error
    try:
        return RawFormat(sample_format or "int16", rate or 16000, 1 if channels is None else channels)
    except AudioError as error:
        hint = "--channels" if " channels:" in str(error) else "--sample-format"
        raise typer.BadParameter(str(error).removeprefix("raw audio: "), param_hint=hint) from error


def require_pipe(command: str) -> None:
    """Refuse a standard input in which no audio can come."""
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(
            f"{NAME} is no audio; pipe a file or raw samples, as in: arecord -f S16_LE -r 16000 | nearword {command} -",
            param_hint="FILE",
        )
