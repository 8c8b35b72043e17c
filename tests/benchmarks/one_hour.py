"""An hour of audio through one pipeline: memory over time, finals against utterances, audio lost.

    python tests/benchmarks/one_hour.py MANIFEST [--hours 1] [--model NAME]

Recordings of the manifest follow one another in a new order each round, with 1.5 to 4 s of faint noise between them,
so that every recording should be one utterance (those with long pauses of their own are more).
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
from nearword.models import SAMPLE_RATE, read_audio
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition.events import AudioLost, Final, Reset, SpeculativeFinal, SpeechStarted
from nearword.runtime.streaming.pipeline import Pipeline

BLOCK = SAMPLE_RATE // 10


class Recordings:
    """The audio, and how much of it was given."""

    def __init__(self, paths: list[Path], hours: float) -> None:
        self._paths, self._hours = paths, hours
        self.seconds, self.recordings = 0.0, 0

    async def __aiter__(self) -> AsyncIterator[np.ndarray]:
        generator = np.random.default_rng(0)
        while True:
            for index in generator.permutation(len(self._paths)):
                if self.seconds >= self._hours * 3600:
                    return
                pause = generator.normal(0, 3e-4, int(generator.uniform(1.5, 4.0) * SAMPLE_RATE)).astype(np.float32)
                audio = np.concatenate([pause, read_audio(self._paths[index])])
                for start in range(0, len(audio), BLOCK):
                    yield audio[start : start + BLOCK]
                self.seconds += len(audio) / SAMPLE_RATE
                self.recordings += 1


async def run(model: str, source: Recordings) -> dict[str, object]:
    process = psutil.Process()
    curve: list[tuple[int, float]] = []
    counts = dict.fromkeys((SpeechStarted, SpeculativeFinal, Reset, Final, AudioLost), 0)
    empty, minute = 0, 0
    began, cpu = time.perf_counter(), time.process_time()
    async with Pipeline(model) as pipeline:
        stream = pipeline.run(source)
        async for event in stream:
            if type(event) in counts:
                counts[type(event)] += 1
            empty += isinstance(event, Final) and not event.text
            if event.time >= 60 * minute:
                curve.append((minute, round(process.memory_info().rss / 1e6, 1)))
                minute += 1
        statistics = stream.statistics
    cpu = time.process_time() - cpu
    return {
        "audio_seconds": round(source.seconds, 1),
        "recognised_seconds": round(statistics.seconds_recognised, 1),
        "lost_seconds": statistics.audio.seconds_lost,
        "recordings": source.recordings,
        **{kind.__name__: count for kind, count in counts.items()},
        "finals_without_words": empty,
        "wall_seconds": round(time.perf_counter() - began, 1),
        "cpu_per_second_of_audio": round(cpu / source.seconds, 5),
        "memory_mb_by_minute": curve,
        "memory_mb_growth_after_first_minute": round(curve[-1][1] - curve[min(1, len(curve) - 1)][1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--model", default="assistant-en")
    options = parser.parse_args()
    paths = [entry.path for entry in read_manifest(options.manifest, text_key=options.text_key)]
    print(json.dumps(asyncio.run(run(options.model, Recordings(paths, options.hours)))))


if __name__ == "__main__":
    main()
