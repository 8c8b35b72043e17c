"""What the recipe's commands share: their folders, refused before any work, and the process they train in."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ..heap import M_ARENA_MAX, M_MMAP_MAX, M_TRIM_THRESHOLD, allocate


def speech_folder(folder: Path) -> Path:
    """Return ``folder`` if it may be one of speech, else refuse it."""
    if not any((folder / part).is_dir() for part in ("train", "dev", "text")):
        raise typer.BadParameter(f"{folder}: no train/, dev/ or text/ there; models/training/README.md has the layout")
    return folder


def writable(file: Path) -> Path:
    """Return ``file`` if there is a folder for it, else refuse it: before the work, not after."""
    if not file.parent.is_dir():
        raise typer.BadParameter(f"{file}: no folder {file.parent}; make it first")
    return file


def suit_training() -> None:
    """Set up the process for many batches of many sizes; without it they take a fifth more time."""
    # there are some hundred shapes of batches, for each of which oneDNN makes some thirty programs; it would keep 1024
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")
    # glibc gives large blocks back to the system, only to ask for them again
    allocate({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_ARENA_MAX: 1})


def made_by(command: str, file: Path, work: Path) -> Path:
    """Return ``file`` of the work folder, which an earlier command makes."""
    if not file.exists():
        made = f"no {file.relative_to(work)} there; `{command} --work {work}` makes it"
        raise typer.BadParameter(f"{work}: {made}", param_hint="--work")
    return file


def parts_of(part: str) -> tuple[int, int]:
    """Return I and N of ``I/N``, what one of N processes is to do."""
    number, _, parts = part.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise typer.BadParameter(f"{part!r}: expected I/N, such as 1/2", param_hint="--part")
    return int(number), int(parts)


Work = Annotated[Path, typer.Option(help="Folder for everything the recipe makes.")]
Speech = Annotated[
    Path,
    typer.Option(envvar="NEARWORD_SPEECH", callback=speech_folder, help="Folder with train/, dev/, noise/ and text/."),
]

Bits = Annotated[int, typer.Option(help="Pull weights to the levels of 8, 5 or 4 bits; see --pull.")]
Zeros = Annotated[float, typer.Option(min=0, max=95, help="Percent of the weights that become zero, step by step.")]
Pull = Annotated[float, typer.Option(min=0, help="How strongly weights are pulled to levels, beside the losses.")]
Group = Annotated[int, typer.Option(help="Weights of an output whose levels have a multiplier together.")]
Block = Annotated[int, typer.Option(help="Neighbouring weights that become zero together.")]
SmallFrom = Annotated[int, typer.Option(help="Update from which on weights are made small.")]
SmallUntil = Annotated[int, typer.Option(help="Update at which levels and zeros have their whole strength.")]
