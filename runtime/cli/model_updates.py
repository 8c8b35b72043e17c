"""``nearword models keygen``, ``diff``, ``publish`` and ``update``: new versions of models and other files."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Report, download_bars, fail

if TYPE_CHECKING:
    from ...models.updates import Outcome

UPDATE_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword models update assistant.nearword\n\n"
    "nearword models update requests.nlu --from https://example.org/models --key maker.pub\n\n"
    "nearword models update assistant.nearword --delta a-to-b.update --key maker.pub\n\n"
    "nearword models update assistant.nearword --undo"
)
PUBLISH_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword models keygen maker\n\n"
    "nearword models publish assistant.nearword --to public_html/models --key maker"
)
PrivateKey = Annotated[Path, typer.Option("--key", help="The private key that 'nearword models keygen' wrote.")]


def keygen(
    private: Annotated[Path, typer.Argument(help="Where to write the private key; NAME.pub beside it.")],
) -> None:
    """Make a pair of keys: the private one signs updates, the public one goes to the devices."""
    from ...models.updates import new_keys

    print(new_keys(private))


def diff(
    old: Annotated[Path, typer.Argument(help="A version: a packed model, or any other file.")],
    new: Annotated[Path, typer.Argument(help="The next version of it.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the update.")],
    key: PrivateKey,
) -> None:
    """Write the signed update that makes one version of a file of another."""
    from ...models.updates import write_update

    size = write_update(old, new, output, key)
    print(f"{output}: {size:,} bytes, {size / max(new.stat().st_size, 1):.1%} of {new}")


def publish(
    file: Annotated[Path, typer.Argument(help="The new version; its name says what it is a version of.")],
    folder: Annotated[Path, typer.Option("--to", help="A folder that a server gives out.")],
    key: PrivateKey,
) -> None:
    """Add a version of a file to a folder of updates, for any server of static files."""
    from ...models.updates import publish as add

    listing = add(file, folder, key)
    print(f"{folder / file.name}: version {len(listing.versions)}, {listing.versions[-1].size:,} bytes")
    for step in listing.steps:
        if step.new == listing.versions[-1].sha256:
            print(f"  {step.file}: {step.size:,} bytes")


def update(
    file: Annotated[Path, typer.Argument(help="A packed model, lm.bin, requests, phrases: what is to be updated.")],
    source: Annotated[
        str | None, typer.Option("--from", help="Address of the updates; a packed model may name it itself.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Public key of the maker, or NAME.pub; a packed model may name it itself.")
    ] = None,
    delta: Annotated[Path | None, typer.Option(help="An update that is here already.")] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Fetch all of it where no update leads from this version on.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the version before the last update.")] = False,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Bring a model or another file to its newest version: fetched, checked, and put in place in a single step.

    Whatever goes wrong, the file is the old version or the new one. The old one stays as NAME.previous.
    """
    from ...models.updates import roll_back, update_from_file
    from ...models.updates import update as bring
    from ...models.updates.install import source_of

    if sum((undo, delta is not None, source is not None)) > 1:
        raise typer.BadParameter("expected one of --from, --delta and --undo")
    if undo:
        roll_back(file)
        print(f"{file}: back to the version before")
        return
    named, named_key = source_of(file)
    source, key = source or named, key or named_key
    if key is None:
        raise typer.BadParameter(f"{file} names no key; give the maker's public key", param_hint="--key")
    if delta is not None:
        _print(file, update_from_file(file, delta, key), report)
        return
    if source is None:
        raise typer.BadParameter(f"{file} names no address; give one", param_hint="--from")
    try:
        with download_bars() as told:
            outcome = bring(file, source, key, whole=whole, progress=told)
    except KeyboardInterrupt:
        fail("stopped; the file is as it was; run the same command again to go on from there")
        raise typer.Exit(130) from None
    _print(file, outcome, report)


def _print(file: Path, outcome: "Outcome", report: Report) -> None:
    if report is Report.json:
        rows = {"file": str(file), "changed": outcome.changed, "old": outcome.old, "new": outcome.new}
        print(json.dumps({**rows, "fetched": outcome.fetched, "bytes": outcome.size}))
    elif outcome.changed:
        print(f"{file}: updated, {outcome.fetched:,} bytes fetched for {outcome.size:,}")
    else:
        print(f"{file}: is the newest version")
