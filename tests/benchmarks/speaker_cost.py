"""What it costs to say who speaks: processor time of a live stream with and without, turn about; size and loading.

    python tests/benchmarks/speaker_cost.py [--model M] [--rounds 12] [--people 4] [FILE...]

Each FILE (without, the shipped recording) goes through a recogniser in pieces of 20 ms, both ways in each round, the
first of them in turn. The ratio is that of the sums of the least times; its spread, that of the rounds.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from biasing_speed import DEMO
from nearword.models import SAMPLE_RATE, Transducer, read_audio, resolve
from nearword.models.voice import SPEAKER, VoiceEncoder
from nearword.runtime import EnrolledSpeakers, Recognizer, Speakers
from nearword.runtime.recognition.speakers import voices_of

BLOCK = SAMPLE_RATE // 50


def spent(model: Transducer, speakers: Speakers | None, blocks: list[np.ndarray]) -> tuple[float, float]:
    """Processor seconds of all, and of the stage."""
    recognizer = Recognizer(model, speakers=speakers)
    began = time.process_time()
    for block in blocks:
        recognizer.accept(block)
    recognizer.finish()
    times = recognizer.times
    return time.process_time() - began, times["speaker"].seconds if "speaker" in times else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("files", nargs="*", type=Path, default=[DEMO])
    arguments = parser.parse_args()
    model = Transducer.load(resolve(arguments.model))
    began = time.process_time()
    encoder = VoiceEncoder(model)
    loading = time.process_time() - began
    size = (Path(str(model.info.folder)) / SPEAKER).stat().st_size
    print(f"{SPEAKER}: {size / 1e3:.0f} kB, opened and tried in {1e3 * loading:.1f} ms of processor time")
    known = EnrolledSpeakers(encoder.identity)
    for voice in voices_of(model, encoder, [read_audio(DEMO)]):
        for number in range(arguments.people):
            known.add(f"person {number}", voice)
    ways = {"without": None, "with": Speakers(encoder, known)}
    least, ratios, seconds, stage = dict.fromkeys(ways, 0.0), [], 0.0, 0.0
    for file in arguments.files:
        samples = read_audio(file)
        seconds += len(samples) / SAMPLE_RATE
        blocks = [samples[at : at + BLOCK] for at in range(0, len(samples), BLOCK)]
        rounds: dict[str, list[float]] = {way: [] for way in ways}
        stages = []
        for number in range(arguments.rounds + 1):
            for way in list(ways) if number % 2 else list(ways)[::-1]:
                whole, of_stage = spent(model, ways[way], blocks)
                if number:  # the first warms up
                    rounds[way].append(whole)
                    if ways[way] is not None:
                        stages.append(of_stage)
        for way, times in rounds.items():
            least[way] += min(times)
        ratios += [a / b for a, b in zip(rounds["with"], rounds["without"], strict=True)]
        stage += min(stages)
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75))
    plain, told, own = (1e3 * taken / seconds for taken in (least["without"], least["with"], stage))
    print(
        f"{seconds:.0f} s of audio, {arguments.rounds} rounds: {plain:.2f} ms a second without, {told:.2f} with;"
        f" {told / plain:.3f} x at the least, median {middle:.3f} ({low:.3f} to {high:.3f});"
        f" the stage itself {own:.2f} ms a second, {100 * own / plain:.1f} % of all"
    )


if __name__ == "__main__":
    main()
