"""``nearword models``: what is there, what a model is, fetching public ones, packing and updating."""

import json
from typing import Annotated

import typer

from .model_packing import PACK_EXAMPLES, Name, pack, unpack
from .model_updates import PUBLISH_EXAMPLES, UPDATE_EXAMPLES, diff, keygen, publish, update
from .options import Report, download_bars, fail

PULL_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword models pull zipformer-en-20m\n\n"
    "nearword models pull zipformer-en-66m --base-url https://mirror.example"
)
app = typer.Typer(help="List, show, download, pack and update models.", invoke_without_command=True)


@app.callback()
def list_all(
    context: typer.Context,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """List the models: bundled, downloaded, and those that can be pulled."""
    if context.invoked_subcommand:
        return
    from ...models import list_models
    from ...models.public import PUBLIC_MODELS

    here = list_models()
    rows = [(m.name, m.origin, str(m.folder)) for m in here]
    names = {m.name for m in here}
    rows += [(name, "can be pulled", m.about) for name, m in PUBLIC_MODELS.items() if name not in names]
    if report is Report.json:
        print(json.dumps([{"name": name, "origin": origin, "about": about} for name, origin, about in rows]))
        return
    width = max(len(name) for name, _, _ in rows)
    for name, origin, about in rows:
        print(f"{name:{width}}  {origin:13}  {about}")


@app.command()
def show(
    name: Name,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Print what a model is: size, chunk, look-ahead, vocabulary, states, metadata; what a packed one is made of."""
    from ...models import Transducer, resolve
    from ...models.model_path import PackedPath
    from ...models.packing import describe_packed

    model = Transducer.load(resolve(name))
    info = model.info
    rows: dict[str, object] = {
        "name": info.name,
        "folder": str(info.folder),
        "type": info.model_type,
        "precision": info.precision,
        "size_mb": round(info.size_bytes / 1e6, 2),
        "chunk_ms": info.chunk_shift * 10,
        "look_ahead_ms": round(info.look_ahead_seconds * 1000),
        "encoder_frame_ms": round(info.frame_seconds * 1000, 1),
        "vocabulary": info.vocab_size,
        "bpe_model": model.vocabulary.bpe_model is not None,
        "context": info.context_size,
        "joiner_dim": info.joiner_dim,
        "states": info.states,
        "metadata": info.metadata,
    }
    if isinstance(info.folder, PackedPath):
        rows["packed"] = describe_packed(info.folder.model)
    if report is Report.json:
        print(json.dumps(rows))
        return
    for key, value in rows.items():
        text = ", ".join(f"{k}={v}" for k, v in sorted(value.items())) if isinstance(value, dict) else str(value)
        print(f"{key:17} {text}")


app.command(epilog=PACK_EXAMPLES)(pack)
app.command()(unpack)
app.command(epilog=UPDATE_EXAMPLES)(update)
app.command(epilog=PUBLISH_EXAMPLES)(publish)
app.command()(diff)
app.command()(keygen)


def _complete_public(incomplete: str) -> list[str]:
    from ...models.public import PUBLIC_MODELS

    return [name for name in PUBLIC_MODELS if name.startswith(incomplete)]


@app.command(epilog=PULL_EXAMPLES)
def pull(
    name: Annotated[str, typer.Argument(help="A name that 'nearword models' lists.", autocompletion=_complete_public)],
    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="NEARWORD_HUB", help="Address of the hub or a mirror.", show_default="https://huggingface.co"
        ),
    ] = None,
) -> None:
    """Download a public model; an interrupted download goes on where it stopped.

    Every file is checked against the SHA-256 that the hub states for it.
    """
    from ...models.hub import pull as fetch

    try:
        with download_bars() as told:
            folder = fetch(name, base_url=base_url, progress=told)
    except KeyboardInterrupt:
        fail("stopped; run the same command again to go on from there")
        raise typer.Exit(130) from None
    print(folder)
