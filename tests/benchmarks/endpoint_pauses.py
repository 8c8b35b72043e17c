"""Pauses of 0.3 to 0.7 s put between words: who is cut off, and what becomes of the guesses that were wrong.

    python tests/benchmarks/endpoint_pauses.py tests/benchmarks/barista_ends.jsonl --root SPEECH [--most 3] [--peer]

One JSON line per system and draw. A guess is wrong if the speech goes on after it; each must be taken back, and the
ending must come after the true end with other words.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nearword.endpointing import PRESETS, Observation, scorecard
from nearword.models import Transducer, resolve
from nearword.runtime.evaluation.endpoint_peers import sherpa_system
from nearword.runtime.evaluation.endpoints import observe, own_system, read_ends, read_recording

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from pauses import between_words, with_pauses


def follow_up(observations: Sequence[Observation]) -> dict[str, int]:
    """Return what became of the guesses that were made before the true end."""
    counts = {"wrong_guesses": 0, "taken_back": 0, "then_right": 0}
    for row in observations:
        for guess in row.speculations:
            if guess is row.standing or guess.time >= row.end:
                continue
            ending = next((ending for ending in row.endings if ending.time >= guess.time), None)
            counts["wrong_guesses"] += 1
            if guess.reset is not None and ending is not None and guess.reset <= ending.time:
                counts["taken_back"] += 1
                counts["then_right"] += ending.time >= row.end and ending.text != guess.text
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--end-key")
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--preset", choices=PRESETS, action="append")
    parser.add_argument("--most", type=int, default=1, help="pauses in each recording, at most")
    parser.add_argument("--seeds", type=int, default=1, help="draws of places and lengths")
    parser.add_argument("--peer", action="store_true", help="sherpa-onnx too")
    options = parser.parse_args()
    model = Transducer.load(resolve(options.model))
    recordings = read_ends(options.manifest, end_key=options.end_key, root=options.root)
    audio = [read_recording(recording) for recording in recordings]
    places = [between_words(model, *pair) for pair in zip(audio, [row.end for row in recordings], strict=True)]
    systems = {name: own_system(model, PRESETS[name]) for name in options.preset or ["balanced"]}
    if options.peer:
        systems["sherpa-onnx"] = sherpa_system(model)
    for seed in range(options.seeds):
        generator = np.random.default_rng(seed)
        paused = [
            with_pauses(samples, recording.end, at, generator, most=options.most)
            for samples, recording, at in zip(audio, recordings, places, strict=True)
        ]
        for name, system in systems.items():
            rows = [
                observe(system, recording.path.name, one.end, one.samples)
                for recording, one in zip(recordings, paused, strict=True)
            ]
            card = scorecard(name, rows, speculates=name in PRESETS)
            figures = {
                "seed": seed,
                "recordings": card.recordings,
                "pauses": sum(len(one.pauses) for one in paused),
                "cut_off": card.early_cut_offs.value,
                "final_p50": card.final_latency.p50.value,
                "final_p90": card.final_latency.p90.value,
                **follow_up(rows),
            }
            rounded = {key: round(value, 4) for key, value in figures.items()}
            print(json.dumps({"system": name, **rounded}), flush=True)


if __name__ == "__main__":
    main()
