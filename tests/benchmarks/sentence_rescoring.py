"""Word errors with and without whole sentences, paired, and what scoring them takes.

    python tests/benchmarks/sentence_rescoring.py [--model FOLDER] [--look-ahead SECONDS] [--limit N] [--sets NAME ...]

All dev sets under NEARWORD_SPEECH, as `nearword evaluate` hears them. The ratio of errors has a 95 % interval by a
paired bootstrap over utterances. Times are processor time of one thread at the end of an utterance: of the sentences
alone, and of all that is done there.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nearword.lattice import Lattice
from nearword.models import stream_audio
from nearword.runtime import SearchOptions, Transcriber, load_model
from nearword.runtime.evaluation.word_errors import count_errors, read_manifest
from nearword.runtime.recognition.sentences import Sentences
from nearword.runtime.recognition.text import normalise

SETS = {
    "commonvoice": ("commonvoice.tsv", "text"),
    "speechocean762": ("speechocean762.tsv", "text"),
    "barista": ("barista.jsonl", "aligned_text"),
}
ROUNDS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--look-ahead", type=float)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    arguments = parser.parse_args()
    model = load_model(arguments.model, look_ahead=arguments.look_ahead)
    spent: list[float] = []
    ends: list[float] = []
    rescore = Sentences.rescore

    def timed(self: Sentences, lattice: Lattice) -> Lattice:
        began = time.process_time()
        out = rescore(self, lattice)
        spent.append(time.process_time() - began)
        return out

    Sentences.rescore = timed  # type: ignore[method-assign]
    counts: list[tuple[str, int, int, int]] = []
    dev = Path(os.environ["NEARWORD_SPEECH"], "dev")
    for name in arguments.sets:
        manifest, key = SETS[name]
        for recording in read_manifest(dev / manifest, text_key=key)[: arguments.limit]:
            wrong = []
            for options in (SearchOptions(sentences=False), SearchOptions()):
                transcriber = Transcriber(model, options)
                for block in stream_audio(recording.path):
                    transcriber.accept(block)
                began = time.process_time()
                text = normalise(transcriber.finish().text)
                ends.append(time.process_time() - began)
                wrong.append(sum(count_errors(normalise(recording.text), text)[1:]))
            counts.append((name, len(normalise(recording.text).split()), *wrong))
    for name in (*arguments.sets, "all"):
        rows = np.array([row[1:] for row in counts if name in (row[0], "all")])
        words, before, after = rows.sum(0).tolist()
        low, high = interval(rows[:, 1:])
        print(
            f"{name}: {before} -> {after} of {words} words wrong, {100 * before / words:.1f} -> "
            f"{100 * after / words:.1f} %, ratio {after / before:.3f} ({low:.3f} to {high:.3f})"
        )
    for what, times in (("sentences", spent), ("all at the end", ends[1::2]), ("without sentences", ends[::2])):
        middle, most, longest = 1000 * np.percentile(times, [50, 90, 100])
        print(f"{what}: {middle:.1f} ms at the median, {most:.1f} at the 90th percentile, {longest:.1f} at most")


def interval(wrong: np.ndarray, seed: int = 1) -> Sequence[float]:
    """Return the 95 % interval of the ratio of errors, [utterances, 2], over draws of utterances."""
    rng = np.random.default_rng(seed)
    ratios = []
    for _ in range(ROUNDS // 100):
        drawn = wrong[rng.integers(len(wrong), size=(100, len(wrong)))].sum(1)
        ratios += (drawn[:, 1] / np.maximum(1, drawn[:, 0])).tolist()
    return np.percentile(ratios, [2.5, 97.5]).tolist()


if __name__ == "__main__":
    main()
