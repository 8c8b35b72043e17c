"""Word error rate and speed next to pocketsphinx with the English model it brings, same files, same run.

python tests/benchmarks/against_pocketsphinx.py MANIFEST [--text-key KEY] [--limit N]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pocketsphinx
from nearword.models import read_audio
from nearword.runtime import load_model, transcribe_file
from nearword.runtime.evaluation.word_errors import read_manifest, recognise_all, score


def open_pocketsphinx() -> Callable[[Path], tuple[str, float]]:
    decoder = pocketsphinx.Decoder(loglevel="ERROR")

    def recognise(path: Path) -> tuple[str, float]:
        samples = read_audio(path)
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return (hypothesis.hypstr if hypothesis else ""), len(samples) / 16000

    return recognise


def open_nearword() -> Callable[[Path], tuple[str, float]]:
    model = load_model()

    def recognise(path: Path) -> tuple[str, float]:
        transcript = transcribe_file(model, path)
        return transcript.text, transcript.seconds

    return recognise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    entries = read_manifest(arguments.manifest, text_key=arguments.text_key)[: arguments.limit]
    for name, recognise in (("nearword", open_nearword()), ("pocketsphinx", open_pocketsphinx())):
        cpu, wall = time.process_time(), time.perf_counter()
        results = list(recognise_all(entries, recognise, lambda _, error: print(error)))
        figures = score(results, time.process_time() - cpu, time.perf_counter() - wall)
        interval = f"({100 * figures.low:.1f} to {100 * figures.high:.1f})"
        print(
            f"{name:13} WER {100 * figures.error_rate:5.1f} % {interval}, {figures.utterances} utterances,"
            f" {figures.real_time_factor:.4f} CPU s per s",
            flush=True,
        )


if __name__ == "__main__":
    main()
