"""``nearword transcribe``: files, pipes and standard input, to words."""

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from .audio_options import (
    NAME,
    STANDARD_INPUT,
    Channels,
    RawChannels,
    RawRate,
    SampleFormat,
    choose_channel,
    raw_format,
    require_pipe,
)
from .commands import (
    GRAMMAR_HELP,
    CommandLines,
    GrammarFile,
    UnderstandModel,
    keys_of,
    request_model,
    understanding_of,
    understanding_stage,
)
from .interrupt import exit_code, whole_steps
from .lattice import FileFormat
from .options import Format, Graphs, KeepCase, LookAhead, Model, Precision, Threads, fail, open_output, spare, told
from .rescoring import RescoreUrl, SendContacts, TokenFile, private_words, rescoring_settings
from .searching import (
    DEFAULT_BEAM,
    Attention,
    Beam,
    Bias,
    Effort,
    EffortOption,
    LanguageModel,
    LanguageWeight,
    Phones,
    Sentences,
    Strength,
    loaded_model,
    search_options,
)
from .transcribe_output import LatticeFolder, OneLine, Progress, UtteranceLines
from .voices import AnchorOption, SpeakersOption, WhispersOption, check_anchor_option, following_of, speakers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from ...lattice.rescoring import RescoringSettings
    from ...models import Channel, RawFormat
    from ..recognition.events import Event
    from ..recognition.segmenter import Segmenter
    from ..recognition.stage import Stage
    from ..recognition.transcript import Transcript
    from ..streaming.rescoring import BlockingRescoring, Private

DEADLINE_SECONDS = 2.0
"""Time a rescoring service has for an utterance of a recording."""
BLOCK_SECONDS = 1.0
"""Audio between two looks at the progress bar and at Ctrl-C."""
EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword transcribe meeting.wav\n\n"
    "nearword transcribe --format json *.flac > words.jsonl\n\n"
    "nearword transcribe --format srt talk.mp3 --output talk.srt\n\n"
    "nearword transcribe --lattice-dir lattices *.flac\n\n"
    "nearword transcribe --bias contacts.vcf --bias rooms.txt call.wav\n\n"
    "nearword transcribe --grammar orders.json order.wav\n\n"
    "nearword transcribe --channel each call.wav\n\n"
    "nearword transcribe --understand assistant order.wav\n\n"
    "nearword transcribe --speakers home.json order.wav\n\n"
    "nearword transcribe --anchor 0.8 after-the-wake-word.wav\n\n"
    "arecord -q -f S16_LE -r 16000 -c 1 | nearword transcribe -\n\n"
    "nearword transcribe --sample-format mulaw --rate 8000 call.raw\n\n"
    f"{GRAMMAR_HELP}"
)


def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Audio files (wav, flac, ogg, opus, mp3, aiff, au, caf; m4a, mp4, webm, wma, amr if ffmpeg is "
            "installed), named pipes, or - for standard input: a file, or raw samples (16 kHz, 16 bits, mono).",
            show_default=False,
        ),
    ],
    output_format: Annotated[Format, typer.Option("--format", "-f", help="What to print.")] = Format.text,
    model: Model = "assistant-en",
    channel: Channels = "mix",
    one_line: Annotated[
        bool, typer.Option("--one-line", help="All words of a recording in one line, not a line per utterance.")
    ] = False,
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
    speakers: SpeakersOption = None,
    whispers: WhispersOption = False,
    anchor: AnchorOption = None,
    lm: LanguageModel = None,
    lm_weight: LanguageWeight = None,
    phones: Phones = True,
    sentences: Sentences = True,
    attention: Attention = False,
    effort: EffortOption = Effort.full,
    rescore: RescoreUrl = None,
    rescore_token_file: TokenFile = None,
    rescore_contacts: SendContacts = False,
    precision: Graphs = Precision.auto,
    look_ahead: LookAhead = None,
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
    rate: RawRate = None,
    channels: RawChannels = None,
    sample_format: SampleFormat = None,
) -> None:
    """Turn speech into text, streaming, offline.

    Text is a line per utterance, printed as soon as it has ended. With --channel each, every channel has its own
    transcript: lines are labelled, JSON has "channel", subtitles name the channel.

    What a file is follows from its content, not its name. The options for raw audio hold for samples without a header.

    Lattices are named after the recording and the number of the utterance (talk-1.nwl, talk-2.nwl; stdin-1.nwl). Of
    several recordings with one name, the second is talk~2, and so on.

    A file that cannot be read is reported and the others go on; the exit code is 1 then. Of one that is broken in the
    middle, the words before are printed.

    Ctrl-C and SIGTERM print what was recognised so far; the exit code is 130 or 143 then.
    """
    from ..recognition.segmenter import Segmenter
    from ..recognition.session import Session

    _check(files, output_format, output)
    check_anchor_option(anchor)
    heard, raw = choose_channel(channel), raw_format(rate, channels, sample_format)
    lattices = LatticeFolder(lattice_dir, lattice_format) if lattice_dir is not None else None
    loaded = loaded_model(model, precision, threads=threads, look_ahead=look_ahead)
    search = search_options(
        loaded, beam, bias, bias_strength, lm, lm_weight, phones=phones, sentences=sentences, attention=attention,
        effort=effort,
    )  # fmt: skip
    understanding = understanding_of(loaded, grammar, output_format)
    requests = request_model(understand, output_format)
    who = speakers_of(loaded, speakers, output_format, whispers=whispers)
    following = following_of(loaded, anchor)
    session = Session(loaded, search)
    service = None if rescore is None else rescoring_settings(rescore, rescore_token_file, DEADLINE_SECONDS)
    broken = interrupted = False
    said = {"rescored"}
    progress = Progress(files)
    with ExitStack() as stack:
        out = sys.stdout if output is None else stack.enter_context(open_output(output, "--output"))
        stack.enter_context(progress.running())

        rescorers: list[_Told] = []

        def begin(number: int) -> Segmenter:
            # a stage hears one stream at a time: each channel has its own
            while service is not None and len(rescorers) < number:
                private = private_words(session, rescore_contacts)
                rescorers.append(_Told(stack.enter_context(_rescoring(service, private)), said))
            stages: list[Stage] = [*rescorers[number - 1 : number]]
            if requests is not None:
                stages.append(understanding_stage(requests, search))
            return Segmenter(
                loaded, search=search, lower=not keep_case, grammar=understanding, speakers=who,
                anchor=None if following is None else following.gate(anchor), stages=stages,
            )  # fmt: skip

        for path in files:
            prefix = f"{path}: " if len(files) > 1 else ""
            shown = _Shown(output_format, loaded.info.name, prefix, out, one_line, requests is not None)
            recording = _Recording(path, heard, begin, shown)
            failed = False
            try:
                interrupted = recording.hear(progress, raw)
            except OSError:
                raise  # of what is written to: audio that cannot be read is an AudioError
            except Exception as error:  # noqa: BLE001 (whatever a library makes of one recording, the others go on)
                with progress.aside():
                    fail(told(path, error))
                failed = broken = True
            with progress.aside():
                recording.end(lattices, failed=failed)
            if interrupted:
                break
    if interrupted or broken:
        raise typer.Exit(exit_code() if interrupted else 1)


def _rescoring(settings: "RescoringSettings", private: "Private") -> "BlockingRescoring":
    from ..streaming.rescoring import BlockingRescoring

    return BlockingRescoring(settings, private)


class _Told:
    """Rescoring that says once why an utterance keeps its words."""

    name = "rescoring"

    def __init__(self, rescoring: "BlockingRescoring", said: set[str]) -> None:
        self._rescoring, self._said = rescoring, said

    def take(self, event: "Event") -> "Sequence[Event]":
        events = self._rescoring.take(event)
        for each in events:
            rescored = getattr(each, "rescored", None)
            if rescored is not None and rescored.reason not in self._said:
                self._said.add(rescored.reason)
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


@dataclass(frozen=True)
class _Shown:
    """How a recording is printed."""

    form: Format
    model: str
    prefix: str
    """Of every line of text."""
    out: TextIO
    one_line: bool
    requests: bool
    """Whether text is what utterances ask for."""


class _Recording:
    """One recording: a transcript, or one for each of its channels."""

    def __init__(
        self,
        path: Path,
        channel: "Channel | Literal['each']",
        begin: "Callable[[int], Segmenter]",
        shown: _Shown,
    ) -> None:
        self._path, self._channel, self._begin = path, channel, begin
        self._shown = shown
        self._listeners: list[Segmenter] = []
        self._lines: list[OneLine | UtteranceLines | CommandLines] = []

    def hear(self, progress: Progress, raw: "RawFormat | None") -> bool:
        """Take the audio in; returns whether Ctrl-C ended it early.

        Raises:
            AudioError: it cannot be used, or only up to a place.
        """
        from ...models import SAMPLE_RATE, AudioStream

        source, name = (0, NAME) if self._path == STANDARD_INPUT else (self._path, None)
        try:
            with AudioStream(source, BLOCK_SECONDS, channel=self._channel, raw=raw, name=name) as audio:
                for block in audio:
                    if not self._listeners:
                        self._open(block.shape[1] if block.ndim == 2 else 1, grows=not audio.is_regular)
                    with whole_steps():
                        self._accept(block, progress)
                    progress.advance(len(block) / SAMPLE_RATE)
            if short := audio.cut_short:
                with progress.aside():
                    fail(f"{audio.name}: cut short: {short}")
        except KeyboardInterrupt:
            return True
        return False

    def _open(self, channels: int, *, grows: bool) -> None:
        for number in range(1, channels + 1):
            listener = self._begin(number)
            self._listeners.append(listener)
            if self._shown.form is not Format.text:
                continue
            prefix = f"{self._shown.prefix}channel {number}: " if self._channel == "each" else self._shown.prefix
            # lines of several channels cannot grow into one another
            grows = grows and channels == 1
            if listener.commands is not None or self._shown.requests:
                self._lines.append(CommandLines(self._shown.out, prefix, listener, requests=self._shown.requests))
            else:
                kind = OneLine if self._shown.one_line else UtteranceLines
                self._lines.append(kind(self._shown.out, prefix, listener, grows=grows))

    def _accept(self, block: "np.ndarray", progress: Progress) -> None:
        columns = block.T if block.ndim == 2 else (block,)
        news = [listener.accept(part) for listener, part in zip(self._listeners, columns, strict=True)]
        for line, new in zip(self._lines, news, strict=False):  # of other formats there are no lines
            if new and line.has_news:
                with progress.aside():
                    line.show()

    def end(self, lattices: LatticeFolder | None, *, failed: bool) -> None:
        """Print what is to be printed at the end; nothing of a recording that could not be read at all."""
        if not self._listeners:
            if failed:
                return
            self._open(1, grows=False)  # interrupted before the first sound
        transcripts = [listener.finish() for listener in self._listeners]
        if failed and not any(transcript.words for transcript in transcripts):
            return
        for number, listener in enumerate(self._listeners, 1):
            if lattices is not None:
                lattices.write(self._path, listener.lattices, number if self._channel == "each" else None)
        for line in self._lines:
            line.end()
        if not self._lines:
            self._shown.out.write(self._written(transcripts))
        self._shown.out.flush()

    def _written(self, transcripts: "list[Transcript]") -> str:
        """Return the transcripts in a format that is written at the end."""
        from ..recognition.formats import WRITERS, subtitles

        each = self._channel == "each"
        if each and self._shown.form in (Format.srt, Format.vtt):
            return subtitles(self._shown.form.value, enumerate(transcripts, 1))
        write = WRITERS[self._shown.form.value]
        rows = []
        for number, (transcript, listener) in enumerate(zip(transcripts, self._listeners, strict=True), 1):
            more: dict[str, object] = keys_of(listener) if self._shown.form is Format.json else {}
            channel = number if each else self._channel
            if channel != "mix" and self._shown.form in (Format.json, Format.ctm):
                more["channel"] = channel
            rows.append(write(str(self._path), transcript, self._shown.model, **more))
        return "".join(rows)
