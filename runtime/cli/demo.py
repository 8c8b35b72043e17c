"""``nearword demo``: the main job on a recording that ships with the package."""

import time
from pathlib import Path
from typing import Annotated

import typer

from .options import Model

RECORDING = Path(__file__).parent.parent / "audio" / "demo.flac"


def demo(
    file: Annotated[
        Path | None, typer.Argument(help="A recording of yours instead of the one in the package.", show_default=False)
    ] = None,
    model: Model = "assistant-en",
    real_time: Annotated[bool, typer.Option("--real-time", help="Feed the audio at the speed of speech.")] = False,
) -> None:
    """Recognise a short recording and show the words as they come.

    The one in the package is synthetic speech. Each line shows how far the audio had been heard when the words
    became known.
    """
    from rich.console import Console

    from ...models import SAMPLE_RATE, stream_audio
    from ..transcriber import Transcriber, load_model

    console = Console(highlight=False)
    started = time.perf_counter()
    loaded = load_model(model)
    info = loaded.info
    took = time.perf_counter() - started
    size = f"{info.size_bytes / 1e6:.1f} MB, {info.precision}"
    console.print(f"model [bold]{info.name}[/bold] ({size}), loaded in {took:.2f} s")
    path = file or RECORDING
    console.print(f"audio {path.name}\n")
    transcriber = Transcriber(loaded)
    heard, cpu, wall = 0.0, 0.0, time.perf_counter()
    for block in stream_audio(path, block_seconds=0.1):
        heard += len(block) / SAMPLE_RATE
        if real_time:
            time.sleep(max(0.0, wall + heard - time.perf_counter()))
        before = time.process_time()
        news = transcriber.accept(block)
        cpu += time.process_time() - before
        if news:
            console.print(f"[dim]{heard:6.2f} s[/dim]  {transcriber.partial.text}")
    before = time.process_time()
    transcript = transcriber.finish()
    cpu += time.process_time() - before
    console.print(f"\n[bold green]{transcript.text or '(no words)'}[/bold green]")
    speed = f"{cpu / transcript.seconds:.4f} x real time"
    console.print(f"[dim]{transcript.seconds:.2f} s of audio in {cpu:.3f} s of processor time: {speed}[/dim]")
