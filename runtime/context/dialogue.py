"""Dialogues from a file: what the device says and shows before each utterance, to try contexts out."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .errors import ContextError
from .messages import update
from .session import SessionContext
from .weights import Source

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Turn = dict[str, Any]
"""What comes before an utterance, as ``messages.update`` takes it."""


def read_dialogue(path: Path) -> list[Turn]:
    """Read a dialogue: a TOML file with a table ``[[turn]]`` for each utterance, in order.

    The keys of a turn are those of ``messages.update``; all of them may be missing, where nothing is said.

    Raises:
        ContextError: the file cannot be read, or a turn is none; names it.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContextError(f"{path}: {error.strerror}; expected a dialogue in TOML") from error
    except ValueError as error:  # no UTF-8, no TOML
        raise ContextError(f"{path}: is not TOML ({error})") from error
    turns = values.pop("turn", None)
    if not isinstance(turns, list) or not turns or values:
        raise ContextError(f"{path}: expected tables [[turn]] and nothing else")
    for number, turn in enumerate(turns, 1):
        try:
            update(SessionContext(), turn)
        except ContextError as error:
            raise ContextError(f"{path}: turn {number}: {error}") from error
    return turns


class DialoguePlayer:
    """Plays a dialogue: after each utterance the device says the next turn."""

    def __init__(
        self, context: SessionContext, turns: Sequence[Turn], said: Callable[[Turn], None] = lambda _: None
    ) -> None:
        """Say the first turn now.

        Args:
            context: of the session that listens.
            turns: of the dialogue.
            said: told each turn as it is said.
        """
        self._context, self._turns, self._said = context, iter(turns), said
        self._speaking = False
        context.subscribe(self._follow)
        self._next()

    def _follow(self, source: Source, opens_in: float | None) -> None:
        del opens_in
        if source is Source.heard and not self._speaking:
            self._next()

    def _next(self) -> None:
        turn = next(self._turns, None)
        if turn is not None:
            self._speaking = True  # what a turn itself says was heard is no utterance
            update(self._context, turn)
            self._speaking = False
            self._said(turn)
