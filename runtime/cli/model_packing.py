"""``nearword models pack`` and ``unpack``: a model's folder as one small file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Precision, complete_model

PACK_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword models pack assistant-en -o assistant.nearword\n\n"
    "nearword models pack my-model -o small.nearword --bits 5 --zeros 30\n\n"
    "nearword transcribe --model small.nearword talk.wav"
)
Name = Annotated[
    str,
    typer.Argument(metavar="NAME-OR-FOLDER", help="A model by name or its folder.", autocompletion=complete_model),
]


def pack(
    model: Name,
    output: Annotated[Path, typer.Option("--output", "-o", help="The packed model, NAME.nearword.")],
    precision: Annotated[Precision, typer.Option(help="Which of the model's graphs to pack.")] = Precision.auto,
    bits: Annotated[
        int, typer.Option(help="8, or rounded to 5 or 4: smaller, and more is misheard.", show_default=True)
    ] = 8,
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

    Nothing is lost unless --bits or --zeros say so: then the quantised weights are rounded, as they were trained.
    """
    from ...models import resolve
    from ...models.compression.errors import CompressionError
    from ...models.compression.rounding import Rounding
    from ...models.model_path import PACKED, stored_bytes
    from ...models.packing import model_files, pack_model
    from ...models.updates import read_public_key

    if output.suffix != PACKED:
        raise typer.BadParameter(f"{output}: expected a name that ends in {PACKED}", param_hint="--output")
    try:
        rounding = Rounding(bits, zeros / 100, group, block)
    except CompressionError as error:
        raise typer.BadParameter(str(error)) from error
    if (updates is None) != (key is None):
        raise typer.BadParameter("expected both --updates and --key, or neither")
    source = None if updates is None or key is None else {"url": updates, "key": read_public_key(key)}
    found = resolve(model)
    before = sum(map(stored_bytes, model_files(found, precision.value).values()))
    size = pack_model(found, output, precision=precision.value, rounding=rounding, updates=source)
    how = f"rounded to {bits} bits with {zeros:g} % zeros" if rounding.changes else "nothing lost"
    print(f"{output}: {size:,} bytes, of {before:,} in the folder ({size / before:.1%}); {how}")


def unpack(
    packed: Annotated[Path, typer.Argument(help="A packed model, *.nearword.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
) -> None:
    """Write the files of a packed model into a new folder, for sherpa-onnx and whoever else reads folders."""
    from ...models.packing import unpack_model

    for path in unpack_model(packed, output):
        print(path)
