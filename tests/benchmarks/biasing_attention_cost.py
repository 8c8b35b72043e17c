"""What attention to a list costs: a change of the list, decoding beside the list's other ways, memory.

    python tests/benchmarks/biasing_attention_cost.py [--model M] [--beam 12] [--rounds 8] [FILE...]

A list of 10 to 10,000 made-up names: milliseconds until a search may attend to it, all new and after one more name;
bytes of its arrays, vectors apart. Decoding: processor time of FILEs (without, of the shipped recording) with fusion
and spotting and with attention too, turn about, the least of the rounds, as a ratio; and beside no list at all.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from biasing_speed import DEMO, names
from nearword.biasing import Phrase
from nearword.models import Transducer, resolve
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.recognition.biasing import load_biasing
from nearword.runtime.recognition.transcriber import transcribe_file
from nearword.runtime.search.attended_lists import attention_to, contextual_bias

SIZES = (10, 100, 300, 1000, 10_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--beam", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("files", nargs="*", type=Path, default=[DEMO])
    arguments = parser.parse_args()
    model = Transducer.load(resolve(arguments.model))
    started = time.perf_counter()
    if contextual_bias(model) is None:
        sys.exit(f"{arguments.model}: no bias_encoder.onnx and bias_attention.onnx there")
    print(f"graphs loaded in {1e3 * (time.perf_counter() - started):.0f} ms")
    beam = BeamSettings(max_active=arguments.beam)
    phrases = names(SIZES[-1] + 20)
    lists = {}
    for size in SIZES:
        lists[size], _ = load_biasing(model, [])
        lists[size].replace("contact", phrases[:size])
        began = time.perf_counter()
        attention = attention_to(model, lists[size])
        spent = time.perf_counter() - began
        book = attention.book
        arrays = (book.pieces, book.sounds, book.begins, book.opening, *book.going.values())
        kept = sum(array.nbytes for array in arrays)
        more = []
        for phrase in phrases[-20:]:
            lists[size].add(Phrase(phrase.text, "contact"))
            began = time.perf_counter()
            attention = attention_to(model, lists[size])
            more.append(time.perf_counter() - began)
            lists[size].remove(phrase.text, "contact")
        print(
            f"{size:6} names: all new {1e3 * spent:.1f} ms, one more {1e3 * statistics.median(more):.2f} ms;"
            f" {kept / 1e6:.2f} MB in arrays, {len(book.pieces)} places",
            flush=True,
        )
    ways = {"no list": SearchOptions(beam)}
    for size, biasing in lists.items():
        ways[f"{size} fusion+spotting"] = SearchOptions(beam, bias=biasing)
        ways[f"{size} all"] = SearchOptions(beam, bias=biasing, attention=True)
    taken = dict.fromkeys(ways, 0.0)
    for file in arguments.files:
        least = dict.fromkeys(ways, float("inf"))
        for _ in range(arguments.rounds + 1):
            for name, options in ways.items():
                began = time.process_time()
                transcribe_file(model, file, options)
                least[name] = min(least[name], time.process_time() - began)
        for name, spent in least.items():
            taken[name] += spent
    for size in SIZES:
        both, beside = taken[f"{size} all"], taken[f"{size} fusion+spotting"]
        print(
            f"{size:6} names: with attention {both / beside:.3f} x the time of fusion and spotting,"
            f" {both / taken['no list']:.3f} x that without a list"
        )


if __name__ == "__main__":
    main()
