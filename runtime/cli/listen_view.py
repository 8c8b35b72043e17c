"""What ``nearword listen`` shows: a live terminal, plain lines, or JSON lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ..recognition.events import AudioLost, Event, Final, Partial, Reset, SpeculativeFinal, SpeechStarted
from .commands import command_line
from .options import fail
from .voices import voice_label

METER_CELLS = 20
QUIETEST = -60.0
"""Level in dB at the meter's left end; the right end is full scale."""


def _line(event: SpeculativeFinal | Final) -> str:
    found, label = event.understanding, voice_label(event.speaker, event.whispered)
    if event.command is not None and (found is None or found.source == "grammar"):
        return command_line(event.command, event.text) + label
    return (event.text if found is None else command_line(found, event.text)) + label


class View(Protocol):
    """Where events are shown."""

    has_meter: bool
    """Whether ``level`` is wanted."""

    def show(self, event: Event) -> None:
        """Show an event, at once."""
        ...

    def level(self, decibels: float) -> None:
        """Show the loudness, in dB below full scale."""
        ...


@contextmanager
def make_view(*, json_lines: bool) -> Iterator[View]:
    """Open the view that fits: JSON lines, a live terminal if standard output is one, else a line per utterance."""
    console = Console(highlight=False)
    if json_lines:
        yield JsonLines()
    elif not console.is_terminal:
        yield PlainLines()
    else:
        with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="visible") as live:
            yield Terminal(live)


class JsonLines:
    """Every event, as a line that is flushed."""

    has_meter = False

    def show(self, event: Event) -> None:
        """Print a line."""
        sys.stdout.write(event.to_json() + "\n")
        sys.stdout.flush()

    def level(self, decibels: float) -> None:
        """Show nothing."""


class PlainLines:
    """The words of each utterance that has some, or what they ask for."""

    has_meter = False

    def show(self, event: Event) -> None:
        """Print the words of a final."""
        if isinstance(event, Final) and event.text:
            sys.stdout.write(_line(event) + "\n")
            sys.stdout.flush()
        elif isinstance(event, AudioLost):
            fail(f"{event.seconds:.1f} s of audio lost: {event.reason}")

    def level(self, decibels: float) -> None:
        """Show nothing."""


class Terminal:
    """Finished utterances above; the present one and the level meter below, written over again and again."""

    has_meter = True

    def __init__(self, live: Live) -> None:
        self._live = live
        self._decibels = QUIETEST
        self._words: RenderableType = Text("listening, Ctrl-C ends", style="dim")
        self._speculated: SpeculativeFinal | None = None
        self._resets = 0

    def show(self, event: Event) -> None:
        """Bring the terminal up to date."""
        if isinstance(event, SpeechStarted):
            self._words, self._resets = Text("..."), 0
        elif isinstance(event, Partial):
            self._words = Text.assemble((event.stable_text, "bold"), event.text[len(event.stable_text) :])
        elif isinstance(event, SpeculativeFinal):
            self._speculated = event
            self._words = Text.assemble((_line(event), "bold yellow"), ("  probably finished", "yellow"))
        elif isinstance(event, Reset):
            self._resets += 1
            text = self._speculated.text if self._speculated else ""
            self._words = Text.assemble(text, ("  goes on", "red"))
        elif isinstance(event, Final):
            self._words = Text("")
            if event.text:
                self._live.console.print(self._finished(event))
        elif isinstance(event, AudioLost):
            lost = f"{event.seconds:.1f} s of audio lost: {event.reason}"
            self._live.console.print(Text(lost, style="red"))
        self._refresh()

    def level(self, decibels: float) -> None:
        """Move the meter: up at once, down slowly."""
        self._decibels = max(decibels, self._decibels - 3.0, QUIETEST)
        self._refresh()

    def _finished(self, event: Final) -> Text:
        notes = []
        if event.confirms is not None and self._speculated is not None:
            notes.append(f"{1000 * (event.time - self._speculated.time):.0f} ms won")
        if self._resets:
            notes.append(f"{self._resets} reset{'s' if self._resets > 1 else ''}")
        return Text.assemble(
            (f"{event.time:8.2f} s  ", "dim"), (_line(event), "bold green"), (f"   {', '.join(notes)}", "dim")
        )

    def _refresh(self) -> None:
        filled = round(METER_CELLS * (1 - self._decibels / QUIETEST))
        color = "green" if filled < METER_CELLS * 0.9 else "red"
        meter = Text.assemble(("\u2588" * filled, color), ("\u2591" * (METER_CELLS - filled), "dim"))
        self._live.update(Group(self._words, meter), refresh=True)
