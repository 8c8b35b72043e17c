"""Phrase lists: time to build and to edit, memory per phrase, and what they cost while decoding.

    python tests/benchmarks/biasing_speed.py [--model M] [--beam 4] [--rounds 10] [FILE...]

Names are made up of syllables. The overhead is the processor time of whole decoding (features, encoder, search,
words) of FILEs with a list to that without, turn about, the least of the rounds for each file; without files, of the
shipped recording. It compares equal beams: a list is also a reason to widen the beam, which costs more than the list.
"""

import argparse
import random
import statistics
import time
from pathlib import Path

from nearword.biasing import Biasing, Phrase
from nearword.models import Transducer, resolve
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.recognition.biasing import load_biasing
from nearword.runtime.recognition.transcriber import transcribe_file

DEMO = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"
SIZES = (100, 1000, 10_000, 100_000)


def names(count: int) -> list[Phrase]:
    rng = random.Random(4)
    heads = "b br c ch d f g gr h j k l m n p r s sh st t tr v w y z".split()
    tails = "a ab ain an ar as e ed el en er i ick ie in is o ock on or ow u um y".split()

    def word() -> str:
        return "".join(rng.choice(heads) + rng.choice(tails) for _ in range(rng.choice((1, 2, 2, 3))))

    found: dict[str, None] = {}
    while len(found) < count:
        found.setdefault(f"{word()} {word()}")
    return [Phrase(name, "contact") for name in found]


def build(biasing: Biasing, phrases: list[Phrase]) -> float:
    """Return the processor seconds until a search may use the list."""
    started = time.process_time()
    biasing.replace("contact", phrases)
    biasing.snapshot()
    return time.process_time() - started


def edits(biasing: Biasing, phrases: list[Phrase]) -> list[float]:
    """Return the processor seconds of up to 200 edits, each until a search may use it; half of them take one out."""
    spent = []
    for phrase in phrases[:100]:
        for edit in (
            lambda phrase=phrase: biasing.add(Phrase(f"{phrase.text} zed", "contact")),
            lambda phrase=phrase: biasing.remove(phrase.text, "contact"),
        ):
            started = time.process_time()
            edit()
            biasing.snapshot()
            spent.append(time.process_time() - started)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("files", nargs="*", type=Path, default=[DEMO])
    arguments = parser.parse_args()
    model = Transducer.load(resolve(arguments.model))
    beam = BeamSettings(max_active=arguments.beam)
    lists = {0: None}
    for size in SIZES:
        phrases = names(size)
        biasing, _ = load_biasing(model, [])
        seconds = build(biasing, phrases)
        spent = edits(biasing, phrases)
        print(
            f"{size:7} phrases: built in {seconds:.3f} s; edits {1e3 * statistics.median(spent):.2f} ms median, "
            f"{1e3 * max(spent):.2f} ms at most; {biasing.nbytes / len(biasing):.0f} bytes a phrase in arrays",
            flush=True,
        )
        biasing.replace("contact", phrases)
        lists[size] = biasing
    taken = dict.fromkeys(lists, 0.0)
    for file in arguments.files:
        least = dict.fromkeys(lists, float("inf"))
        for _ in range(arguments.rounds + 1):
            for size, biasing in lists.items():
                started = time.process_time()
                transcribe_file(model, file, SearchOptions(beam, bias=biasing))
                least[size] = min(least[size], time.process_time() - started)
        for size, seconds in least.items():
            taken[size] += seconds
    for size in SIZES:
        print(f"{size:7} phrases: decoding takes {100 * (taken[size] / taken[0] - 1):+.1f} %")


if __name__ == "__main__":
    main()
