"""What a stream of audio becomes: typed events, and their JSON form.

The contract: exactly one ``Final`` per ``SpeechStarted``; every ``SpeculativeFinal`` is followed by exactly one of
``Reset`` (of the same revision) or a ``Final`` that confirms it, and there is no other ``Reset``; times never go
back; nothing of an utterance comes after its ``Final``; words once marked stable stay.
"""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from ...lattice import Lattice
from ...models.errors import NearwordError
from .transcript import Word

if TYPE_CHECKING:
    from ...lattice.understanding.result import Understanding

VERSION = 1
"""Of the events' JSON form. It counts up when a reader that knows this one would misunderstand: keys that a reader does
not know, it leaves aside."""


class EventError(NearwordError, ValueError):
    """A line or an object that is no event, or one of a later version. Names what is wrong with it."""


@dataclass(frozen=True)
class Alternative:
    """Words that may have been said instead."""

    text: str
    probability: float
    """Among all that the lattice holds, 0 to 1."""


@dataclass(frozen=True)
class Rescoring:
    """What came of asking a service for better words."""

    reason: str
    """``rescored``: its words hold. Else the local ones do, and this is why; see ``lattice.rescoring.Reason``."""
    milliseconds: float
    """By the clock, from sending the lattice to knowing."""
    model: str | None = None
    """Name of the language model that answered."""


@dataclass(frozen=True)
class ContextUse:
    """What came of the context of a dialogue: what was said, asked and shown before."""

    sources: tuple[str, ...] = ()
    """What was known, such as ``reply`` and ``screen``; nothing if there was no context."""
    act: str = ""
    """What had been asked for, such as ``clarify``."""
    reason: str = ""
    """Why it was not used: ``late``, ``nothing``, ``unfit`` (what was said is no answer to it), or what went wrong."""
    milliseconds: float = 0.0
    """By the clock, from the last change to the computed context."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(self.sources))  # JSON has lists


@dataclass(frozen=True)
class Command:
    """What an utterance asks for, where a grammar says all that may be asked for."""

    accepted: bool
    """Whether it is one of the commands; all else is empty if not."""
    intent: str = ""
    """Name of the template; empty where templates have no names."""
    slots: dict[str, str] = field(default_factory=dict)
    """Class, in lower case, to the phrase that was said."""
    text: str = ""
    """Words of the command."""
    log_odds: float = 0.0
    """How much likelier they are than words of any kind (natural logarithm)."""

    def __str__(self) -> str:
        """Return a line such as "tell: who=brother, what=late"."""
        if not self.accepted:
            return "no command"
        slots = ", ".join(f"{name}={value}" for name, value in self.slots.items())
        return ": ".join(part for part in (self.intent or "command", slots) if part)


@dataclass(frozen=True)
class Speaker:
    """Whose voice an utterance is by, of those who are enrolled."""

    name: str | None
    """None where it is like nobody's."""
    score: float
    """Cosine to the nearest of them, -1 to 1."""


def _understanding(values: dict[str, Any]) -> "Understanding":
    from ...lattice.understanding.result import Understanding  # noqa: PLC0415 (only where requests are understood)

    return Understanding.from_dict(values)


_WHERE_ASKED_FOR: "dict[str, Callable[[Any], Rescoring | Command | ContextUse | Understanding | Speaker | float]]" = {
    "rescored": lambda values: Rescoring(**values),
    "command": lambda values: Command(**values),
    "context": lambda values: ContextUse(**values),
    "understanding": _understanding,
    "speaker": lambda values: Speaker(**values),
    "whispered": float,
}
"""Fields that stand in JSON only where there is something in them."""


class FinalReason(str, Enum):
    """Why an utterance was ended."""

    silence = "silence"
    """The final end-pointer took the silence for the end."""
    max_length = "max_length"
    """The utterance had grown to the longest allowed."""
    no_speech = "no_speech"
    """Sound, but no words for too long."""
    end_of_stream = "end_of_stream"
    """The audio ended."""
    audio_lost = "audio_lost"
    """So much audio was lost that what follows cannot belong to it."""


@dataclass(frozen=True)
class Event:
    """What all events have."""

    utterance: int
    """Counts from 1. Between utterances: of the one to come."""
    revision: int
    """0 at the start of an utterance; each event with a text of its own has one more."""
    time: float
    """Seconds of audio since the stream began, lost audio included; never wall clock."""

    def to_dict(self, *, lattice: bool = False) -> dict[str, Any]:
        """Return plain JSON values, ``type`` and ``version`` first; the lattice, if wanted, in its own JSON form."""
        values: dict[str, Any] = {"type": event_type(type(self)), "version": VERSION}
        for entry in dataclasses.fields(self):
            value = getattr(self, entry.name)
            if entry.name == "words":
                value = [
                    {"word": word.text, "start": word.start, "end": word.end, "confidence": word.confidence}
                    for word in value
                ]
            elif entry.name == "n_best":
                value = [dataclasses.asdict(alternative) for alternative in value]
            elif entry.name in _WHERE_ASKED_FOR:
                if value is not None:
                    values[entry.name] = value if isinstance(value, float) else dataclasses.asdict(value)
                continue
            elif entry.name == "lattice":
                if lattice and value is not None:
                    from ...lattice.formats.json_format import to_json  # noqa: PLC0415 (seldom asked for)

                    values["lattice"] = json.loads(to_json(value))
                continue
            values[entry.name] = value.value if isinstance(value, Enum) else value
        return values

    def to_json(self, *, lattice: bool = False) -> str:
        """Return one line of JSON, without the line's end."""
        return json.dumps(self.to_dict(lattice=lattice), ensure_ascii=False)


@dataclass(frozen=True)
class SpeechStarted(Event):
    """An utterance has begun: speech was heard for a while, or a first token found."""


@dataclass(frozen=True)
class Partial(Event):
    """The best words so far have changed; at most ten of these per second of audio."""

    text: str
    words: tuple[Word, ...]
    stable: int
    """So many words at the beginning will not change any more, up to and with the ``Final``."""

    @property
    def stable_text(self) -> str:
        """The words that will not change any more."""
        return " ".join(word.text for word in self.words[: self.stable])


@dataclass(frozen=True)
class SpeculativeFinal(Event):
    """The speaker has probably finished: work may start, to be dropped on the ``Reset`` of this revision."""

    text: str
    words: tuple[Word, ...]
    n_best: tuple[Alternative, ...] = ()
    """The most probable texts, the best first. ``text`` is what the search followed, and mostly the first of them."""
    lattice: Lattice | None = None
    """Everything that may have been said, pruned."""
    command: Command | None = None
    """What a grammar makes of it; None without a grammar, as by default."""
    understanding: "Understanding | None" = None
    """What is asked for, by a grammar or by a model of requests; None without either, as by default."""
    speaker: Speaker | None = None
    """Who speaks; None where nobody is enrolled, as by default, or too little was heard."""
    whispered: float | None = None
    """Probability that it was whispered; None where nobody asked for it, as by default, or too little was heard."""


@dataclass(frozen=True)
class Reset(Event):
    """The ``SpeculativeFinal`` of this revision was wrong: drop all that was started from it."""


@dataclass(frozen=True)
class Final(Event):
    """The utterance has ended; an empty ``text`` says that the sound had no words."""

    text: str
    words: tuple[Word, ...]
    confirms: int | None = None
    """Revision of the ``SpeculativeFinal`` that said the same, if one stands."""
    reason: FinalReason = field(default=FinalReason.silence)
    n_best: tuple[Alternative, ...] = ()
    """As of ``SpeculativeFinal``."""
    lattice: Lattice | None = None
    """Everything that may have been said, pruned."""
    rescored: Rescoring | None = None
    """What came of rescoring; None where nobody asked for it, as by default."""
    command: Command | None = None
    """As of ``SpeculativeFinal``, and the same as in the one that is confirmed."""
    understanding: "Understanding | None" = None
    """Likewise."""
    context: ContextUse | None = None
    """What came of the dialogue's context; None where nobody asked for it, as by default."""
    speaker: Speaker | None = None
    """As of ``SpeculativeFinal``, and the same as in the one that is confirmed."""
    whispered: float | None = None
    """Likewise."""


@dataclass(frozen=True)
class AudioLost(Event):
    """Audio was dropped; the stream goes on after the gap."""

    seconds: float
    """Length of what is missing."""
    reason: str
    """In words: the recogniser is too slow, the device is gone."""


_TYPES: tuple[type[Event], ...] = (SpeechStarted, Partial, SpeculativeFinal, Reset, Final, AudioLost)


def event_type(kind: type[Event]) -> str:
    """Return an event's name in JSON: the class's, in snake case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_BY_NAME = {event_type(kind): kind for kind in _TYPES}


def from_dict(values: dict[str, Any]) -> Event:
    """Return the event that ``to_dict`` made ``values`` of; keys it does not know are left aside.

    Raises:
        EventError: no such type, a later version, or a field is missing; names it.
    """
    version = values.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise EventError(f"event version {version!r:.20}: this nearword reads up to {VERSION}; a newer one is needed")
    kind = _BY_NAME.get(values.get("type", ""))
    if kind is None:
        raise EventError(f"event type {values.get('type')!r:.40}: expected one of {', '.join(_BY_NAME)}")
    known = {entry.name for entry in dataclasses.fields(kind)}
    given = {key: value for key, value in values.items() if key in known}
    try:
        return kind(**_read_fields(kind, given))
    except (TypeError, KeyError, ValueError) as error:
        raise EventError(f"event {values.get('type')!r} is incomplete or damaged: {error}") from error


def _read_fields(kind: type[Event], given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an event out of what ``to_dict`` made of them."""
    if "words" in given:
        given["words"] = tuple(
            Word(word["word"], word["start"], word["end"], word["confidence"]) for word in given["words"]
        )
    if "n_best" in given:
        given["n_best"] = tuple(Alternative(**alternative) for alternative in given["n_best"])
    for name, part in _WHERE_ASKED_FOR.items():
        if given.get(name) is not None:
            given[name] = part(given[name])
    if given.get("lattice") is not None:
        from ...lattice.formats.json_format import from_json as from_lattice_json  # noqa: PLC0415 (seldom there)

        given["lattice"] = from_lattice_json(json.dumps(given["lattice"]))
    if "reason" in given and kind is Final:
        given["reason"] = FinalReason(given["reason"])
    return given


def from_json(line: str) -> Event:
    """Return the event of one line of JSON; raises ``EventError`` as ``from_dict``."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise EventError(f"an event is a line of JSON, not {line[:40]!r}") from error
    if not isinstance(values, dict):
        raise EventError(f"an event is a JSON object, not {line[:40]!r}")
    return from_dict(values)


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of lines, as ``nearword listen --format json`` prints them; empty ones are left out.

    Raises:
        EventError: a line is no event; names its number.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield from_json(line)
            except EventError as error:
                raise EventError(f"line {number}: {error}") from error
