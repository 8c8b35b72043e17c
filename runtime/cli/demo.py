"""``nearword demo``: the main job on a recording that ships with the package."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .audio_options import OneChannel, choose_one_channel
from .interrupt import exit_code, whole_steps
from .options import Graphs, Model, Precision, fail

if TYPE_CHECKING:
    from rich.console import Console

    from ..recognition.transcript import Word

RECORDING = Path(__file__).parent.parent / "audio" / "demo.flac"
"""Synthetic speech (flite, voice slt); ``tests/support/make_demo_recording.py`` makes it."""
BLOCK_SECONDS = 0.1
TIMED_WORDS = 100
"""Longest transcript whose words are listed with their times."""
EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword demo\n\n"
    "nearword demo --real-time memo.wav\n\n"
    "nearword demo --model zipformer-en-20m talk.mp3"
)


def demo(
    file: Annotated[
        Path | None, typer.Argument(help="A recording of yours instead of the one in the package.", show_default=False)
    ] = None,
    model: Model = "assistant-en",
    real_time: Annotated[bool, typer.Option("--real-time", help="Feed the audio at the speed of speech.")] = False,
    channel: OneChannel = "mix",
    precision: Graphs = Precision.auto,
) -> None:
    """Recognise a short recording and show the words as they come.

    Each line shows how far the audio had been heard when the words became known, then come the times of the words.

    The recording in the package is synthetic speech.
    """
    from rich.console import Console
    from rich.markup import escape

    from ...models import SAMPLE_RATE, NearwordError, Transducer, resolve, stream_audio
    from ..recognition.transcriber import Transcriber

    heard_channel = choose_one_channel(channel)
    console = Console(highlight=False, soft_wrap=True)
    started = time.perf_counter()
    loaded = Transducer.load(resolve(model), precision=precision.value)
    info = loaded.info
    took = time.perf_counter() - started
    size = f"{info.size_bytes / 1e6:.1f} MB, {info.precision}"
    console.print(f"model [bold]{escape(info.name)}[/bold] ({size}), loaded in {took:.2f} s")
    path = file or RECORDING
    console.print(f"audio {escape(path.name)}\n")
    transcriber = Transcriber(loaded)
    heard, cpu, wall, interrupted = 0.0, 0.0, time.perf_counter(), False
    broken: NearwordError | None = None
    try:
        for block in stream_audio(path, block_seconds=BLOCK_SECONDS, channel=heard_channel):
            heard += len(block) / SAMPLE_RATE
            if real_time:
                time.sleep(max(0.0, wall + heard - time.perf_counter()))
            before = time.process_time()
            with whole_steps():
                news = transcriber.accept(block)
            cpu += time.process_time() - before
            if news:
                _show(console, heard, loaded.vocabulary.text(transcriber.tokens))
    except KeyboardInterrupt:
        interrupted = True
    except NearwordError as error:
        if not heard:
            raise
        broken = error
    before = time.process_time()
    transcript = transcriber.finish()
    cpu += time.process_time() - before
    console.print(f"\n[bold green]{escape(transcript.text) or '(no words)'}[/bold green]")
    if 0 < len(transcript.words) <= TIMED_WORDS:
        console.print(f"[dim]{_timed(transcript.words)}[/dim]")
    speed = f"{cpu / max(transcript.seconds, BLOCK_SECONDS):.4f} x real time"
    console.print(f"[dim]{transcript.seconds:.2f} s of audio in {cpu:.3f} s of processor time: {speed}[/dim]")
    if broken is not None:
        fail(str(broken))
        raise typer.Exit(1)
    if interrupted:
        raise typer.Exit(exit_code())


def _show(console: "Console", heard: float, text: str) -> None:
    """Print a line with the newest words; the oldest make room."""
    from rich.markup import escape

    room = max(20, console.width - 12)
    tail = text if len(text) <= room else "…" + text[-room + 1 :]
    console.print(f"[dim]{heard:6.2f} s[/dim]  {escape(tail)}")


def _timed(words: "tuple[Word, ...]") -> str:
    from rich.markup import escape

    return "  ".join(f"{escape(word.text)} {word.start:.2f}-{word.end:.2f}" for word in words)
