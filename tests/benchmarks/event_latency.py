"""From the end-pointer's decision to the event in the consumer's hands, and the computing before the decision.

    python tests/benchmarks/event_latency.py MANIFEST [--model NAME] [--busy 0.005] [--load 0.6]

Audio comes in real time, 20 ms at a time, from a thread, as from a sound card. The event loop is idle first, then
busy: callbacks of ``--busy`` seconds each take a share ``--load`` of its time. Decision: the moment the recogniser
has made the event, in the worker thread. Computing: the recogniser's processor time for the 20 ms in which it made a
final, and the same by the clock, with the wait for the busy loop and for other programs.
"""

import argparse
import asyncio
import json
import threading
import time
from pathlib import Path

import numpy as np
from nearword.models import SAMPLE_RATE, Transducer, read_audio, resolve
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition.events import Event, Final
from nearword.runtime.recognition.recognizer import Recognizer
from nearword.runtime.sources import AudioSink
from nearword.runtime.streaming.pipeline import Pipeline

BLOCK = SAMPLE_RATE // 50


class Card:
    """A sound card."""

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples

    async def feed(self, sink: AudioSink) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def play() -> None:
            began = time.perf_counter()
            for start in range(0, len(self._samples), BLOCK):
                time.sleep(max(0.0, began + (start + BLOCK) / SAMPLE_RATE - time.perf_counter()))
                sink.offer(self._samples[start : start + BLOCK])
            loop.call_soon_threadsafe(done.set)

        threading.Thread(target=play, daemon=True).start()
        await done.wait()


class Timed(Recognizer):
    """Notes when events were made, and how long it took."""

    made: dict[int, float]
    computing: list[tuple[float, float]]

    def accept(self, samples: np.ndarray) -> list[Event]:
        began, cpu = time.perf_counter(), time.thread_time()
        events = super().accept(samples)
        now, cpu = time.perf_counter(), time.thread_time() - cpu
        self.made |= {id(event): now for event in events}
        self.kept += events
        self.computing += [(cpu, now - began) for event in events if isinstance(event, Final)]
        return events


async def keep_busy(seconds: float, load: float) -> None:
    while True:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(seconds * (1 - load) / load)


async def run(
    model: Transducer, samples: np.ndarray, busy: float, load: float
) -> tuple[list[float], list[tuple[float, float]]]:
    made: dict[int, float] = {}
    computing: list[tuple[float, float]] = []

    def make(loaded: Transducer) -> Timed:
        recognizer = Timed(loaded)
        recognizer.made, recognizer.computing, recognizer.kept = made, computing, []
        return recognizer

    latencies = []
    async with Pipeline(model, recognizer=make) as pipeline:
        burden = asyncio.create_task(keep_busy(busy, load)) if load else None
        async for event in pipeline.run(Card(samples)):
            if id(event) in made:
                latencies.append(time.perf_counter() - made[id(event)])
        if burden:
            burden.cancel()
    return latencies, computing


def milliseconds(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    median, p99 = np.quantile(values, (0.5, 0.99)) * 1000
    return {
        "count": len(values),
        "median_ms": round(median, 3),
        "p99_ms": round(p99, 3),
        "max_ms": round(1000 * max(values), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio, in real time, for each load")
    parser.add_argument("--busy", type=float, default=0.005, help="seconds that each callback blocks the loop")
    parser.add_argument("--load", type=float, default=0.6, help="share of its time that the loop is blocked")
    options = parser.parse_args()
    model = Transducer.load(resolve(options.model))
    pause = np.zeros(SAMPLE_RATE, np.float32)
    entries = read_manifest(options.manifest, text_key=options.text_key)[:60]
    samples = np.concatenate([part for entry in entries for part in (read_audio(entry.path), pause)])
    samples = samples[: int(options.seconds * SAMPLE_RATE)]
    for load in (0.0, options.load):
        latencies, computing = asyncio.run(run(model, samples, options.busy, load))
        row = {
            "loop_load": load,
            "decision_to_consumer": milliseconds(latencies),
            "computing_at_final": milliseconds([cpu for cpu, _ in computing]),
            "computing_at_final_by_the_clock": milliseconds([wall for _, wall in computing]),
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
