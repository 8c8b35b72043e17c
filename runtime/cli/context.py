"""``nearword context``: what is kept of dialogues, and how much its sources count."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Model, Report

if TYPE_CHECKING:
    from ...models import Transducer
    from ..context import ContextStore
    from ..context.learn import Dialogue
    from ..context.weights import ContextWeights

SHOW_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword context show\n\n"
    "nearword context show --texts --store /var/lib/device/context.db --key /etc/device/context.key\n\n"
    "nearword context show --store dynamodb:home --format json"
)
PURGE_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword context purge             # what has expired\n\n"
    "nearword context purge --all       # everything\n\n"
    "nearword context purge kitchen-17  # one interaction"
)
LEARN_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword context learn dialogues.jsonl ordinary.jsonl -o weights.json\n\n"
    "[bold]Dialogues[/bold]\n\n"
    "JSON lines, each what came before and what was said then; with recordings also how much the context counts beside "
    "what is heard, and when it is believed:\n\n"
    '{"context": {"reply": "Meg Jones or Meg Bauer?", "act": "clarify"}, "text": "bauer", "path": "0017.flac"}\n\n'
    "Requests whose context does not fit belong among them; without, everything is taken for an answer."
)
VECTOR_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword context vector requests.jsonl --turns dialogues.txt -o vector.npz\n\n"
    "[bold]Requests[/bold]\n\n"
    '{"text": "call meg bauer", "slots": \\[{"slot": "person", "start": 5, "end": 14}]}'
)
app = typer.Typer(help="Show, purge and learn the context of dialogues.", no_args_is_help=True)
StorePath = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="FILE",
        help="The store: a file, or dynamodb:PREFIX. By default the one in your data folder.",
        show_default=False,
    ),
]
KeyPlace = Annotated[
    str, typer.Option("--key", metavar="FILE", help="Its key: a file, keyring, or auto (keyring if there is one).")
]


@app.command(epilog=SHOW_EXAMPLES)
def show(
    store: StorePath = None,
    key: KeyPlace = "auto",
    texts: Annotated[bool, typer.Option("--texts", help="Decrypt and print the texts too.")] = False,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """List the interactions in a store: their events, and when they expire. Texts stay encrypted unless asked for."""
    opened = _open(store, key)
    if opened is None:
        print("[]" if report is Report.json else "no store")
        return
    with opened:
        rows = opened.rows()
        said = [opened.read(row).texts for row in rows] if texts else [{} for _ in rows]
    left = [round(row.expires - time.time(), 1) for row in rows]
    if report is Report.json:
        listed = [
            {
                "interaction": row.interaction,
                "events": {kind.value: value for kind, value in row.events.items()},
                "expires_in": seconds,
                **({"texts": {kind.value: list(values) for kind, values in each.items()}} if texts else {}),
            }
            for row, each, seconds in zip(rows, said, left, strict=True)
        ]
        print(json.dumps(listed, ensure_ascii=False))
        return
    for row, each, seconds in zip(rows, said, left, strict=True):
        print(f"{row.interaction}  {', '.join(kind.value for kind in row.events)}  expires in {seconds:.0f} s")
        for kind, values in each.items():
            print("".join(f"  {kind.value}: {value}\n" for value in values), end="")
    if not rows:
        print("nothing is kept")


@app.command(epilog=PURGE_EXAMPLES)
def purge(
    interactions: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INTERACTION]...", help="Remove these alone.", show_default=False),
    ] = None,
    store: StorePath = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all there is, expired or not.")] = False,
) -> None:
    """Remove what has expired from a store, or more. Needs no key."""
    if everything and interactions:
        raise typer.BadParameter("interactions and --all; give one of them", param_hint="--all")
    from ..context.store import default_path, open_tables

    if store is None and not default_path().exists():
        print("nothing is kept")
        return
    _check(store)
    tables = open_tables(store)
    try:
        if not interactions:
            gone = tables.purge(now=float("inf") if everything else time.time())
            print(f"{gone} rows removed")
            return
        missing = [name for name in interactions if not tables.delete(name)]
    finally:
        tables.close()
    for name in missing:
        print(f"nearword: {name}: no such interaction; 'nearword context show' lists them", file=sys.stderr)
    if missing:
        raise typer.Exit(1)


@app.command(epilog=LEARN_EXAMPLES)
def learn(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Dialogues, as JSON lines; see below.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the weights.")],
    model: Model = "assistant-en",
    recordings: Annotated[
        bool, typer.Option(help="Learn from recordings, if there are any, when a context is believed.")
    ] = True,
) -> None:
    """Learn from dialogues how much each source of context counts: a handful of numbers."""
    from ..context.compute import ContextModel
    from ..context.learn import learn_sources, perplexity, read_dialogues
    from ..recognition.transcriber import load_model

    dialogues = [dialogue for file in files for dialogue in read_dialogues(file)]
    loaded = load_model(model)
    before = ContextModel(loaded)
    print(f"{len(dialogues)} dialogues, perplexity {perplexity(before, dialogues):.1f}", file=sys.stderr)
    weights = learn_sources(before, dialogues)
    print(f"learnt: perplexity {perplexity(ContextModel(loaded, weights), dialogues):.1f}", file=sys.stderr)
    spoken = [dialogue for dialogue in dialogues if dialogue.path is not None and dialogue.path.exists()]
    if recordings and spoken:
        weights = _with_recordings(loaded, weights, spoken)
    output.write_text(weights.to_json(), encoding="utf-8")
    print(f"weights in {output}", file=sys.stderr)


@app.command(epilog=VECTOR_EXAMPLES)
def vector(
    requests: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Requests, as JSON lines with text and slots.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the encoder (.npz).")],
    turns: Annotated[
        list[Path] | None,
        typer.Option("--turns", metavar="FILE", help="Dialogues, a turn a line. Repeatable.", show_default=False),
    ] = None,
    passes: Annotated[int, typer.Option(min=1, max=100, help="Passes over all of it.")] = 6,
) -> None:
    """Train the encoder that tells what follows what: from requests with slots, and from turns of dialogues."""
    from ..context.vector import save_encoder
    from ..context.vector_training import read_requests, read_turns, train

    examples, pairs = read_requests(requests), read_turns(turns or [])
    print(f"{len(examples)} beginnings of requests, {len(pairs)} pairs of turns", file=sys.stderr)

    def told(number: int, labels: float, following: float) -> None:
        print(f"pass {number}: {labels:.1%} of labels right, {following:.1%} of next turns", file=sys.stderr)

    save_encoder(train(examples, pairs, passes=passes, progress=told), output)
    print(f"encoder in {output}", file=sys.stderr)


def _with_recordings(loaded: "Transducer", weights: "ContextWeights", spoken: "list[Dialogue]") -> "ContextWeights":
    from ..context.learn_choice import comparer, learn_search

    def told(scale: float, errors: int, plain: int) -> None:
        print(f"scale {scale:g}: {errors} word errors, {plain} without context", file=sys.stderr)

    return learn_search(weights, spoken, comparer(loaded, spoken), told)


def _check(store: str | None) -> None:
    if store is not None and not store.startswith("dynamodb:") and not Path(store).exists():
        raise typer.BadParameter(f"{store}: no store there", param_hint="--store")


def _open(store: str | None, key: str) -> "ContextStore | None":
    from ..context.store import default_path, open_store

    if store is None and not default_path().exists():
        return None
    _check(store)
    return open_store(store, key=key, create=False)
