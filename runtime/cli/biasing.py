"""``nearword biasing``: what becomes of a phrase list, and what it does to recognition."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .biasing_figures import REPORT_EXAMPLES, TUNE_EXAMPLES, tune
from .biasing_figures import report as report_command
from .options import Model, Report, fail

if TYPE_CHECKING:
    from ...biasing import BiasVocabulary, TokenizedPhrase
    from ...models import Pronouncer

CHECK_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword biasing check contacts.vcf\n\n"
    "nearword biasing check devices.txt rooms.txt --model zipformer-en-20m\n\n"
    "nearword biasing check ~/homeassistant/.storage --format json"
)
app = typer.Typer(help="Phrases that shall come out right: see what becomes of a list, measure it, tune it.")
app.command("report", epilog=REPORT_EXAMPLES)(report_command)
app.command(epilog=TUNE_EXAMPLES)(tune)
Lists = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Plain text (a phrase a line, optional ' :boost'), JSON, vCards, or Home Assistant's .storage.",
        show_default=False,
    ),
]


@app.command(epilog=CHECK_EXAMPLES)
def check(
    files: Lists,
    model: Model = "assistant-en",
    limit: Annotated[
        int | None, typer.Option(min=0, help="Show only so many phrases of each file.", show_default=False)
    ] = None,
    report: Annotated[Report, typer.Option("--format", "-f", help="What to print.")] = Report.text,
) -> None:
    """Show how each phrase is tokenised and how it is expected to sound, and what is refused and why.

    Phrases go to standard output, refusals to standard error; the exit code is 1 if nothing of a file can be used.
    """
    from ...biasing import Templates, Tokenizer, read_source
    from ...models import Pronouncer, resolve
    from ...models.model_path import open_model
    from ...models.tokens import Vocabulary
    from ...models.transducer import PRONUNCIATION
    from ..recognition.biasing import bias_vocabulary

    folder = open_model(resolve(model))
    vocabulary = bias_vocabulary(Vocabulary.load(folder))
    pronounce = Pronouncer.load(folder) if (folder / PRONUNCIATION).is_file() else None
    useless = False
    for file in files:
        source = read_source(file)
        Templates.parse(source.templates)
        used, refused = Tokenizer(vocabulary).tokenize_all(source.phrases.phrases)
        useless |= not used
        all_refused = sorted((*source.phrases.refused, *refused), key=lambda one: one.line)
        for one in all_refused:
            fail(str(one))
        if report is Report.json:
            rows = [_row(vocabulary, pronounce, each) for each in used[:limit]]
            said = [
                {"line": one.line, "text": one.text, "reason": one.reason, "used": one.is_used} for one in all_refused
            ]
            print(json.dumps({"file": str(file), "used": len(used), "phrases": rows, "refused": said}))
        else:
            _print(vocabulary, pronounce, used[:limit])
            more = f" ({len(used) - limit} more not shown)" if limit is not None and limit < len(used) else ""
            templates = f", {len(source.templates)} templates" if source.templates else ""
            gone = sum(not one.is_used for one in all_refused)
            print(f"{file}: {len(used)} phrases used{more}, {gone} refused{templates}")
    if useless:
        raise typer.Exit(1)


def _pieces(vocabulary: "BiasVocabulary", way: tuple[int, ...]) -> str:
    return " ".join(vocabulary.tokens[token] for token in way)


def _sounds(pronounce: "Pronouncer | None", each: "TokenizedPhrase") -> list[str]:
    """Return the phones of each word of the first spelling; empty if the model knows none."""
    if pronounce is None:
        return []
    return [" ".join(pronounce.phones[phone] for phone in word) for word in pronounce(each.spellings[0].split())]


def _row(vocabulary: "BiasVocabulary", pronounce: "Pronouncer | None", each: "TokenizedPhrase") -> dict[str, object]:
    return {
        "line": each.phrase.line,
        "text": each.phrase.text,
        "class": each.phrase.cls,
        "boost": each.phrase.boost,
        "spellings": list(each.spellings),
        "tokens": [[vocabulary.tokens[token] for token in way] for way in each.ways],
        "sounds": _sounds(pronounce, each),
    }


def _print(vocabulary: "BiasVocabulary", pronounce: "Pronouncer | None", used: "list[TokenizedPhrase]") -> None:
    for each in used:
        boost = f" :{each.phrase.boost:g}" if each.phrase.boost != 1 else ""
        print(f"{each.phrase.text}{boost}  [{each.phrase.cls}]")
        if each.spellings[0].casefold() != each.phrase.text.casefold():
            print(f"    said as: {each.spellings[0]}")
        for way in each.ways:
            print(f"    {_pieces(vocabulary, way)}")
        if sounds := _sounds(pronounce, each):
            print(f"    sounds like: {' / '.join(sounds)}")
