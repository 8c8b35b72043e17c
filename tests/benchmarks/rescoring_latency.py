"""The share of utterances whose answer is there before the final result, by network delay.

    python tests/benchmarks/rescoring_latency.py MANIFEST [--text-key aligned_text] [--limit N] [--delays 50,150,400]
        [--model FOLDER] [--onnx FOLDER]

Recordings are recognised as a stream first; then their events are played back at the time they came, against the real
service behind a proxy on loopback that adds the delay to the round trip, half of it each way. The connection is made
beforehand, as a device does. Nothing waits for an answer: what is not there at the final result is late.
"""

import argparse
import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from nearword.endpointing import PRESETS
from nearword.lattice.language import save_ngram, train_words
from nearword.lattice.rescoring import Masking, Rescorer, RescoringSettings
from nearword.models import Transducer, read_audio, resolve
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition.events import Event, Final, SpeculativeFinal
from nearword.runtime.recognition.recognizer import Recognizer
from nearword.runtime.streaming.rescoring import RescoringStage

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from rescoring_helpers import Process

AT_ONE_TIME = 2
"""Recordings played back beside each other."""


@contextlib.asynccontextmanager
async def delayed(port: int, seconds: float) -> AsyncIterator[int]:
    """Run a proxy that hands on every piece ``seconds`` later."""
    loop = asyncio.get_running_loop()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while part := await reader.read(65536):
                loop.call_later(seconds, writer.write, part)
        await asyncio.sleep(seconds)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # the end of it all: nobody waits for this
            await asyncio.gather(pass_on(reader, onward_writer), pass_on(onward_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def play(events: list[Event], port: int, found: list[tuple[bool, str, float]], room: asyncio.Semaphore) -> None:
    settings = RescoringSettings(f"http://127.0.0.1:{port}", deadline=3, connect_timeout=2, breaker_failures=1000)
    async with room, Rescorer(settings) as rescorer:
        await rescorer.warm()
        loop = asyncio.get_running_loop()
        begun = loop.time() - events[0].time
        confirms = {event.utterance for event in events if isinstance(event, Final) and event.confirms is not None}

        async def in_time() -> AsyncIterator[Event]:
            for event in events:
                await asyncio.sleep(max(begun + event.time - loop.time(), 0))
                yield event

        async for event in RescoringStage(rescorer, Masking, patience=0)(in_time()):
            if isinstance(event, Final) and event.rescored is not None:
                outcome = event.rescored
                found.append((event.utterance in confirms, outcome.reason, outcome.milliseconds))


async def replay(streams: list[list[Event]], port: int, delay: float) -> list[tuple[bool, str, float]]:
    found: list[tuple[bool, str, float]] = []
    room = asyncio.Semaphore(AT_ONE_TIME)
    async with delayed(port, delay / 2) as proxy:
        await asyncio.gather(*(play(events, proxy, found, room) for events in streams))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--delays", default="50,150,400", help="milliseconds")
    parser.add_argument("--preset", default="balanced", choices=sorted(PRESETS))
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--onnx", type=Path, help="folder of a transformer, for the service to use as well")
    parser.add_argument("--folder", type=Path, default=Path(), help="for the language model")
    options = parser.parse_args()
    model = Transducer.load(resolve(options.model))
    entries = read_manifest(options.manifest, text_key=options.text_key)[: options.limit]
    streams = []
    for entry in entries:
        recognizer = Recognizer(model, PRESETS[options.preset])
        # two seconds of silence after: the recordings are cut off at the end
        events = [*recognizer.accept(read_audio(entry.path)), *recognizer.accept(np.zeros(32000, np.float32))]
        kept = [
            event for event in events if isinstance(event, (SpeculativeFinal, Final)) or "Reset" in str(type(event))
        ]
        if kept:
            streams.append(kept)
    times = {(id(s), e.revision): e.time for s in streams for e in s if isinstance(e, SpeculativeFinal)}
    finals = [(s, e) for s in streams for e in s if isinstance(e, Final) and e.text]
    gaps = [e.time - times[id(s), e.confirms] for s, e in finals if e.confirms is not None]
    print(f"{options.manifest.name}: {len(finals)} utterances, {len(gaps)} finals that confirm a speculative result")
    print(f"  it came {np.median(gaps) * 1000:.0f} ms before (10 %: {np.percentile(gaps, 10) * 1000:.0f} ms)")
    lm = options.folder / "latency.arpa"
    save_ngram(train_words(["turn on the light", "i want a large coffee"] * 3, order=3), lm)
    service = Process("--lm", lm, *([] if options.onnx is None else ["--onnx", options.onnx]))
    try:
        for delay in (float(one) / 1000 for one in options.delays.split(",")):
            found = asyncio.run(replay(streams, service.port, delay))
            there = [reason == "rescored" for confirms, reason, _ in found if confirms]
            took = [ms for _, reason, ms in found if reason == "rescored"]
            print(
                f"  {delay * 1000:4.0f} ms: there before the final result: {np.mean(there):.0%} of those that confirm, "
                f"{sum(there) / len(found):.0%} of all; answers took {np.median(took or [0]):.0f} ms; "
                f"{dict(Counter(reason for _, reason, _ in found))}",
                flush=True,
            )
    finally:
        service.end()
        lm.unlink()


if __name__ == "__main__":
    main()
