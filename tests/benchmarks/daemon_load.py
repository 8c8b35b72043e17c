"""Many streams at one time: does one fall behind, is ``describe`` answered, what does a stream cost.

    python tests/benchmarks/daemon_load.py --speech FOLDER [--streams 8] [--seconds 60]

A daemon of its own runs in another process. First nothing, then one stream, then all of them send dev/barista's
recordings in real time, one after the other without a pause; meanwhile another client asks for ``describe`` twenty
times a second. Written: memory of the process, processor time, how late results came after the audio that they needed,
and how long ``describe`` took.
"""

import argparse
import asyncio
import json
import os
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil
from daemon_latency import audio_of, in_real_time
from daemon_process import RunningDaemon, daemon
from websockets.asyncio.client import connect
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe


async def stream(port: int, audios: list[bytes], seconds: float, delays: list[float], offset: int) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.037 * offset)
    async with connect(f"ws://127.0.0.1:{port}/v1/stream") as client:
        end = loop.time() + seconds

        async def listen() -> None:
            async for text in client:
                message = json.loads(text)
                if message["type"] == "final" and message.get("delay_ms") is not None:
                    delays.append(message["delay_ms"])

        listening = asyncio.create_task(listen())
        for audio in cycle(audios[offset % len(audios) :] + audios[: offset % len(audios)]):
            async for piece in in_real_time(audio, loop.time()):
                await client.send(piece)
            if loop.time() > end:
                break
        listening.cancel()


async def ask(port: int, seconds: float) -> list[float]:
    taken = []
    async with AsyncTcpClient("127.0.0.1", port) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            await client.write_event(Describe().event())
            await client.read_event()
            taken.append(1000 * (time.perf_counter() - begun))
            await asyncio.sleep(0.05)
    return taken


async def load(
    running: RunningDaemon, process: psutil.Process, audios: list[bytes], count: int, seconds: float
) -> None:
    delays: list[float] = []
    before, wall = process.cpu_times(), time.monotonic()
    asking = asyncio.create_task(ask(running.wyoming, seconds))
    await asyncio.gather(*(stream(running.http, audios, seconds, delays, number) for number in range(count)))
    took, after = await asking, process.cpu_times()
    used = (after.user + after.system - before.user - before.system) / (time.monotonic() - wall)
    memory = process.memory_full_info()
    late, longest = (np.median(delays), max(delays)) if delays else (0, 0)
    print(
        f"{count} streams: load of the machine {os.getloadavg()[0]:.1f}; memory {memory.rss / 1e6:.0f} MB"
        f" ({memory.uss / 1e6:.0f} its own), {used:.2f} cores; results after their audio: median {late:.0f} ms,"
        f" longest {longest:.0f} ms of {len(delays)}; describe: median {np.median(took):.1f} ms, 99th percentile"
        f" {np.quantile(took, 0.99):.1f} ms, longest {max(took):.1f} ms of {len(took)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (arguments.speech / "dev/barista.jsonl").read_text().splitlines()][:16]
    audios = [audio_of(arguments.speech / row["path"], row["aligned_end"] or 0.0) for row in rows]
    with daemon():
        pass  # so that the measured one finds its modules compiled
    with daemon() as running:
        seen = psutil.Process(running.process.pid)
        times = seen.cpu_times()
        print(f"ready after {running.ready:.2f} s by the clock, {times.user + times.system:.2f} s of processor")
        time.sleep(1)
        print(f"no stream: memory {seen.memory_info().rss / 1e6:.0f} MB")
        for count in (1, arguments.streams):
            asyncio.run(load(running, seen, audios, count, arguments.seconds))


if __name__ == "__main__":
    main()
