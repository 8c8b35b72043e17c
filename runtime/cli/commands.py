"""What utterances ask for, where a grammar says all that may be asked: the option, and how it is printed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from .options import Format, fail
from .voices import voice_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...biasing.slots import SlotGrammar
    from ...lattice.understanding import Understanding, UnderstandingModel
    from ...models import Transducer
    from ..recognition.events import Command
    from ..recognition.grammar import GrammarUnderstanding
    from ..recognition.segmenter import Segmenter
    from ..recognition.stage import Stage
    from ..recognition.understanding_stage import UnderstandingStage
    from ..search import SearchOptions

GrammarFile = Annotated[
    Path | None,
    typer.Option(
        "--grammar",
        metavar="FILE",
        help="Print what each utterance asks for, by the commands in this file (see below).",
        show_default=False,
    ),
]
UnderstandModel = Annotated[
    str | None,
    typer.Option(
        "--understand",
        metavar="NAME-OR-FILE",
        help="Print what each utterance asks for, by this model of requests (see: nearword understand).",
        show_default=False,
    ),
]
GRAMMAR_HELP = (
    "[bold]Grammars[/bold]\n\n"
    "A JSON file of all commands that there are. Templates stand under the name of what they ask for; "
    "\\[words] may be left out, (one|another) is a choice, $NAME is a phrase of that class:\n\n"
    '{"templates": {"tell": \\["tell my $WHO \\[that] i am $WHAT"], "alarm": \\["(set|make) an alarm for $TIME"]},\n\n'
    '"classes": {"who": \\["brother", "sister"], "what": \\["late", "on my way"], "time": \\["six", "seven"]}}\n\n'
    "Words are written as they are spoken (seven, not 7). Each utterance becomes a line such as "
    '"tell: who=brother, what=on my way", or "no command: " and the words that were heard. In JSON a '
    "command has accepted, intent, slots, text, and log_odds: how far above free speech it is."
)


def read_commands(path: Path) -> "SlotGrammar":
    """Return the grammar of a file; what of it is not used is told.

    Raises:
        BiasingError: the grammar cannot be used; names it.
    """
    from ..recognition.grammar import read_grammar

    grammar, refused = read_grammar(path)
    for one in refused:
        fail(str(one))
    return grammar


def understanding_of(model: "Transducer", path: Path | None, form: Format) -> "GrammarUnderstanding | None":
    """Return what understands utterances by a grammar; None without one.

    Raises:
        BiasingError: the grammar cannot be used; names it.
    """
    if path is None:
        return None
    if form not in (Format.text, Format.json):
        raise typer.BadParameter(f"{form.value} has no place for commands; take text or json", param_hint="--format")
    from ..recognition.grammar import GrammarUnderstanding

    grammar = read_commands(path)
    with named(path):
        return GrammarUnderstanding(model, grammar)


@contextmanager
def named(path: Path | None) -> Iterator[None]:
    """Name the file of a grammar that does not suit the model."""
    from ...biasing import BiasingError

    try:
        yield
    except BiasingError as error:
        raise BiasingError(f"{path}: {error}") from error


def request_model(name: str | None, form: Format) -> "UnderstandingModel | None":
    """Return the model of requests of ``--understand``; None without.

    Raises:
        UnderstandingError: there is none, or it is damaged; names it.
    """
    if name is None:
        return None
    if form not in (Format.text, Format.json):
        raise typer.BadParameter(f"{form.value} has no place for requests; take text or json", param_hint="--format")
    from ..recognition.understanding_file import load_understanding, resolve_understanding

    return load_understanding(resolve_understanding(name))


def request_stages(name: str | None, search: "SearchOptions", form: Format) -> "list[Stage]":
    """Return what understands the results of a stream by ``--understand``: nothing without; raises as the above."""
    model = request_model(name, form)
    return [] if model is None else [understanding_stage(model, search)]


def understanding_stage(model: "UnderstandingModel", search: "SearchOptions") -> "UnderstandingStage":
    """Return what understands the results of a stream; the lists of ``--bias`` say whose names are known."""
    from ...biasing import Biasing
    from ..recognition.understanding_stage import UnderstandingStage, listed_of

    bias = search.bias
    return UnderstandingStage(model, listed_of(bias)) if isinstance(bias, Biasing) else UnderstandingStage(model)


class CommandLines:
    """A line for each utterance, as soon as it has ended."""

    def __init__(self, out: TextIO, prefix: str, transcriber: "Segmenter", *, requests: bool = False) -> None:
        self._out, self._prefix, self._transcriber, self._requests = out, prefix, transcriber, requests
        self._shown = 0

    @property
    def has_news(self) -> bool:
        """Whether there is something to show."""
        return len(self._commands) > self._shown

    @property
    def _commands(self) -> "Sequence[Command | Understanding]":
        return self._transcriber.understandings if self._requests else self._transcriber.commands or []

    def show(self) -> None:
        """Print the utterances that have ended meanwhile."""
        commands = self._commands
        voices = self._transcriber.voices or [(None, None)] * len(commands)
        ended = zip(commands, self._transcriber.utterance_texts, voices, strict=True)
        for command, words, voice in islice(ended, self._shown, None):
            self._out.write(f"{self._prefix}{command_line(command, words)}{voice_label(*voice)}\n")
            self._out.flush()
        self._shown = len(commands)

    end = show


def command_line(command: "Command | Understanding", text: str) -> str:
    """Return what an utterance asks for, or the words that ask for nothing."""
    return str(command) if command.accepted else f"{command}: {text}"


def keys_of(transcriber: "Segmenter") -> dict[str, object]:
    """Return what JSON says of a recording beyond its words: nothing without a grammar, requests or speakers."""
    keys: dict[str, object] = {}
    if transcriber.commands is not None:
        keys["commands"] = [asdict(command) for command in transcriber.commands]
    if transcriber.understandings:
        keys["understandings"] = [asdict(one) for one in transcriber.understandings]
    if transcriber.voices is not None:
        keys["voices"] = [
            {"speaker": None if speaker is None else asdict(speaker), "whispered": whispered}
            for speaker, whispered in transcriber.voices
        ]
    return keys
