"""What utterances ask for, where a grammar says all that may be asked: the option, and how it is printed."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from .options import Format, fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...models import Transducer
    from ...models.audio import Samples
    from ..grammar import Understood
    from ..segmenter import Segmenter

GrammarFile = Annotated[
    Path | None,
    typer.Option(
        "--grammar",
        metavar="FILE",
        help="Print what each utterance asks for, by the commands in this file (see below).",
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
    '"tell: who=brother, what=on my way", or "no command: " and the words that were heard. With --format json, '
    '"commands" has intent, slots and words of each utterance, and log_odds: how far above free speech it is.'
)


def understanding(model: "Transducer", path: Path | None, form: Format) -> "Callable[[Samples], Understood] | None":
    """Return what understands the audio of an utterance by a grammar; what of it is not used is told.

    None without a grammar.

    Raises:
        BiasingError: the grammar cannot be used; names it.
    """
    from ...biasing import BiasingError
    from ..grammar import read_grammar, search_with_grammar, understand

    if path is None:
        return None
    if form not in (Format.text, Format.json):
        raise typer.BadParameter(f"{form.value} has no place for commands; take text or json", param_hint="--format")
    grammar, refused = read_grammar(path)
    for one in refused:
        fail(str(one))
    try:
        search = search_with_grammar(model, grammar)
    except BiasingError as error:
        raise BiasingError(f"{path}: {error}") from error
    return lambda samples: understand(model, [samples], grammar, search)


class CommandLines:
    """A line for each utterance, as soon as it has ended."""

    def __init__(self, out: TextIO, prefix: str, transcriber: "Segmenter") -> None:
        self._out, self._prefix, self._transcriber = out, prefix, transcriber
        self._shown = 0

    def show(self, text: str) -> None:
        """Print the utterances that have ended meanwhile; ``text`` is all words so far."""
        del text
        transcriber = self._transcriber
        commands = transcriber.commands or []
        ended = zip(commands, transcriber.utterance_texts, strict=True)
        for command, words in islice(ended, self._shown, None):
            self._out.write(f"{self._prefix}{_line(command, words)}\n")
            self._out.flush()
        self._shown = len(commands)

    end = show


def _line(command: "Understood", text: str) -> str:
    if command.filled is None or not command.accepted:
        return f"no command: {text}"
    slots = ", ".join(f"{name}={value}" for name, value in command.filled.slots.items())
    return ": ".join(part for part in (command.filled.intent or "command", slots) if part)


def keys_of(transcriber: "Segmenter") -> dict[str, object]:
    """Return what JSON says of a recording beyond its words: nothing without a grammar."""
    return {} if transcriber.commands is None else {"commands": [_row(command) for command in transcriber.commands]}


def _row(command: "Understood") -> dict[str, object]:
    filled = command.filled
    if filled is None or not command.accepted:
        return {"accepted": False}
    return {
        "accepted": True,
        "intent": filled.intent or None,
        "slots": filled.slots,
        "text": " ".join(filled.words),
        "log_odds": round(command.log_odds, 2),
    }
