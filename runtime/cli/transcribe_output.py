"""What ``nearword transcribe`` prints and writes while and after it hears a recording."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from .audio_options import STANDARD_INPUT
from .lattice import DRAWN_ARCS, FileFormat
from .voices import voice_label

if TYPE_CHECKING:
    from ...lattice import Lattice
    from ..recognition.segmenter import Segmenter

LONG_SECONDS = 60.0
"""Audio from which a progress bar is worth its place."""


class UtteranceLines:
    """A line per utterance, as soon as it has ended; if it may grow, with the words that will not change any more."""

    def __init__(self, out: TextIO, prefix: str, transcriber: "Segmenter", *, grows: bool) -> None:
        self._out, self._prefix, self._transcriber = out, prefix, transcriber
        self._grows = grows
        self._line = GrowingLine(out, prefix)
        self._ended = 0
        self._any = False

    @property
    def has_news(self) -> bool:
        """Whether there is something to show."""
        return self._grows or len(self._transcriber.utterance_texts) > self._ended

    def show(self) -> None:
        """Print what has come."""
        texts = self._transcriber.utterance_texts
        voices = self._transcriber.voices or [(None, None)] * len(texts)
        for text, (speaker, whispered) in zip(texts[self._ended :], voices[self._ended :], strict=True):
            self._line.end(text + voice_label(speaker, whispered))
            self._line = GrowingLine(self._out, self._prefix)
            self._any = True
        self._ended = len(texts)
        if self._grows:
            before = " ".join(texts)
            self._line.show(self._transcriber.stable_text[len(before) :].lstrip())
        self._out.flush()

    def end(self) -> None:
        """Print the rest; of a recording without words, an empty line."""
        self.show()
        if not self._any:
            self._line.end("")
            self._out.flush()


class OneLine:
    """All words of a recording in a line: at once at its end, or growing."""

    def __init__(self, out: TextIO, prefix: str, transcriber: "Segmenter", *, grows: bool) -> None:
        self._out, self._transcriber = out, transcriber
        self._line = GrowingLine(out, prefix)
        self.has_news = grows

    def show(self) -> None:
        """Print what will not change any more."""
        if self.has_news:
            self._line.show(self._transcriber.stable_text)

    def end(self) -> None:
        """Print the rest and end the line."""
        self._line.end(self._transcriber.text)
        self._out.flush()


class GrowingLine:
    """A line that is written while it grows, with what will not change any more."""

    def __init__(self, out: TextIO, prefix: str) -> None:
        self._out = out
        self._prefix = prefix
        """Until something is shown."""
        self._shown = ""

    def show(self, text: str) -> None:
        """Write what has come to the text at its end."""
        text = text.rstrip("\ufffd")  # a character whose last bytes are still to come
        if text.startswith(self._shown) and text != self._shown:
            self._out.write(self._prefix + text[len(self._shown) :])
            self._out.flush()
            self._prefix, self._shown = "", text

    def end(self, text: str) -> None:
        """Write the rest and end the line."""
        rest = text[len(self._shown) :] if text.startswith(self._shown) else f"\n{text}"
        self._out.write(f"{self._prefix}{rest}\n")


class LatticeFolder:
    """Where lattices go, each in a file of its own."""

    def __init__(self, folder: Path, form: FileFormat) -> None:
        self._folder, self._form = folder, form
        self._taken: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise typer.BadParameter(
                f"{folder}: no folder can be made there ({error.strerror})", param_hint="--lattice-dir"
            ) from error

    def write(self, recording: Path, lattices: "Iterable[Lattice]", channel: int | None = None) -> None:
        """Write the lattices of a recording's utterances; pictures show the best of them."""
        from ...lattice import FORMATS, limit_arcs, write_lattice

        form = FORMATS[self._form.value]
        stem = "stdin" if recording == STANDARD_INPUT else recording.stem
        name = self._name(stem if channel is None else f"{stem}.channel{channel}")
        for number, lattice in enumerate(lattices, 1):
            shown = lattice if form.read else limit_arcs(lattice, DRAWN_ARCS)
            write_lattice(shown, self._folder / f"{name}-{number}{form.suffixes[0]}", form.name)

    def _name(self, stem: str) -> str:
        """Return a name that no recording before had, whether or not the file system tells letters' cases apart."""
        name, number = stem, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem}~{number}"
        self._taken.add(name.casefold())
        return name


class Progress:
    """A bar on standard error, if that is a terminal and the files together are long."""

    def __init__(self, files: list[Path]) -> None:
        from ...models import audio_seconds

        self._bar = None
        if not sys.stderr.isatty():
            return
        total = sum(audio_seconds(path) or 0.0 for path in files if path != STANDARD_INPUT)
        if total >= LONG_SECONDS:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("transcribing"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f} s of audio"),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
            self._task = self._bar.add_task("transcribing", total=total)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Show the bar meanwhile."""
        if self._bar:
            with self._bar:
                yield
        else:
            yield

    def advance(self, seconds: float) -> None:
        """Move the bar."""
        if self._bar:
            self._bar.advance(self._task, seconds)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away while something is printed."""
        if not self._bar:
            yield
            return
        self._bar.stop()
        yield
        self._bar.start()
