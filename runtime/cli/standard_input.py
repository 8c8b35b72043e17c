"""Raw audio on standard input: what is none is told, rather than heard as noise."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator

import typer

NAME = "standard input"
FILES = {b"RIFF": "a WAV file", b"fLaC": "a FLAC file", b"OggS": "an Ogg file", b"ID3": "an MP3 file"}
"""What files begin with."""
ADVICE = "pipe raw samples, as in: ffmpeg -i FILE -f s16le -ar 16000 -ac 1 - | nearword {command} -"


def require_pipe(command: str) -> None:
    """Refuse a standard input in which no audio can come."""
    if sys.stdin is None or sys.stdin.isatty():
        raise typer.BadParameter(f"{NAME} is no audio; {ADVICE.format(command=command)}", param_hint="FILE")


def check_beginning(data: bytes, command: str) -> None:
    """Look at the first bytes that came; none if it has ended.

    Raises:
        AudioError: there are none, or they are those of an audio file.
    """
    from ...models import AudioError

    what = next((f"this is {name}; name it, or" for magic, name in FILES.items() if data.startswith(magic)), None)
    if what is not None or not data:
        raise AudioError(NAME, f"{what or 'no audio came;'} {ADVICE.format(command=command)}")


async def checked(pieces: AsyncIterator[bytes], command: str) -> AsyncGenerator[bytes, None]:
    """Yield the pieces; raises as ``check_beginning``."""
    first = await anext(pieces, b"")
    check_beginning(first, command)
    yield first
    async for piece in pieces:
        yield piece
