"""The context of one session: what was heard, said, asked and shown, each for its time."""

import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..recognition.events import Event, Final
from .acts import Act, act_names
from .errors import ContextError
from .inputs import ContextInput
from .weights import Source

REPLY_SECONDS = 120.0
"""How long a reply or a screen counts at most, where nobody says."""
HEARD_TURNS = 2
"""Turns for which what was heard counts."""
MAX_LINES = 1000
"""Lines of a screen, or entries of a class, that are taken."""


@dataclass(frozen=True)
class Life:
    """How long something counts: whichever ends first.

    Raises:
        ContextError: a value is out of range; names it.
    """

    turns: int | None = 1
    """Utterances; None: any number."""
    seconds: float | None = REPLY_SECONDS
    """Seconds; None: for ever."""

    def __post_init__(self) -> None:
        if self.turns is not None and not 1 <= self.turns <= 1000:
            raise ContextError(f"turns is {self.turns}: expected 1 to 1000, or none")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ContextError(f"seconds is {self.seconds}: expected more than 0, or none")


NEXT_TURN = Life()
UNTIL_REPLACED = Life(None, None)


@dataclass
class _Entry:
    source: Source
    name: str
    """Class of entities; what a new one takes the place of is of the same source and name."""
    texts: tuple[str, ...]
    turns: int | None
    until: float
    act: Act | None = None


class SessionContext:
    """What came before in one session. Safe to be called from any thread.

    >>> context = SessionContext()
    >>> context.entities("contact", ["Meg Jones", "Meg Bauer"])
    >>> context.reply("Do you mean Meg Jones or Meg Bauer?", act="clarify")
    >>> session.context = ...                                  # see ``live.LiveContext`` for how it reaches a search
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Source, float | None], None]] = []
        self.revision = 0
        """Counts changes."""

    def subscribe(self, listener: Callable[[Source, float | None], None]) -> None:
        """Have ``listener`` called after every change, with its source and the seconds until the microphone opens."""
        self._listeners.append(listener)

    def reply(
        self, text: str, act: Act | str | None = None, *, life: Life = NEXT_TURN, opens_in: float | None = None
    ) -> None:
        """Note what the device says, and what it asks for.

        Args:
            text: as it is spoken; capital letters help to find names.
            act: what it asks for; None: told by its words.
            life: how long it counts.
            opens_in: seconds until the microphone opens, where that is known: so long may the computing take.

        Raises:
            ContextError: no such act, or a value out of range.
        """
        check_text(text, "reply")
        chosen = None if act is None else act_named(act)
        self._put(Source.reply, "", (text,), life, chosen, opens_in=opens_in)

    def screen(self, lines: Iterable[str], *, life: Life = NEXT_TURN) -> None:
        """Note what is on the display, in the place of what was; nothing clears it."""
        self._put(Source.screen, "", texts_of(lines, "screen"), life)

    def entities(self, cls: str, entries: Iterable[str], *, life: Life = UNTIL_REPLACED) -> None:
        """Note the entries of a class that services brought up, in the place of what was; nothing clears them."""
        name = cls.strip().lower()
        if not name.replace("_", "").replace("-", "").isalnum():
            raise ContextError(f"class {cls[:60]!r}: expected a word such as contact")
        self._put(Source.entities, name, texts_of(entries, f"entities of {name}"), life)

    def device(self, name: str = "", *, room: str = "", life: Life = UNTIL_REPLACED) -> None:
        """Note which device is spoken to, and where it is."""
        check_text(name, "device")
        check_text(room, "room")
        self._put(Source.device, "", (name, room) if name or room else (), life)

    def heard(self, said: Event | str) -> None:
        """Note what was understood: a final event of the stream, or its text. Ends a turn.

        Other events change nothing, and final ones without words neither: noise uses up no reply.
        """
        if isinstance(said, Event) and not (isinstance(said, Final) and said.text):
            return
        text = said.text if isinstance(said, Final) else str(said)
        check_text(text, "heard")
        with self._lock:
            kept = []
            for entry in self._entries:
                if entry.turns is not None:
                    entry.turns -= 1
                if entry.turns is None or entry.turns > 0:
                    kept.append(entry)
            self._entries = kept
            if text:
                self._entries.append(_Entry(Source.heard, "", (text,), HEARD_TURNS, self._clock() + REPLY_SECONDS))
            self.revision += 1
        self._tell(Source.heard, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries = []
            self.revision += 1
        self._tell(Source.heard, None)

    def prune(self) -> None:
        """Forget what has outlived its seconds; a change like any other."""
        now = self._clock()
        with self._lock:
            kept = [entry for entry in self._entries if entry.until > now]
            if len(kept) < len(self._entries):
                self._entries = kept
                self.revision += 1

    def snapshot(self) -> ContextInput:
        """Return what counts now."""
        self.prune()
        with self._lock:
            entries = list(self._entries)
        by_source = {source: [entry for entry in entries if entry.source is source] for source in Source}
        reply = by_source[Source.reply][-1:]
        device = by_source[Source.device][-1:]
        return ContextInput(
            reply=reply[0].texts[0] if reply else "",
            act=reply[0].act if reply else None,
            screen=by_source[Source.screen][-1].texts if by_source[Source.screen] else (),
            entities={entry.name: entry.texts for entry in by_source[Source.entities]},
            device=device[0].texts[0] if device else "",
            room=device[0].texts[1] if device else "",
            heard=tuple(entry.texts[0] for entry in by_source[Source.heard]),
        )

    def _put(
        self,
        source: Source,
        name: str,
        texts: tuple[str, ...],
        life: Life,
        act: Act | None = None,
        *,
        opens_in: float | None = None,
    ) -> None:
        if opens_in is not None and not 0 <= opens_in < math.inf:
            raise ContextError(f"opens_in is {opens_in}: expected seconds from 0 on")
        until = math.inf if life.seconds is None else self._clock() + life.seconds
        with self._lock:
            self._entries = [entry for entry in self._entries if (entry.source, entry.name) != (source, name)]
            if texts and any(texts):
                self._entries.append(_Entry(source, name, texts, life.turns, until, act))
            self.revision += 1
        self._tell(source, opens_in)

    def _tell(self, source: Source, opens_in: float | None) -> None:
        for listener in self._listeners:
            listener(source, opens_in)


MAX_CHARACTERS = 8000
"""Of a text."""


def check_text(text: object, name: str) -> str:
    """Return a text; raises ``ContextError`` if it is none, or too long."""
    if not isinstance(text, str):
        raise ContextError(f"{name} is {text!r:.40}: expected a text")
    if len(text) > MAX_CHARACTERS:
        raise ContextError(f"{name} has {len(text)} characters; at most {MAX_CHARACTERS} are taken")
    return text


def texts_of(lines: object, name: str) -> tuple[str, ...]:
    """Return a list of texts, empty ones left out; raises ``ContextError`` if it is none, or too long."""
    if isinstance(lines, str) or not isinstance(lines, Iterable):
        raise ContextError(f"{name} is {lines!r:.40}: expected a list of texts")
    texts = tuple(lines)
    if len(texts) > MAX_LINES:
        raise ContextError(f"{name} has {len(texts)} texts; at most {MAX_LINES} are taken, the likeliest first")
    for text in texts:
        check_text(text, name)
    return tuple(text for text in texts if text.strip())


def act_named(value: Act | str) -> Act:
    """Return an act by its name; raises ``ContextError`` if there is none."""
    try:
        return Act(value)
    except ValueError as error:
        raise ContextError(f"act {str(value)[:40]!r}: expected one of {', '.join(act_names())}") from error
