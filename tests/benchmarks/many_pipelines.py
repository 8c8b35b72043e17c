"""Pipelines that share one model: memory of each further one, and whether each gives what it gives alone.

python tests/benchmarks/many_pipelines.py MANIFEST [--pipelines 8] [--model NAME]
"""

import argparse
import asyncio
import json
import time
from pathlib import Path

import numpy as np
import psutil
from nearword.models import SAMPLE_RATE, Transducer, read_audio, resolve
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition.events import Event
from nearword.runtime.sources import AudioSink
from nearword.runtime.streaming.pipeline import Pipeline


class Meeting:
    """Lets all go on once so many have come."""

    def __init__(self, count: int) -> None:
        self._left, self._all_here = count, asyncio.Event()

    async def wait(self) -> None:
        self._left -= 1
        if not self._left:
            self._all_here.set()
        await self._all_here.wait()


class Given:
    """Samples as a source; holds its end back until told, so that all pipelines live at the same time."""

    def __init__(self, samples: np.ndarray, all_heard: Meeting | None) -> None:
        self._samples, self._all_heard = samples, all_heard

    async def feed(self, sink: AudioSink) -> None:
        for start in range(0, len(self._samples), SAMPLE_RATE // 10):
            await sink.put(self._samples[start : start + SAMPLE_RATE // 10])
        if self._all_heard is not None:
            await self._all_heard.wait()


async def one(model: Transducer, samples: np.ndarray, meeting: Meeting | None = None) -> list[Event]:
    async with Pipeline(model) as pipeline:
        return [event async for event in pipeline.run(Given(samples, meeting))]


async def together(model: Transducer, audio: list[np.ndarray]) -> tuple[list[list[Event]], float]:
    process, most = psutil.Process(), 0.0
    meeting = Meeting(len(audio))
    tasks = [asyncio.create_task(one(model, samples, meeting)) for samples in audio]
    while not all(task.done() for task in tasks):
        most = max(most, process.memory_info().rss / 1e6)
        await asyncio.sleep(0.01)
    return [task.result() for task in tasks], most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--pipelines", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="assistant-en")
    options = parser.parse_args()
    entries = read_manifest(options.manifest, text_key=options.text_key)
    audio = []
    for number in range(options.pipelines):
        chosen = entries[number :: options.pipelines]
        pause = np.zeros(SAMPLE_RATE, np.float32)
        samples = np.concatenate([part for entry in chosen[:40] for part in (read_audio(entry.path), pause)])
        audio.append(samples[: int(options.seconds * SAMPLE_RATE)])
    process = psutil.Process()
    before = process.memory_info().rss / 1e6
    model = Transducer.load(resolve(options.model))
    loaded = process.memory_info().rss / 1e6
    alone = [asyncio.run(one(model, samples)) for samples in audio]
    _, most_one = asyncio.run(together(model, audio[:1]))
    began = time.perf_counter()
    at_once, most_all = asyncio.run(together(model, audio))
    print(
        json.dumps(
            {
                "pipelines": options.pipelines,
                "seconds_each": options.seconds,
                "same_as_alone": [a == b for a, b in zip(alone, at_once, strict=True)],
                "model_mb": round(loaded - before, 1),
                "one_pipeline_mb": round(most_one, 1),
                "all_pipelines_mb": round(most_all, 1),
                "mb_per_further_pipeline": round((most_all - most_one) / max(1, options.pipelines - 1), 2),
                "wall_seconds": round(time.perf_counter() - began, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
