"""``nearword speakers``: enrol people by recordings of their voices, and tell them apart."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Model, Report
from .voices import WHISPERED

if TYPE_CHECKING:
    from ..recognition.speakers import EnrolledSpeakers, Speakers

LIMITS = (
    "[bold]What it is worth[/bold]\n\n"
    "Good for a greeting, a playlist, whose calendar is meant; not for locks or payments: a recording of a voice is "
    "taken for the voice, and people who sound alike for one another. docs/speakers.md has figures."
)
ENROL_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword speakers enrol anna anna-1.wav anna-2.wav\n\n"
    "nearword speakers enrol ben ben.m4a --speakers home.json\n\n"
    "nearword listen --speakers home.json\n\n"
    "Some ten seconds of speech, at the microphone that will listen later, are a good start. Enrolled again, somebody "
    f"has more recordings.\n\n{LIMITS}"
)
VERIFY_EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword speakers verify order.wav\n\n"
    "nearword speakers verify order.wav --name anna && echo 'it is anna'\n\n"
    "nearword speakers verify *.wav --format json | jq -r .name\n\n"
    f"{LIMITS}"
)
LIST_EXAMPLES = "[bold]Examples[/bold]\n\nnearword speakers list\n\nnearword speakers list --format json"
REMOVE_EXAMPLES = "[bold]Examples[/bold]\n\nnearword speakers remove anna"
app = typer.Typer(help="Tell people apart by their voices: enrol them, see whom a recording is by.")

SpeakersFile = Annotated[
    Path,
    typer.Option(
        "--speakers", "-s", metavar="FILE", envvar="NEARWORD_SPEAKERS", help="File of those who are enrolled."
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=-1.0,
        max=1.0,
        help="Likeness from which on it is an enrolled speaker; more: fewer are taken for somebody else.",
        show_default="the model's",
    ),
]
Recordings = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Recordings of one speaker each.", show_default=False)
]
DEFAULT = Path("speakers.json")


@app.command(epilog=ENROL_EXAMPLES)
def enrol(
    name: Annotated[str, typer.Argument(help="Whose voice it is.", show_default=False)],
    files: Recordings,
    speakers: SpeakersFile = DEFAULT,
    model: Model = "assistant-en",
) -> None:
    """Enrol somebody by recordings of nobody else; known already, they have more of them.

    Vectors are kept, no audio. Every recording must have words in it; if one is refused, nothing is changed.
    """
    from ...models import Transducer, resolve, stream_audio
    from ...models.voice import VoiceEncoder
    from ..recognition.speakers import EnrolledSpeakers, SpeakersError, read_speakers, voices_of

    if not name.strip():
        raise typer.BadParameter("an empty name; give one", param_hint="NAME")
    loaded = Transducer.load(resolve(model))
    encoder = VoiceEncoder(loaded)
    known = read_speakers(speakers, encoder) if speakers.exists() else EnrolledSpeakers(encoder.identity)
    for file in files:
        voices = voices_of(loaded, encoder, stream_audio(file))
        if not voices:
            raise SpeakersError(f"{file}: no words are heard in it; expected a second of {name}'s speech at the least")
        for voice in voices:
            known.add(name, voice)
        print(f"{file}: {sum(voice.seconds for voice in voices):.1f} s in {len(voices)} utterances")
    known.save(speakers)
    print(f"{speakers}: {name} has {known.seconds(name):.1f} s; {len(known.voices)} enrolled")


@app.command("list", epilog=LIST_EXAMPLES)
def list_speakers(
    speakers: SpeakersFile = DEFAULT,
    model: Model = "assistant-en",
    report: Annotated[Report, typer.Option("--format", "-f", help="Lines, or one JSON object each.")] = Report.text,
) -> None:
    """List who is enrolled, with seconds and utterances."""
    import json

    known = _read(speakers, model)
    for name, voices in known.voices.items():
        if report is Report.json:
            print(json.dumps({"name": name, "seconds": round(known.seconds(name), 2), "utterances": len(voices)}))
        else:
            print(f"{known.seconds(name):8.1f} s  {len(voices):4} utterances  {name}")


@app.command(epilog=VERIFY_EXAMPLES)
def verify(
    files: Recordings,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Whose they should be: the exit code is 1 if not.", show_default=False),
    ] = None,
    speakers: SpeakersFile = DEFAULT,
    threshold: Threshold = None,
    model: Model = "assistant-en",
    report: Annotated[Report, typer.Option("--format", "-f", help="Lines, or one JSON object each.")] = Report.text,
) -> None:
    """Say of each utterance in recordings who speaks, how alike each enrolled voice is, and whether it is whispered."""
    from ...models import Transducer, resolve, stream_audio
    from ..recognition.speakers import Speakers, SpeakersError, voices_of

    loaded = Transducer.load(resolve(model))
    who = Speakers.load(loaded, speakers, threshold=threshold)
    if name is not None and name not in who.names:
        raise SpeakersError(f"{speakers}: {name!r:.40} is not enrolled; there are: {_listed(who)}")
    as_asked = True
    for file in files:
        voices = voices_of(loaded, who.encoder, stream_audio(file))
        if not voices:
            raise SpeakersError(f"{file}: no words are heard in it")
        for voice in voices:
            found, scores = who.who(voice), dict(who.scores(voice))
            told = found.name if found is not None else None
            as_asked = as_asked and (scores[name] >= who.threshold if name is not None else True)
            _print(file, told, scores, voice.whispered, report)
    if not as_asked:
        raise typer.Exit(1)


def _print(file: Path, name: str | None, scores: dict[str, float], whispered: float, report: Report) -> None:
    import json

    ordered = dict(sorted(((one, round(score, 3)) for one, score in scores.items()), key=lambda pair: -pair[1]))
    if report is Report.json:
        values = {"file": str(file), "name": name, "scores": ordered, "whispered": round(whispered, 4)}
        print(json.dumps(values, ensure_ascii=False))
        return
    listed = ", ".join(f"{one} {score:.2f}" for one, score in ordered.items())
    print(f"{file}: {name or 'nobody who is enrolled'} ({listed}){', whispered' if whispered > WHISPERED else ''}")


@app.command(epilog=REMOVE_EXAMPLES)
def remove(
    name: Annotated[str, typer.Argument(help="Who is to be forgotten.", show_default=False)],
    speakers: SpeakersFile = DEFAULT,
    model: Model = "assistant-en",
) -> None:
    """Forget somebody: nothing of the voice stays in the file."""
    from ..recognition.speakers import SpeakersError

    known = _read(speakers, model)
    if name not in known.voices:
        raise SpeakersError(f"{speakers}: {name!r:.40} is not enrolled; `nearword speakers list` says who is")
    del known.voices[name]
    known.save(speakers)
    print(f"{speakers}: {name} is forgotten; {len(known.voices)} enrolled")


def _read(speakers: Path, model: str) -> "EnrolledSpeakers":
    from ...models import Transducer, resolve
    from ...models.voice import VoiceEncoder
    from ..recognition.speakers import read_speakers

    return read_speakers(speakers, VoiceEncoder(Transducer.load(resolve(model))))


def _listed(who: "Speakers") -> str:
    return ", ".join(who.names[:10]) or "nobody"
