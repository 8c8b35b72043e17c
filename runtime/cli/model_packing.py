"""``nearword models pack`` and ``unpack``: a model's folder as one small file, and back."""

import random
import sys
from pathlib import Path
from typing import Annotated

import typer

from .options import Precision, complete_model

PACK_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword models pack assistant-en -o assistant.nearword\n\n"
    "nearword models pack assistant-en -o half.nearword --calibrate recordings/\n\n"
    "nearword models pack my-model -o small.nearword --bits 5 --zeros 30\n\n"
    "nearword transcribe --model small.nearword talk.wav"
)
AUDIO_NAMES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".aiff", ".au", ".caf")
"""Endings of the files of a folder that are recordings."""
Name = Annotated[
    str,
    typer.Argument(metavar="NAME-OR-FOLDER", help="A model by name or its folder.", autocompletion=complete_model),
]


def pack(
    model: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="The packed model, NAME.nearword.")],
    precision: Annotated[Precision, typer.Option(help="Which of the model's graphs to pack.")] = Precision.auto,
    bits: Annotated[
        float | None,
        typer.Option(
            help="8 (nothing lost), or rounded to 5 or 4: smaller, and more is misheard. With --calibrate any number"
            " from 1.5 to 6.5: bits of a weight on average, 2.9 unless said otherwise.",
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Recordings of speech, or folders of them, texts not needed: a few minutes of many voices. Weights are"
            " rounded so that what is heard in them changes least; far better than without.",
        ),
    ] = None,
    zeros: Annotated[
        float, typer.Option(min=0, max=95, help="Percent of the weights that become zero: the smallest.")
    ] = 0,
    group: Annotated[int, typer.Option(help="Weights of one output that are rounded with one multiplier.")] = 64,
    block: Annotated[int, typer.Option(help="Neighbouring weights that become zero together.")] = 1,
    updates: Annotated[
        str | None, typer.Option(help="Address where 'nearword models update' will look; needs --key.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Public key of who may make updates, or NAME.pub.")] = None,
) -> None:
    """Write a model into one file, its weights entropy-coded; it loads as the folder does.

    Nothing is lost unless --bits, --zeros or --calibrate say so: then the quantised weights are rounded.
    """
    from rich.console import Console
    from rich.progress import Progress

    from ...models import resolve
    from ...models.compression.calibration import Calibration
    from ...models.compression.errors import CompressionError
    from ...models.compression.rounding import Rounding
    from ...models.model_path import PACKED, stored_bytes
    from ...models.packing import model_files, pack_model
    from ...models.updates import read_public_key

    if output.suffix != PACKED:
        raise typer.BadParameter(f"{output}: expected a name that ends in {PACKED}", param_hint="--output")
    recordings = _recordings(calibrate or [])
    if recordings and (group, block) != (Rounding.group, Rounding.block):
        raise typer.BadParameter("--group and --block are for rounding without --calibrate")
    rounding, calibration = None, None
    try:
        if recordings:
            calibration = Calibration(Calibration.bits if bits is None else bits, zeros / 100)
        elif bits is None or bits == int(bits):
            rounding = Rounding(8 if bits is None else int(bits), zeros / 100, group, block)
        else:
            raise typer.BadParameter(f"{bits:g} bits: expected 8, 5 or 4, or recordings to --calibrate with")
    except CompressionError as error:
        raise typer.BadParameter(str(error)) from error
    if (updates is None) != (key is None):
        raise typer.BadParameter("expected both --updates and --key, or neither")
    source = None if updates is None or key is None else {"url": updates, "key": read_public_key(key)}
    found = resolve(model)
    before = sum(map(stored_bytes, model_files(found, precision.value).values()))
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("calibrating", total=1.0, visible=calibration is not None)
        size = pack_model(
            found, output, precision=precision.value, rounding=rounding, calibration=calibration,
            recordings=recordings, updates=source, progress=lambda share: bar.update(task, completed=share),
        )  # fmt: skip
    made = calibration or (rounding if rounding is not None and rounding.changes else None)
    how = "nothing lost" if made is None else f"rounded to {made.bits:g} bits with {zeros:g} % zeros"
    print(f"{output}: {size:,} bytes, of {before:,} in the folder ({size / before:.1%}); {how}")


def _recordings(paths: list[Path]) -> list[Path]:
    """Return files, those of folders in an order that has no reason, so that the first are of many speakers."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            own = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in AUDIO_NAMES]
            if not own:
                raise typer.BadParameter(f"{path}: no recordings in it", param_hint="--calibrate")
            found += random.Random(0).sample(own, len(own))  # noqa: S311 (no secret)
        elif path.is_file():
            found.append(path)
        else:
            raise typer.BadParameter(f"{path}: no such file or folder", param_hint="--calibrate")
    return found


def unpack(
    packed: Annotated[Path, typer.Argument(help="A packed model, *.nearword.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
) -> None:
    """Write the files of a packed model into a new folder, for sherpa-onnx and whoever else reads folders."""
    from ...models.packing import unpack_model

    for path in unpack_model(packed, output):
        print(path)
