"""``nearword transcribe``: files, or raw audio on standard input, to words."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, TextIO

import typer

from .commands import (
    GRAMMAR_HELP,
    CommandLines,
    GrammarFile,
    UnderstandModel,
    keys_of,
    request_stages,
    understanding_of,
)
from .interrupt import whole_steps
from .lattice import DRAWN_ARCS, FileFormat
from .options import Format, Graphs, KeepCase, Model, Precision, Threads, fail, open_output, spare
from .rescoring import RescoreUrl, SendContacts, TokenFile, private_words, rescoring_settings
from .searching import DEFAULT_BEAM, Beam, Bias, LanguageModel, LanguageWeight, Phones, Strength, search_options
from .standard_input import check_beginning, require_pipe

if TYPE_CHECKING:
    from ...lattice import Lattice
    from ...lattice.rescoring import RescoringSettings
    from ..recognition.events import Event
    from ..recognition.segmenter import Segmenter
    from ..streaming.rescoring import BlockingRescoring, Private

LONG_SECONDS = 60.0
"""Audio from which a progress bar is worth its place."""
DEADLINE_SECONDS = 2.0
"""Time a rescoring service has for an utterance of a recording."""
BLOCK_SECONDS = 1.0
"""Audio between two looks at the progress bar and at Ctrl-C."""
STANDARD_INPUT = Path("-")
EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword transcribe meeting.wav\n\n"
    "nearword transcribe --format json *.flac > words.jsonl\n\n"
    "nearword transcribe --format srt talk.mp3 --output talk.srt\n\n"
    "nearword transcribe --lattice-dir lattices *.flac\n\n"
    "nearword transcribe --bias contacts.vcf --bias rooms.txt call.wav\n\n"
    "nearword transcribe --grammar orders.json order.wav\n\n"
    "arecord -q -f S16_LE -r 16000 -c 1 | nearword transcribe -\n\n"
    "nearword transcribe --understand assistant order.wav\n\n"
    f"{GRAMMAR_HELP}"
)


def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
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
    keep_case: KeepCase = False,
    beam: Beam = DEFAULT_BEAM,
    bias: Bias = None,
    bias_strength: Strength = None,
    grammar: GrammarFile = None,
    understand: UnderstandModel = None,
    lm: LanguageModel = None,
    lm_weight: LanguageWeight = None,
    phones: Phones = True,
    rescore: RescoreUrl = None,
    rescore_token_file: TokenFile = None,
    rescore_contacts: SendContacts = False,
    precision: Graphs = Precision.auto,
    threads: Threads = 1,
    lattice_dir: Annotated[
        Path | None,
        typer.Option(
            help="Write what may have been said as well: a word lattice per utterance into this folder.",
            show_default=False,
        ),
    ] = None,
    lattice_format: Annotated[
        FileFormat, typer.Option(help="What lattices are written as (see: nearword lattice convert --help).")
    ] = FileFormat.binary,
) -> None:
    """Turn speech into text, streaming, offline.

    Lattices are named after the recording and the number of the utterance (talk-1.nwl, talk-2.nwl; stdin-1.nwl). Of
    several recordings with one name, the second is talk~2, and so on.

    A file that cannot be read is reported and the others go on; the exit code is 1 then. Of one that is broken in the
    middle, the words before are printed.

    Ctrl-C prints what was recognised so far; the exit code is 130 then.
    """
    from ...models import NearwordError, Transducer, resolve
    from ..recognition.formats import WRITERS
    from ..recognition.segmenter import Segmenter
    from ..recognition.session import Session

    _check(files, output_format, output)
    lattices = _LatticeFolder(lattice_dir, lattice_format) if lattice_dir is not None else None
    loaded = Transducer.load(resolve(model), threads=threads, precision=precision.value)
    search = search_options(loaded, beam, bias, bias_strength, lm, lm_weight, phones=phones)
    understanding = understanding_of(loaded, grammar, output_format)
    asked = request_stages(understand, search, output_format)
    session = Session(loaded, search)
    service = None if rescore is None else rescoring_settings(rescore, rescore_token_file, DEADLINE_SECONDS)
    write = WRITERS[output_format.value]
    prefixed = output_format is Format.text and len(files) > 1
    broken = interrupted = False
    progress = _Progress(files)
    with ExitStack() as stack:
        out = sys.stdout if output is None else stack.enter_context(open_output(output, "--output"))
        stack.enter_context(progress.running())
        private = private_words(session, rescore_contacts)
        told = [] if service is None else [_Told(stack.enter_context(_rescoring(service, private)))]
        for path in files:
            prefix = f"{path}: " if prefixed else ""
            transcriber = Segmenter(
                loaded, search=search, lower=not keep_case, grammar=understanding, stages=[*told, *asked]
            )
            growing = _growing(transcriber, out, prefix, path, bool(asked)) if output_format is Format.text else None
            try:
                if path == STANDARD_INPUT:
                    interrupted = _standard_input(transcriber, growing)
                else:
                    interrupted = _file(transcriber, path, progress)
                transcript = transcriber.finish()
            except NearwordError as error:
                with progress.aside():
                    fail(str(error))
                broken = True
                transcript = transcriber.finish()
                if not transcript.words:
                    continue
            if lattices is not None:
                lattices.write(path, transcriber.lattices)
            with progress.aside():
                if growing is not None:
                    growing.end(transcript.text)
                else:
                    out.write(prefix + write(str(path), transcript, loaded.info.name, **keys_of(transcriber)))
                out.flush()
            if interrupted:
                break
    if interrupted or broken:
        raise typer.Exit(130 if interrupted else 1)


def _rescoring(settings: "RescoringSettings", private: "Private") -> "BlockingRescoring":
    from ..streaming.rescoring import BlockingRescoring

    return BlockingRescoring(settings, private)


class _Told:
    """Rescoring that says once why an utterance keeps its words."""

    name = "rescoring"

    def __init__(self, rescoring: "BlockingRescoring") -> None:
        self._rescoring = rescoring
        self._told: set[str] = {"rescored"}

    def take(self, event: "Event") -> "Sequence[Event]":
        events = self._rescoring.take(event)
        for each in events:
            rescored = getattr(each, "rescored", None)
            if rescored is not None and rescored.reason not in self._told:
                self._told.add(rescored.reason)
                fail(f"not rescored ({rescored.reason}): the words are the device's own")
        return events


def _check(files: list[Path], output_format: Format, output: Path | None) -> None:
    """Refuse what could only go wrong later."""
    if output_format in (Format.srt, Format.vtt) and len(files) > 1:
        raise typer.BadParameter(f"{output_format.value} is one recording a file; name one", param_hint="FILE")
    if files.count(STANDARD_INPUT) > 1:
        raise typer.BadParameter("- stands twice; standard input can be read once", param_hint="FILE")
    if STANDARD_INPUT in files:
        require_pipe("transcribe")
    spare(files, output, "--output")


def _file(transcriber: "Segmenter", path: Path, progress: "_Progress") -> bool:
    """Take a file in; returns whether Ctrl-C ended it early."""
    from ...models import SAMPLE_RATE, cut_short, stream_audio

    if short := cut_short(path):
        with progress.aside():
            fail(f"{path}: cut short: its header promises {short[0]:.1f} s, {short[1]:.1f} s are there")
    try:
        for block in stream_audio(path, block_seconds=BLOCK_SECONDS):
            with whole_steps():
                transcriber.accept(block)
            progress.advance(len(block) / SAMPLE_RATE)
    except KeyboardInterrupt:
        return True
    return False


def _growing(
    transcriber: "Segmenter", out: TextIO, prefix: str, path: Path, requests: bool
) -> "_GrowingLine | CommandLines | None":
    """Return what shows the words, or what they ask for, as they come; None where all is printed at the end."""
    if requests or transcriber.commands is not None:
        return CommandLines(out, prefix, transcriber, requests=requests)
    return _GrowingLine(out, prefix) if path == STANDARD_INPUT else None


def _standard_input(transcriber: "Segmenter", growing: "_GrowingLine | CommandLines | None") -> bool:
    """Take raw samples in; returns whether Ctrl-C ended them. ``growing`` shows the words as they come."""
    import numpy as np

    source: IO[bytes] = sys.stdin.buffer
    rest, begun = b"", False
    try:
        # read1 gives what is there: a word must not wait for a full block
        while data := source.read1(6400):  # type: ignore[attr-defined]
            if not begun:
                check_beginning(data, "transcribe")
            begun, data = True, rest + data
            whole = len(data) // 2 * 2
            rest = data[whole:]
            samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(32768)
            with whole_steps():
                if transcriber.accept(samples) and growing is not None:
                    growing.show(transcriber.stable_text)
    except KeyboardInterrupt:
        return True
    if not begun:
        check_beginning(b"", "transcribe")
    return False


class _LatticeFolder:
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

    def write(self, recording: Path, lattices: "list[Lattice]") -> None:
        """Write the lattices of a recording's utterances; pictures show the best of them."""
        from ...lattice import FORMATS, limit_arcs, write_lattice

        form = FORMATS[self._form.value]
        name = self._name("stdin" if recording == STANDARD_INPUT else recording.stem)
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


class _GrowingLine:
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


class _Progress:
    """A bar on standard error, if that is a terminal and the files together are long."""

    def __init__(self, files: list[Path]) -> None:
        from ...models import audio_seconds

        self._bar = None
        if not sys.stderr.isatty():
            return
        # never of "-": libsndfile would read standard input for it
        total = sum(audio_seconds(path) or 0.0 for path in files if path != STANDARD_INPUT)
        if total >= LONG_SECONDS:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("transcribing"),
                BarColumn(),
                TextColumn("{task.completed:.0f}/{task.total:.0f} s of audio"),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
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
