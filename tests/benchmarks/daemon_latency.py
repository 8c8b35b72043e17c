"""How long a client of the daemon waits: from the true end of speech to the transcript, in real time over TCP.

    python tests/benchmarks/daemon_latency.py --speech FOLDER [--limit N] [--at-once 4] [--quick] [--preset balanced]

FOLDER is laid out as the end of models/training/README.md says. Recordings are dev/barista's; their true ends were
listened to (barista_ends.jsonl). A daemon of its own runs in another process. Each recording is sent three times, in
real time:

- own end: a client shaped like Home Assistant 2026.11 that goes on sending; the daemon ends the utterance;
- speculative: the first result of our own protocol that is not taken back (``speculative_final`` without ``reset``);
- client's end: another daemon, with ``--external-vad``; the client hears the true end and 0.7 s of silence, as Home
  Assistant's default voice activity detection waits, before it says audio-stop.

"By the audio" is the moment of the audio at which the final result was decided, after the true end: what own end comes
to on a machine with nothing else to do, but for the time that the last step of decoding takes.

An early cut-off is a transcript before the end of speech. Written: median, 90th percentile, longest, in ms.
"""

import argparse
import asyncio
import json
import os
from pathlib import Path

import numpy as np
from daemon_process import RunningDaemon, daemon
from nearword.models import read_audio
from websockets.asyncio.client import connect
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient

ENDS = Path(__file__).with_name("barista_ends.jsonl")
CHUNK = 512
"""Samples of a chunk: 32 ms, so that waiting for it to be full adds 16 ms on average."""
CLIENT_SILENCE = 0.7
TAIL = 3.0
FORM = (16000, 2, 1)


def audio_of(path: Path, end: float) -> bytes:
    """Return the recording as int16, with silence as loud as its quietest tenth behind it."""
    samples = read_audio(path)
    missing = round((end + TAIL) * 16000) - len(samples)
    if missing > 0:
        frames = samples[: len(samples) // 320 * 320].reshape(-1, 320)
        level = float(np.quantile(np.sqrt((frames**2).mean(axis=1)), 0.1))
        samples = np.concatenate([samples, np.random.default_rng(0).normal(0, level, missing).astype(np.float32)])
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


async def in_real_time(audio: bytes, begun: float) -> object:
    """Yield chunks when a microphone would have them."""
    loop = asyncio.get_running_loop()
    for start in range(0, len(audio), 2 * CHUNK):
        piece = audio[start : start + 2 * CHUNK]
        await asyncio.sleep(max(0.0, begun + (start + len(piece)) / 32000 - loop.time()))
        yield piece


async def own_end(port: int, audio: bytes, stop_at: float | None = None) -> tuple[float, str]:
    """Return when the transcript came, in seconds since the audio began, and its text."""
    loop = asyncio.get_running_loop()
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Transcribe(language="en").event())
        await client.write_event(AudioStart(*FORM).event())
        begun = loop.time()

        async def upload() -> None:
            async for piece in in_real_time(audio if stop_at is None else audio[: round(stop_at * 16000) * 2], begun):
                await client.write_event(AudioChunk(*FORM, piece).event())
            await client.write_event(AudioStop().event())

        sending = asyncio.create_task(upload())
        try:
            while (event := await client.read_event()) is not None:
                if Transcript.is_type(event.type):
                    return loop.time() - begun, Transcript.from_event(event).text
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    raise AssertionError("no transcript")


async def speculative(port: int, audio: bytes, heard: list[float]) -> tuple[float, str]:
    """Return when the guess came that was confirmed (or the final result, if none was), and its text.

    ``heard`` gets the second of the audio at which the final result was decided: what remains on a machine with nothing
    else to do.
    """
    loop = asyncio.get_running_loop()
    async with connect(f"ws://127.0.0.1:{port}/v1/stream") as client:
        begun = loop.time()

        async def upload() -> None:
            async for piece in in_real_time(audio, begun):
                await client.send(piece)

        sending = asyncio.create_task(upload())
        standing: dict[int, float] = {}
        try:
            while True:
                message = json.loads(await client.recv())
                now = loop.time() - begun
                if message["type"] == "speculative_final":
                    standing[message["revision"]] = now
                elif message["type"] == "final" and message["text"]:
                    heard.append(message["time"])
                    return standing.get(message["confirms"] or -1, now), message["text"]
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


def _after(end: float, result: tuple[float, str]) -> tuple[float, str]:
    """Return milliseconds after the end of speech."""
    return 1000 * (result[0] - end), result[1]


async def measure(
    rows: list[dict], speech: Path, own: RunningDaemon, external: RunningDaemon, at_once: int, *, quick: bool
) -> dict:
    turn = asyncio.Semaphore(at_once)
    found: dict[str, list[tuple[float, str]]] = {"own end": [], "speculative": [], "client's end": []}
    by_audio: list[tuple[float, str]] = []

    async def one(row: dict) -> None:
        async with turn:
            end = float(row["end"])
            audio = await asyncio.to_thread(audio_of, speech / row["path"], end)
            heard: list[float] = []
            # one after the other: a machine that is busy otherwise has to keep up with one stream only
            found["own end"].append(_after(end, await own_end(own.wyoming, audio)))
            if not quick:
                guessed = await speculative(own.http, audio, heard)
                found["speculative"].append(_after(end, guessed))
                found["client's end"].append(_after(end, await own_end(external.wyoming, audio, end + CLIENT_SILENCE)))
                by_audio.append((1000 * (heard[0] - end), guessed[1]))

    await asyncio.gather(*map(one, rows))
    return {**found, "by the audio": by_audio}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="own end alone")
    parser.add_argument("--preset", default="balanced")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in ENDS.read_text().splitlines()][: arguments.limit]
    with daemon("--preset", arguments.preset) as own, daemon("--external-vad") as external:
        found = asyncio.run(measure(rows, arguments.speech, own, external, arguments.at_once, quick=arguments.quick))
    print(f"load of the machine {os.getloadavg()[0]:.1f}")
    for name, results in found.items():
        if not results:
            continue
        times = np.asarray([time for time, _ in results])
        print(
            f"{name:14} median {np.median(times):5.0f}  90th percentile {np.quantile(times, 0.9):5.0f}"
            f"  longest {times.max():5.0f}  early {int((times < 0).sum())} of {len(times)}"
            f"  without words {sum(not text for _, text in results)}"
        )


if __name__ == "__main__":
    main()
