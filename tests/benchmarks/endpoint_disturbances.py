"""Offset, hum, rumble and buzz added to recordings: who is cut off, how late ends are found, how many words are wrong.

    NEARWORD_SPEECH=FOLDER python tests/benchmarks/endpoint_disturbances.py tests/benchmarks/barista_ends.jsonl \
        --root FOLDER --texts FOLDER/dev/barista.jsonl [--limit 20] [--only hum]

One line per disturbance: speakers cut off, recordings of which nothing was heard, median and 90th percentile of the
final end in ms after the true one, share of guesses that were right, share of words wrong live, and by ``transcribe``.
"""

import argparse
import sys
import zlib
from pathlib import Path

import numpy as np
from nearword.endpointing import PRESETS, scorecard
from nearword.models import Transducer, resolve
from nearword.runtime.evaluation.endpoints import observe, own_system, read_ends, read_recording
from nearword.runtime.evaluation.word_errors import count_errors, normalise, read_manifest
from nearword.runtime.recognition.segmenter import Segmenter

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))
from disturbances import DISTURBANCES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--end-key")
    parser.add_argument("--texts", type=Path, help="manifest of what was said")
    parser.add_argument("--text-key", default="aligned_text")
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--preset", choices=PRESETS, default="balanced")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--only", default="", help="disturbances with this in their names")
    parser.add_argument("--no-transcribe", action="store_true")
    options = parser.parse_args()
    model = Transducer.load(resolve(options.model))
    recordings = read_ends(options.manifest, end_key=options.end_key, root=options.root)[: options.limit]
    entries = read_manifest(options.texts, text_key=options.text_key, root=options.root) if options.texts else []
    said = {entry.path.name: normalise(entry.text) for entry in entries}
    audio = [read_recording(recording) for recording in recordings]
    system = own_system(model, PRESETS[options.preset])
    print(f"{'':20}   cut  mute  p50   p90  right   live  transcribed")
    for name, disturb in DISTURBANCES.items():
        if options.only not in name:
            continue
        rows, live, whole = [], np.zeros(4, np.int64), np.zeros(4, np.int64)
        for recording, samples in zip(recordings, audio, strict=True):
            seed = zlib.crc32(f"{name} {recording.path.name}".encode())
            heard = disturb(samples, np.random.default_rng(seed))
            row = observe(system, recording.path.name, recording.end, heard)
            rows.append(row)
            if recording.path.name in said:
                text = " ".join([*(ending.text for ending in row.endings), row.unended])
                live += count_errors(said[recording.path.name], normalise(text))
                if not options.no_transcribe:
                    segmenter = Segmenter(model)
                    segmenter.accept(heard)
                    whole += count_errors(said[recording.path.name], normalise(segmenter.finish().text))
        card = scorecard(name, rows)
        cut = sum(row.is_cut for row in rows)
        p50, p90 = 1000 * card.final_latency.p50.value, 1000 * card.final_latency.p90.value
        right = card.speculation.right.value if card.speculation else 0.0
        wrong = [100 * counts[1:].sum() / max(1, counts[0]) for counts in (live, whole)]
        print(
            f"{name:20}  {cut:4} {card.unheard:4} {p50:5.0f} {p90:5.0f} {100 * right:5.1f} % {wrong[0]:5.1f} %"
            f" {wrong[1]:5.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()
