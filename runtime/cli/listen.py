"""``nearword listen``: the microphone live, with both end-pointers."""

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack, aclosing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .audio_options import (
    NAME,
    STANDARD_INPUT,
    OneChannel,
    RawChannels,
    RawRate,
    SampleFormat,
    choose_one_channel,
    raw_format,
    require_pipe,
)
from .commands import (
    GRAMMAR_HELP,
    GrammarFile,
    UnderstandModel,
    named,
    read_commands,
    request_stages,
)
from .interrupt import STOPPING, exit_code, note
from .options import Format, Graphs, KeepCase, LookAhead, Model, Precision, Report
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
from .voices import AnchorOption, SpeakersOption, WhispersOption, check_anchor_option, speakers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...lattice.rescoring import RescoringSettings
    from ...models import Channel, RawFormat, Transducer
    from ..recognition.session import Session
    from ..recognition.stage import MakeStage, Stage
    from ..search import SearchOptions
    from ..sources import AudioSource
    from ..streaming.event_stream import EventStream
    from ..streaming.pipeline import Pipeline
    from ..streaming.rescoring import Private, RescoringStage
    from .listen_view import View

DIALOGUE_HELP = (
    "[bold]Dialogues[/bold]\n\n"
    "What the device says and shows before each utterance, to try out what context does; in TOML:\n\n"
    "\\[\\[turn]]\n\n\\[\\[turn]]\n\nreply = 'Do you mean Meg Jones or Meg Bauer?'\n\n"
    "act = 'clarify'  # open, yes_no, confirm, spell, when, room, number; told by the reply where it is missing\n\n"
    "screen = \\['Meg Jones', 'Meg Bauer']\n\nentities = {contact = \\['Meg Jones', 'Meg Bauer', 'Ann Lee']}"
)
EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword listen\n\n"
    "nearword listen --list-devices\n\n"
    "nearword listen --device headset --preset fast\n\n"
    "nearword listen --bias contacts.vcf\n\n"
    "nearword listen --format json | jq -r 'select(.type == \"final\").text'\n\n"
    "nearword listen --grammar orders.json --format json | jq -c 'select(.type == \"final\").command'\n\n"
    "nearword listen talk.wav\n\n"
    "arecord -q -f S16_LE -r 16000 -c 1 | nearword listen -\n\n"
    "nearword listen --understand assistant\n\n"
    "nearword listen --speakers home.json\n\n"
    "nearword listen --dialogue dialogue.toml\n\n"
    f"{GRAMMAR_HELP}\n\n{DIALOGUE_HELP}"
)
Dialogue = Annotated[
    Path | None,
    typer.Option(
        "--dialogue",
        metavar="FILE",
        help="Play this dialogue: after each utterance the device says the next turn (see below).",
        show_default=False,
    ),
]
METER_SECONDS = 0.1
DEADLINE_SECONDS = 0.5
"""Time a rescoring service has, from the speculative end; a final result waits little for it."""


class Preset(str, Enum):
    """How soon silence counts as the end; see ``endpointing.PRESETS``."""

    fast = "fast"
    balanced = "balanced"
    patient = "patient"


def listen(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A recording, heard in real time, instead of the microphone; or a named pipe, or - for standard "
            "input, heard as it comes: a file, or raw samples (16 kHz, 16 bits, mono).",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Report, typer.Option("--format", "-f", help="The words, or every event as a line of JSON.")
    ] = Report.text,
    model: Model = "assistant-en",
    device: Annotated[
        str | None,
        typer.Option("--device", "-d", help="Input device: its index, or part of its name.", show_default=False),
    ] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="List the input devices and exit.")] = False,
    preset: Annotated[
        Preset, typer.Option("--preset", "-p", help="How soon silence counts as the end.")
    ] = Preset.balanced,
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
    dialogue: Dialogue = None,
    precision: Graphs = Precision.auto,
    look_ahead: LookAhead = None,
    channel: OneChannel = "mix",
    rate: RawRate = None,
    channels: RawChannels = None,
    sample_format: SampleFormat = None,
) -> None:
    """Recognise speech from the microphone as it is spoken.

    In a terminal: words while they come (bold: they stay), a level meter, and the time that the speculative
    end-pointer has won over the final one. Elsewhere: a line per utterance.

    Ctrl-C and SIGTERM print the last words; the exit code is 130 or 143 then.
    """
    if list_devices:
        _print_devices(report)
        return
    if source is not None and device is not None:
        raise typer.BadParameter("a device and a recording; give one of them", param_hint="--device")
    check_anchor_option(anchor)
    from ..recognition.session import Session
    from ..streaming.pipeline import Pipeline
    from .listen_view import make_view

    one = choose_one_channel(channel)
    audio = _make_source(source, device, one, raw_format(rate, channels, sample_format))
    loaded = loaded_model(model, precision, look_ahead=look_ahead)
    search = search_options(
        loaded, beam, bias, bias_strength, lm, lm_weight, phones=phones, sentences=sentences, attention=attention,
        effort=effort,
    )  # fmt: skip
    service = None if rescore is None else rescoring_settings(rescore, rescore_token_file, DEADLINE_SECONDS)
    commands = None if grammar is None else read_commands(grammar)
    who = speakers_of(loaded, speakers, Format.text, whispers=whispers)
    session, stages = (Session(loaded, search), ()) if dialogue is None else _dialogue(loaded, search, dialogue)
    understood = request_stages(understand, search, Format.text)
    # where a service may find better words, these are to be understood
    at_once, behind = (understood, []) if service is None else ([], understood)
    makers = [*stages, *(lambda stage=stage: stage for stage in at_once)]  # one stream alone
    pipeline = Pipeline(
        loaded, preset.value, search=search, lower=not keep_case, grammar=commands, speakers=who, anchor=anchor,
        stages=makers,
    )  # fmt: skip
    rescoring = None if service is None else (service, private_words(session, rescore_contacts))
    with named(grammar), make_view(json_lines=report is Report.json) as view:
        interrupted = asyncio.run(_listen(pipeline, audio, view, session, rescoring, behind))
    if interrupted:
        raise typer.Exit(exit_code())


def _dialogue(model: "Transducer", search: "SearchOptions", path: Path) -> "tuple[Session, tuple[MakeStage, ...]]":
    """Return a session in which a dialogue is played, and what says in the events what came of it."""
    from ..context.context_session import ContextSession
    from ..context.context_stage import ContextStage
    from ..context.dialogue import DialoguePlayer, Turn, read_dialogue

    def told(turn: Turn) -> None:
        for name in ("reply", "screen"):
            if name in turn:
                print(f"nearword: {name}: {turn[name]}", file=sys.stderr, flush=True)

    turns = read_dialogue(path)
    session = ContextSession(model, search)
    DialoguePlayer(session.context, turns, told)
    return session, (lambda: ContextStage(session),)


async def _listen(
    pipeline: "Pipeline",
    source: "AudioSource",
    view: "View",
    session: "Session",
    rescoring: "tuple[RescoringSettings, Private] | None",
    behind: "Sequence[Stage]",
) -> bool:
    """Show events until the audio ends; returns whether Ctrl-C ended it. A second Ctrl-C does not wait."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked = False
    from ..streaming.stages import AsyncStage, as_async, staged

    async with AsyncExitStack() as stack:
        stages: list[AsyncStage] = [] if rescoring is None else [await _rescoring(*rescoring, stack)]
        stages += [as_async(stage) for stage in behind]
        await stack.enter_async_context(pipeline)
        stream = pipeline.run(source, session=session)
        events = await stack.enter_async_context(aclosing(staged(stream, *stages)))

        def ask(number: int) -> None:
            nonlocal asked
            note(number)
            if asked and task is not None:
                task.cancel()
            asked = True
            stream.stop()

        stopping = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        for number in stopping:
            loop.add_signal_handler(number, ask, number)
        meter = asyncio.create_task(_show_level(stream, view)) if view.has_meter else None
        try:
            async for event in events:
                view.show(event)
        except asyncio.CancelledError:
            if not asked:
                raise
        finally:
            for number in stopping:
                loop.remove_signal_handler(number)
            if meter is not None:
                meter.cancel()
                await asyncio.wait([meter])
    return asked


async def _rescoring(service: "RescoringSettings", private: "Private", stack: AsyncExitStack) -> "RescoringStage":
    from ...lattice.rescoring import Rescorer
    from ..streaming.rescoring import RescoringStage

    return RescoringStage(await stack.enter_async_context(Rescorer(service)), private)


async def _show_level(stream: "EventStream", view: "View") -> None:
    while True:
        view.level(stream.statistics.level)
        await asyncio.sleep(METER_SECONDS)


def _make_source(source: Path | None, device: str | None, channel: "Channel", raw: "RawFormat | None") -> "AudioSource":
    from ..sources import AudioFile, Microphone

    if source is None:
        return Microphone(device, channel=channel)
    if source != STANDARD_INPUT:
        return AudioFile(source, real_time=True, channel=channel, raw=raw)
    require_pipe("listen")
    return AudioFile(0, channel=channel, raw=raw, name=NAME)


def _print_devices(report: Report) -> None:
    from ..sources import choose_device, list_devices

    devices = list_devices()
    choose_device(devices, None)  # says what to do where there are none
    if report is Report.json:
        rows = [
            {
                "index": found.index,
                "name": found.name,
                "channels": found.channels,
                "rate": found.rate,
                "default": found.is_default,
            }
            for found in devices
        ]
        print(json.dumps(rows))
        return
    for found in devices:
        mark = "*" if found.is_default else " "
        print(f"{mark} {found.index:3}  {found.name}  ({found.channels} channels, {found.rate:.0f} Hz)")
