"""``nearword understand``: learn to understand requests from examples, measure it, try it."""

import json
import math
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Report, fail, open_output, spare
from .understand_output import detail_line, print_score, score_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...lattice.understanding import Listed, UnderstandingModel

DATA_HELP = (
    "[bold]Data[/bold]\n\n"
    "JSON lines (.jsonl): text, intent, and slots with slot, start and end in characters:\n\n"
    '{"text": "wake me at six", "intent": "alarm", "slots": \\[{"slot": "time", "start": 11, "end": 14}]}\n\n'
    "The files of the snips benchmark (.json), and sentence templates as Home Assistant's hassil has them (.yaml, "
    ".json): \\[optional] (one|another) {list} {list:slot} <rule>. The intents oos and out_of_scope stand for texts "
    "that ask for nothing."
)
TRAIN_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword understand train home.jsonl --output home.nlu\n\n"
    "nearword understand train home.jsonl --other talk.txt --output home.nlu\n\n"
    "nearword understand train few.jsonl --vary 8 --output few.nlu\n\n"
    "nearword understand train home.jsonl --beside other-house.jsonl --output home.nlu\n\n"
    "nearword understand train home.jsonl --unlabelled said.txt --encoder all-MiniLM-L6-v2 --output home.nlu\n\n"
    "nearword understand train *.jsonl --max-kb 500 --output all.nlu\n\n"
    "Fifty examples of each intent, in the words of several people, are a good start; --other texts, that ask for "
    f"nothing, teach it to say no.\n\n{DATA_HELP}"
)
EVALUATE_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword understand evaluate home.nlu test.jsonl\n\n"
    f"nearword understand evaluate home.nlu test.jsonl --details answers.jsonl --format json\n\n{DATA_HELP}"
)
SHOW_EXAMPLES = "[bold]Examples[/bold]\n\nnearword understand show\n\nnearword understand show home.nlu"
CLASSES_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword understand classes books.txt requests.txt --output words.bin\n\n"
    "nearword understand train home.jsonl --classes words.bin --output home.nlu"
)
TRY_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    'nearword understand try home.nlu "turn on the lamp"\n\n'
    'nearword understand try assistant "set an alarm for twenty to nine" --why\n\n'
    'nearword understand try assistant "call anna" --phrases contacts.vcf'
)
app = typer.Typer(help="Understand requests: learn intents and slots from examples, measure them, try them.")
ModelFile = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model by name (see: show) or its file.", show_default=False)
]
Data = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA...", help="Labelled texts (see below).", exists=True, dir_okay=False, show_default=False
    ),
]
Phrases = Annotated[
    list[Path] | None,
    typer.Option(
        help="Files of phrases, as for --bias; their classes are features, and the phrases may change later.",
        exists=True, dir_okay=False, show_default=False,
    ),
]  # fmt: skip

Vary = Annotated[
    int,
    typer.Option(min=0, max=100, help="Learn so many variants of each text too, in which slots have other values."),
]


@app.command(epilog=TRAIN_EXAMPLES)
def train(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, home.nlu say.", show_default=False)],
    other: Annotated[
        list[Path] | None,
        typer.Option(
            help="Texts that ask for nothing, one a line: to be refused.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            help="Texts that were labelled for another purpose: what tells their intents apart helps where yours are "
            "few. Their intents are not learnt.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    unlabelled: Annotated[
        list[Path] | None,
        typer.Option(
            help="Requests that nobody labelled, one a line, with --encoder: a teacher who knows more than is stored "
            "says what they ask for, and is learnt from.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a sentence encoder (model.onnx, tokenizer.json; all-MiniLM-L6-v2 say), which the teacher "
            "reads beside the words. Nothing of it is stored.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    phrases: Phrases = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="Which words are used alike (see: classes); by default English ones.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    max_kb: Annotated[int, typer.Option(min=40, max=100_000, help="Size of the file to keep to, about.")] = 300,
    refuse: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.5, help="Share of requests that may be refused, so that what asks for nothing is too."
        ),
    ] = 0.02,
    vary: Vary = 0,
    levels: Annotated[int, typer.Option(min=4, max=65_536, help="Values that a weight may have.")] = 256,
    fingerprint_bits: Annotated[
        int, typer.Option(min=0, max=24, help="One in 2 to this number of unknown features is taken for a known one.")
    ] = 6,
    show_all: Annotated[bool, typer.Option("--all", help="Show all places where the data disagree.")] = False,
) -> None:
    """Learn a model of requests from labelled texts.

    Says where the data disagree with themselves: the same words with two intents, or with two sets of slots.
    """
    from ...lattice.understanding import training
    from ..recognition.understanding_file import BUNDLED_CLASSES, Precision, load_word_classes, save_understanding

    if not output.parent.is_dir() or output.is_dir():
        raise typer.BadParameter(f"{output} cannot be written: no such folder, or a folder", param_hint="--output")
    if bool(unlabelled) != (encoder is not None):
        raise typer.BadParameter("--unlabelled and --encoder go together", param_hint="--unlabelled")
    spare([*data, *(other or ()), *(beside or ()), *(unlabelled or ())], output, "--output")
    _need_extra()
    started = time.perf_counter()
    examples = training.read_examples(data)
    texts = [text for path in other or () for text in training.read_texts(path)]
    others = training.read_examples(beside) if beside else []
    unknown = [text for path in unlabelled or () for text in training.read_texts(path)]
    _tell_disagreements(training.disagreements(examples), show_all=show_all)
    known = load_word_classes(classes or BUNDLED_CLASSES)
    size = _size_of_classes(known)
    settings = training.Settings(max_bytes=1000 * max_kb, in_scope_lost=refuse, classes_bytes=size, vary=vary)
    with _progress() as told:
        trained = training.train(
            examples,
            other=texts,
            beside=others,
            unlabelled=unknown,
            encoder=training.SentenceEncoder(encoder, told) if encoder else None,
            classes=known,
            listed=_listed(phrases),
            settings=settings,
            told=told,
        )
        size = save_understanding(trained.model, output, Precision(levels, fingerprint_bits))
    slots = sum(label.startswith("B-") for label in trained.model.labels)
    asked = len(trained.model.intents) - trained.model.none_of_them
    seconds = time.perf_counter() - started
    print(f"{output}: {asked} intents, {slots} kinds of slot; {size / 1000:.0f} kB, {seconds:.0f} s")
    refused = "" if math.isnan(trained.refused) else f"; {trained.refused:.1%} of other texts refused"
    print(f"held out: intent right in {trained.held_out_accuracy:.1%}{refused}")


@app.command(epilog=EVALUATE_EXAMPLES)
def evaluate(
    model: ModelFile,
    data: Data,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
    phrases: Phrases = None,
    details: Annotated[
        Path | None,
        typer.Option(help="Write what was understood of each text here, as JSON lines.", show_default=False),
    ] = None,
) -> None:
    """Measure how well a model understands labelled texts.

    A slot counts if its name and all its words are right. Texts whose intent is oos or out_of_scope ask for nothing.
    """
    from ...lattice.understanding.training import read_examples
    from ..evaluation.requests import answer, score_requests
    from ..recognition.understanding_file import load_understanding, resolve_understanding

    spare(data, details, "--details")
    path = resolve_understanding(model)
    loaded = load_understanding(path)
    examples = read_examples(data)
    started = time.process_time()
    answers = list(answer(loaded, examples, _listed(phrases)))
    milliseconds = 1000 * (time.process_time() - started) / len(answers)
    if details is not None:
        with open_output(details, "--details") as file:
            file.writelines(detail_line(one) for one in answers)
    score = score_requests(answers)
    if report is Report.json:
        print(json.dumps(score_to_dict(score, path, milliseconds)))
    else:
        print_score(score, path, milliseconds)


@app.command(epilog=SHOW_EXAMPLES)
def show(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A model by name or its file; by default all names.")
    ] = None,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Show what a model can be asked for, and what its file holds."""
    from ..recognition.understanding_file import (
        list_understanding_models,
        load_understanding,
        resolve_understanding,
        size_by_part,
    )

    if model is None:
        for name, path in list_understanding_models().items():
            print(f"{name}: {path.stat().st_size / 1000:.0f} kB, {path}")
        return
    path = resolve_understanding(model)
    loaded = load_understanding(path)
    by_intent = _slots_by_intent(loaded)
    parts = size_by_part(path)
    if report is Report.json:
        rejection = {"least_confidence": loaded.rejection.least, "none_of_them": loaded.none_of_them}
        print(
            json.dumps(
                {"path": str(path), "bytes": path.stat().st_size, "parts": parts, "intents": by_intent} | rejection
            )
        )
        return
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {len(by_intent)} intents")
    for part, (size, rows, weights) in parts.items():
        print(f"  {part}: {size / 1000:.1f} kB" + (f", {weights:,} weights of {rows:,} features" if weights else ""))
    print(f"accepted from a confidence of {loaded.rejection.least:.2f} on")
    for intent, slots in by_intent.items():
        print(f"{intent}: {', '.join(slots)}" if slots else intent)


@app.command("try", epilog=TRY_EXAMPLES)
def try_text(
    model: ModelFile,
    text: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT]...", help="Texts; by default a line each from standard input.", show_default=False
        ),
    ] = None,
    phrases: Phrases = None,
    why: Annotated[bool, typer.Option("--why", help="Show which words speak for the intent, and how loudly.")] = False,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Print what texts ask for."""
    from dataclasses import asdict

    from ..recognition.understanding_file import load_understanding, resolve_understanding

    loaded, listed = load_understanding(resolve_understanding(model)), _listed(phrases)
    for line in text or (one.rstrip("\n") for one in sys.stdin):
        found = loaded.understand_text(line, listed)
        if report is Report.json:
            print(json.dumps(asdict(found), ensure_ascii=False), flush=True)
            continue
        guess = f" (closest: {found.intent})" if not found.accepted and found.intent else ""
        print(f"{found}{guess}  [{found.confidence:.2f}]", flush=True)
        if why:
            for word, weight in loaded.reasons(line, listed):
                print(f"  {weight:+.2f} {word}")


@app.command(epilog=CLASSES_EXAMPLES)
def classes(
    text: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT...", help="Text files, a sentence a line.", exists=True, dir_okay=False, show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.", show_default=False)],
    words: Annotated[
        int, typer.Option(min=100, max=200_000, help="Words that get a class, the most frequent.")
    ] = 10_000,
) -> None:
    """Learn which words are used alike, from text without labels, for train --classes.

    So that a model knows something of words that its examples do not have. English classes are in the package.
    """
    from ...lattice.understanding import WordClasses, training
    from ..recognition.understanding_file import save_word_classes

    spare(text, output, "--output")
    _need_extra()
    sentences = (line for path in text for line in training.read_texts(path))
    with _progress() as told:
        told("classes of words")
        learnt = training.learn_classes(sentences, most_words=words)
        size = save_word_classes(WordClasses(learnt.weights(), learnt.coarse), output)
    print(f"{output}: {len(learnt.words):,} words in {len(learnt.coarse) - 1:,} classes; {size / 1000:.0f} kB")


def _need_extra() -> None:
    """Raise one clear error where what training needs is not installed."""
    from ...lattice.understanding import UnderstandingError

    try:
        import pycrfsuite  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError as error:
        raise UnderstandingError(
            f"training needs scikit-learn and python-crfsuite ({error.name} is missing): pip install "
            "'nearword[understand]'; what is trained runs without them"
        ) from error


def _size_of_classes(classes: Any) -> int:
    from ...models.compression.sections import to_bytes
    from ..recognition.understanding_file import classes_sections

    return len(to_bytes("", classes_sections(classes)))


def _listed(paths: list[Path] | None) -> "Listed":
    from ..recognition.understanding_file import listed_phrases

    return listed_phrases(paths or (), fail)


def _tell_disagreements(found: list[Any], *, show_all: bool) -> None:
    most = len(found) if show_all else 5
    for one in found[:most]:
        fail(f"the data disagree: {one}")
    if len(found) > most:
        fail(f"the data disagree in {len(found) - most} more places; --all shows them")


@contextmanager
def _progress() -> "Iterator[Callable[[str], None]]":
    """Give what is to be told of training: on a terminal a spinner with the step it is at."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading") as status:
        yield status.update


def _slots_by_intent(model: "UnderstandingModel") -> dict[str, list[str]]:
    asked = model.intents[:-1] if model.none_of_them else model.intents
    return {
        intent: [label[2:] for label, fine in zip(model.labels, row, strict=True) if fine and label.startswith("B-")]
        for intent, row in zip(asked, model.allowed, strict=False)
    }
