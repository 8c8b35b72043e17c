"""Read many damaged lattice files of each format: no crash, no hang, little memory.

    python tests/benchmarks/fuzz_formats.py [--files 10000] [--seed 0]

Files are made from random lattices: bytes changed, cut out, repeated, swapped, put in from another file, numbers made
large. Every file is to give a lattice or a LatticeError. Memory is what reading adds at most (tracemalloc, on
a tenth of the files and on every bomb), and the growth of the whole process, bombs included.
"""

import argparse
import random
import resource
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import numpy as np
from lattices import random_lattice
from nearword.lattice import FORMATS, Format, Lattice, LatticeError, Limits, encode

MAX_MEGABYTES = 50
NUMBERS = (b"-1", b"99999999", b"1e999", b"nan", b"inf", b"-inf", b"0", b"1e-999", b"9" * 400, b"\xff\xff\xff\xff\x7f")


def mutate(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Return the data with 1 to 8 changes."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 8))):
        at, size = dice.randrange(len(changed) + 1), dice.choice((1, 1, 2, 4, 16, 100))
        kind = dice.randrange(7)
        if kind == 0:
            changed[at : at + 1] = bytes([dice.randrange(256)])
        elif kind == 1:
            del changed[at : at + size]
        elif kind == 2:
            changed[at:at] = changed[at : at + size] * dice.choice((1, 2, 10, 3000 // size + 1))
        elif kind == 3:
            changed[at:at] = dice.choice(NUMBERS)
        elif kind == 4:
            start = dice.randrange(len(other) + 1)
            changed[at : at + size] = other[start : start + size]
        elif kind == 5:
            digits = [place for place, byte in enumerate(changed) if 48 <= byte <= 57]
            for place in dice.sample(digits, min(len(digits), 3)):
                changed[place] = dice.randrange(48, 58)
        elif changed:
            changed[at % len(changed)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def damaged(name: str, files: list[bytes], dice: random.Random) -> bytes:
    """Return a damaged file."""
    data, other = dice.choice(files), dice.choice(files)
    return mutate(data, other, dice)


def damaged_files(form: Format, count: int, seed: int) -> Iterator[bytes]:
    """Return damaged files, the same for the same seed."""
    dice = random.Random(seed)
    files = [form.write(random_lattice(size, nodes=2 + size % 40)) for size in range(60)]
    return (damaged(form.name, files, dice) for _ in range(count))


def bombs(name: str) -> list[bytes]:
    """Return files made to cost time or memory."""
    if name == "json":
        start = b'{"format": "nearword-lattice", "version": 1, "offset": 0, "nodes": 2, "ends": [], "arcs": '
        return [b"[" * 1_900_000, start + b"[" + b"{}," * 600_000 + b"{}]}", start + b"[" + b"[]," * 600_000 + b"[]]}"]
    if name == "binary":
        return [b"NL\x01" + b"\xff" * 1_999_000, b"NL\x01" + bytes(1_999_000), most_bits()]
    if name == "slf":
        lines = [b"VERSION=1.0", *(b"I=%d" % node for node in range(20_000))]
        links = [b"J=%d S=%d E=%d W=w" % (node, node, node + 1) for node in range(19_999)]
        return [b"\n".join(lines + links), b"I=0 " + b"x=1 " * 490_000, b"J=0 W=" + b"w" * 1_900_000]
    chain = b"\n".join(b"%d %d w 0" % (node, node + 1) for node in range(19_999)) + b"\n19999"
    empty = b"\n".join(b"%d %d <eps> 0" % (one, two) for one in range(198) for two in range(one + 1, 199))
    return [chain, empty + b"\n198", b"0 1 " + b"w" * 1_900_000, b"0 " * 990_000]


def read(form: Format, data: bytes, outcomes: Counter[str]) -> float:
    """Read a file; return the seconds it took."""
    began = time.perf_counter()
    try:
        form.read(data, Limits())
        outcomes["lattices"] += 1
    except LatticeError:
        outcomes["refused"] += 1
    except Exception as error:
        outcomes["crashes"] += 1
        print(f"{form.name}: {type(error).__name__}: {error!s:.200}")
    return time.perf_counter() - began


def memory(form: Format, data: bytes) -> float:
    """Return the megabytes that reading a file takes at most."""
    tracemalloc.start()
    read(form, data, Counter())
    most = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return most


def peak() -> float:
    """Return the megabytes that the process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def most_bits() -> bytes:
    """Return the largest binary lattice that there may be."""
    count = 20_000
    place = np.arange(count - 1)
    final = np.zeros((count, 3))
    final[:-1, 0] = -np.inf
    words = tuple(f"w{index}" for index in place)
    times = 1000 * np.random.default_rng(0).random(count - 1)
    scores = np.random.default_rng(1).normal(-0.5, 9, (count - 1, 3))
    return encode(Lattice(words, place, place + 1, place, times, times, scores, final))


def main() -> None:
    """Read them, and print a row per format."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows, failed = [], False
    readable = [form for form in FORMATS.values() if form.read]
    traps = {form.name: bombs(form.name) for form in readable}
    before = peak()
    for form in readable:
        outcomes: Counter[str] = Counter()
        slowest = max(read(form, data, outcomes) for data in damaged_files(form, options.files, options.seed))
        row = f"{form.name:7} {options.files:6} {outcomes['lattices']:9} {outcomes['refused']:8}"
        slowest_bomb = max(read(form, data, outcomes) for data in traps[form.name])
        rows.append(f"{row} {outcomes['crashes']:8}{slowest * 1000:12.1f}{slowest_bomb * 1000:17.0f}")
        failed |= outcomes["crashes"] > 0
    grown = peak() - before
    print("format   files  lattices  refused  crashes  slowest ms  slowest bomb ms  most MB  most MB in bombs")
    for form, row in zip(readable, rows, strict=True):  # apart, since tracing takes time and memory itself
        most = max(memory(form, data) for data in damaged_files(form, options.files // 10, options.seed))
        most_bomb = max(memory(form, data) for data in traps[form.name])
        failed |= max(most, most_bomb) > MAX_MEGABYTES
        print(f"{row}{most:9.1f}{most_bomb:18.1f}")
    print(f"the process grew by {grown:.0f} MB before memory was traced")
    sys.exit(failed)


if __name__ == "__main__":
    main()
