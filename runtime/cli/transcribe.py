"""``nearword transcribe``: files, or raw audio on standard input, to words."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TextIO

import typer
from typing_extensions import Self

from .options import Format, Model, Threads, fail

if TYPE_CHECKING:
    from ...models import Transducer
    from ..transcript import Transcript

LONG_SECONDS = 60.0
"""Audio from which a progress bar is worth its place."""


def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Audio files (wav, flac, ogg, opus, mp3), or - for raw 16 kHz 16-bit mono on standard input.",
            show_default=False,
        ),
    ],
    output_format: Annotated[Format, typer.Option("--format", "-f", help="What to print.")] = Format.text,
    model: Model = "assistant-en",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write here instead of to standard output.", show_default=False),
    ] = None,
    keep_case: Annotated[
        bool, typer.Option("--keep-case", help="Leave letters as the model's tokens have them.")
    ] = False,
    threads: Threads = 1,
) -> None:
    r"""Turn speech into text, streaming, offline.

    A file that cannot be read is reported and the others go on; the exit code is 1 then.

    \b
    nearword transcribe meeting.wav
    nearword transcribe --format srt talk.mp3 > talk.srt
    arecord -f S16_LE -r 16000 -c 1 | nearword transcribe -
    """
    from ...models import NearwordError
    from ..formats import WRITERS
    from ..transcriber import load_model

    loaded = load_model(model, threads=threads)
    write = WRITERS[output_format.value]
    prefixed = output_format is Format.text and len(files) > 1
    broken = interrupted = False
    out = _open(output)
    try:
        with _Progress(files, shown=output is not None or not sys.stdout.isatty()) as progress:
            for path in files:
                try:
                    if str(path) == "-":
                        interrupted = _standard_input(loaded, sys.stdin.buffer, out, output_format, lower=not keep_case)
                    else:
                        transcript, interrupted = _file(loaded, path, progress, lower=not keep_case)
                        out.write((f"{path}: " if prefixed else "") + write(str(path), transcript, loaded.info.name))
                        out.flush()
                except NearwordError as error:
                    fail(str(error))
                    broken = True
                if interrupted:
                    raise typer.Exit(130)
    finally:
        if out is not sys.stdout:
            out.close()
    if broken:
        raise typer.Exit(1)


def _open(output: Path | None) -> TextIO:
    if output is None:
        return sys.stdout
    try:
        return output.open("w", encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{output}: cannot be written ({error.strerror})", param_hint="--output") from error


def _file(model: "Transducer", path: Path, progress: "_Progress", *, lower: bool) -> "tuple[Transcript, bool]":
    """Return the words of a file and whether Ctrl-C ended it early."""
    from ...models import SAMPLE_RATE, stream_audio
    from ..transcriber import Transcriber

    transcriber = Transcriber(model, lower=lower)
    try:
        for block in stream_audio(path):
            transcriber.accept(block)
            progress.advance(len(block) / SAMPLE_RATE)
    except KeyboardInterrupt:
        return transcriber.finish(), True
    return transcriber.finish(), False


def _standard_input(model: "Transducer", source: BinaryIO, out: TextIO, output_format: Format, *, lower: bool) -> bool:
    """Print words as they come; returns whether Ctrl-C ended it."""
    import numpy as np

    from ..formats import WRITERS
    from ..transcriber import Transcriber

    transcriber = Transcriber(model, lower=lower)
    grows = output_format is Format.text
    printed, rest, interrupted = "", b"", False

    def show(text: str) -> None:
        # greedy search takes nothing back: what was printed stays the beginning
        nonlocal printed
        if grows and len(text) > len(printed):
            out.write(text[len(printed) :])
            out.flush()
            printed = text

    try:
        # read1 gives what is there: a word must not wait for a full block
        while data := source.read1(6400):  # type: ignore[attr-defined]
            data = rest + data
            rest = data[len(data) // 2 * 2 :]
            samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float32) / np.float32(32768)
            if transcriber.accept(samples):
                show(transcriber.partial.text)
    except KeyboardInterrupt:
        interrupted = True
    transcript = transcriber.finish()
    show(transcript.text)
    out.write("\n" if grows else WRITERS[output_format.value]("-", transcript, model.info.name))
    out.flush()
    return interrupted


class _Progress:
    """A bar on standard error, if that is a terminal and the files together are long."""

    def __init__(self, files: list[Path], *, shown: bool) -> None:
        from ...models import audio_seconds

        total = sum(audio_seconds(path) or 0.0 for path in files) if shown and sys.stderr.isatty() else 0.0
        self._bar = None
        if total >= LONG_SECONDS:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("transcribing"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f} s of audio"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("transcribing", total=total)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, seconds: float) -> None:
        if self._bar:
            self._bar.advance(self._task, seconds)
