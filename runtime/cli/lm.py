"""``nearword lm``: train n-gram language models from text, and see how well they fit one."""

import sys
import time
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Model, Report, spare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...lattice.language import NgramModel
    from ...models.tokens import Vocabulary

TRAIN_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword lm train commands.txt --output commands.bin\n\n"
    "nearword lm train *.txt --order 5 --max-mb 2 --output small.bin\n\n"
    "nearword lm train *.txt --units words --output words.arpa"
)
PERPLEXITY_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword lm perplexity commands.bin held-out.txt\n\n"
    "nearword lm perplexity words.arpa held-out.txt --format json"
)
app = typer.Typer(help="Train language models from text, and measure them.")
Text = Annotated[
    list[Path],
    typer.Argument(
        metavar="TEXT...", help="Text files, a sentence a line, words as they are said.", exists=True, dir_okay=False,
        show_default=False,
    ),
]  # fmt: skip


class Units(str, Enum):
    """What the n-grams are over."""

    pieces = "pieces"
    words = "words"


@app.command(epilog=TRAIN_EXAMPLES)
def train(
    text: Text,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="File to write: ARPA if it ends in .arpa or .arpa.gz, else compact.",
            show_default=False,
        ),
    ],
    model: Model = "assistant-en",
    order: Annotated[int, typer.Option(min=1, max=8, help="Length of the longest n-gram.")] = 4,
    max_mb: Annotated[
        float | None,
        typer.Option(min=0.001, help="Prune to this size unpacked; files are half of it.", show_default=False),
    ] = None,
    units: Annotated[
        Units, typer.Option(help="What to count: the speech model's pieces, which the search can use, or words.")
    ] = Units.pieces,
    min_count: Annotated[int, typer.Option(min=1, help="With words: rarer ones are unknown.")] = 2,
) -> None:
    """Train an n-gram language model: interpolated modified Kneser-Ney smoothing, pruned by relative entropy.

    By default it is over the word pieces of a speech model, so that it can help while that model listens.
    """
    from ...lattice.language import save_ngram, train_pieces, train_words

    if not output.parent.is_dir():
        raise typer.BadParameter(f"{output.parent} is no folder", param_hint="--output")
    if output.exists() and not output.is_file():
        raise typer.BadParameter(f"{output} is no file that could be replaced; name another", param_hint="--output")
    spare(text, output, "--output")
    started = time.perf_counter()
    max_bytes = None if max_mb is None else int(max_mb * 1e6)
    with _progress() as told:
        sentences = _counted(text, told)
        if units is Units.words:
            trained = train_words(sentences, order=order, max_bytes=max_bytes, min_count=min_count)
        else:
            vocabulary, encode = _pieces_of(model)
            trained = train_pieces(sentences, vocabulary.tokens, encode, order=order, max_bytes=max_bytes)
        save_ngram(trained, output)
    seconds = time.perf_counter() - started
    print(f"{output}: {_described(trained)}; {output.stat().st_size / 1e6:.2f} MB, {seconds:.1f} s")


@app.command(epilog=PERPLEXITY_EXAMPLES)
def perplexity(
    file: Annotated[
        Path,
        typer.Argument(metavar="LM", help="A language model.", exists=True, dir_okay=False, show_default=False),
    ],
    text: Text,
    model: Model = "assistant-en",
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Print how well a language model fits a text.

    The perplexity per word (ends of sentences counted as one) compares models over different units.
    """
    import json

    from ...lattice.language import fit, load_ngram, read_sentences

    encode = None
    loaded = load_ngram(file)
    if loaded.unit == "pieces":
        vocabulary, encode = _pieces_of(model)
        loaded = loaded.aligned(vocabulary.tokens)
    found = fit(loaded, read_sentences(text), encode)
    if report is Report.json:
        rows = {
            "sentences": found.sentences, "words": found.words, "tokens": found.tokens, "unknown": found.unknown,
            "log_prob": round(found.log_prob, 3), "perplexity_per_token": round(found.per_token, 3),
            "perplexity_per_word": round(found.per_word, 3),
        }  # fmt: skip
        print(json.dumps(rows))
        return
    print(f"{file}: {_described(loaded)}")
    print(
        f"perplexity {found.per_word:.1f} per word, {found.per_token:.2f} per token; {found.sentences} sentences, "
        f"{found.words} words, {found.unknown / found.tokens:.1%} of tokens unknown"
    )


def _pieces_of(model: str) -> "tuple[Vocabulary, Callable[[str], list[int]]]":
    from ...models import resolve
    from ...models.model_path import open_model
    from ...models.tokens import Vocabulary
    from ..recognition.word_pieces import piece_encoder

    folder = open_model(resolve(model))
    vocabulary = Vocabulary.load(folder)
    return vocabulary, piece_encoder(vocabulary, folder)


def _described(model: "NgramModel") -> str:
    counts = " + ".join(f"{count:,}" for count in model.counts)
    return f"order {model.order} over {model.unit}, {counts} n-grams"


def _counted(text: list[Path], told: "Callable[[int], None]") -> "Iterator[str]":
    from ...lattice.language import LanguageModelError, read_sentences

    number = 0
    for number, sentence in enumerate(read_sentences(text), 1):
        if number % 1000 == 0:
            told(number)
        yield sentence
    if not number:
        raise LanguageModelError(f"{', '.join(map(str, text))}: no text to train on; expected a sentence a line")
    told(number)


@contextmanager
def _progress() -> "Iterator[Callable[[int], None]]":
    """Give what is to be told of sentences read: a spinner with their number, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading") as status:
        yield lambda number: status.update(f"{number:,} sentences; counting and smoothing")
