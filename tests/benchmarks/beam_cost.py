"""What the beam search and its lattice cost: against the width of the beam, and against the length of an utterance.

    NEARWORD_SPEECH=... python tests/benchmarks/beam_cost.py [--rounds 5] [--seconds 120]

Milliseconds of processor time per second of audio, one thread: in all (features, encoder, search, word lattice), of
the search alone, and of making the word lattice. All widths, or all lengths, take turns in one process, round after
round; ratios are medians over the rounds, so that what else the machine does hardly counts. An utterance is speech
from the dev sets put together, without a pause for the end-pointers: the search and the lattice never begin anew.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from dev_speech import recordings
from nearword.lattice import encode
from nearword.models import SAMPLE_RATE, Transducer, read_audio, resolve
from nearword.models.samples import Samples
from nearword.runtime import BeamSettings, SearchOptions, Transcriber
from nearword.runtime.search import Search

WIDTHS = (1, 2, 4, 8, 16)
LENGTHS = (2, 5, 10, 30, 60, 120, 300)
"""Seconds."""
BLOCK = 1600
"""Samples that come at a time."""


@dataclass(frozen=True)
class Cost:
    """Of one utterance; seconds of processor time per second of audio."""

    whole: float
    """Features, encoder, search, word lattice."""
    search: float
    lattice: float
    arcs: float
    """Of the lattice, per second of audio."""
    size: float
    """Bytes of the lattice, per second of audio."""


def speech(seconds: int) -> Samples:
    """Return so much of the dev sets' speech in one piece, both sets in turn."""
    found, total = [], 0
    chosen = recordings()
    half = len(chosen) // 2
    for one in (one for pair in zip(chosen[:half], reversed(chosen[half:]), strict=False) for one in pair):
        found.append(read_audio(one.entry.path))
        total += len(found[-1])
        if total >= seconds * SAMPLE_RATE:
            return np.concatenate(found)[: seconds * SAMPLE_RATE]
    raise SystemExit(f"the dev sets have {total // SAMPLE_RATE} seconds of speech; {seconds} are wanted")


def timed(search: Search) -> list[float]:
    """Return where the processor time of a search's steps is added up from now on."""
    spent, advance = [0.0], search.advance

    def timed_advance(encoder_out: np.ndarray) -> None:
        before = time.process_time()
        advance(encoder_out)
        spent[0] += time.process_time() - before

    search.advance = timed_advance  # type: ignore[method-assign]
    return spent


def cost(model: Transducer, samples: Samples, width: int) -> Cost:
    """Recognise an utterance and return what that cost."""
    begun = time.process_time()
    transcriber = Transcriber(model, SearchOptions(BeamSettings(max_active=width), language=None, phones=False))
    spent = timed(transcriber._loop.search)
    for start in range(0, len(samples), BLOCK):
        transcriber.accept(samples[start : start + BLOCK])
    transcriber.finish()
    before = time.process_time()
    lattice = transcriber.lattice()
    ended = time.process_time()
    seconds = len(samples) / SAMPLE_RATE
    return Cost(
        (ended - begun) / seconds, spent[0] / seconds, (ended - before) / seconds, lattice.num_arcs / seconds,
        len(encode(lattice)) / seconds,
    )  # fmt: skip


def table(head: str, names: Sequence[str], runs: Sequence[Callable[[], Cost]], rounds: int, base: int) -> None:
    """Measure in turns and print a row for each."""
    runs[0]()
    costs: list[list[Cost]] = [[] for _ in runs]
    for number in range(rounds):
        for place in sorted(range(len(runs)), reverse=bool(number % 2)):
            costs[place].append(runs[place]())
    print(f"{head:12}    all  search  lattice   ratio (all)  ratio (search, lattice)   arcs/s  bytes/s")
    for name, row in zip(names, costs, strict=True):
        whole = statistics.median(one.whole / other.whole for one, other in zip(row, costs[base], strict=True))
        part = statistics.median(
            (one.search + one.lattice) / (other.search + other.lattice)
            for one, other in zip(row, costs[base], strict=True)
        )
        middle = [
            1000 * statistics.median(getattr(one, what) for one in row) for what in ("whole", "search", "lattice")
        ]
        print(
            f"{name:12} {middle[0]:6.2f} {middle[1]:7.2f} {middle[2]:8.2f} {whole:13.2f} {part:24.2f} "
            f"{row[0].arcs:8.1f} {row[0].size:8.1f}"
        )
    print()


def main() -> None:
    """Measure both, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en", help="name or folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60, help="of audio for the widths")
    parser.add_argument("--width", type=int, default=4, help="of the beam for the lengths")
    options = parser.parse_args()
    model = Transducer.load(resolve(options.model))
    samples = speech(max(LENGTHS))
    chosen = samples[: options.seconds * SAMPLE_RATE]
    table(
        "beam", [str(width) for width in WIDTHS], [lambda width=width: cost(model, chosen, width) for width in WIDTHS],
        options.rounds, 0,
    )  # fmt: skip
    # short utterances are cut from all over the speech, so that every length has the same mixture of it
    table(
        "utterance", [f"{length} s" for length in LENGTHS],
        [lambda length=length: mean(model, samples, length, options.width) for length in LENGTHS],
        options.rounds, LENGTHS.index(10),
    )  # fmt: skip


def mean(model: Transducer, samples: Samples, length: int, width: int) -> Cost:
    """Return the mean cost of utterances of a length, cut from all over the speech."""
    size = length * SAMPLE_RATE
    count = max(1, min(12, len(samples) // size))
    starts = [round(place) for place in np.linspace(0, len(samples) - size, count)]
    costs = [cost(model, samples[start : start + size], width) for start in starts]
    names = ("whole", "search", "lattice", "arcs", "size")
    return Cost(**{name: statistics.mean(getattr(one, name) for one in costs) for name in names})


if __name__ == "__main__":
    main()
