"""A perfect hash of a million keys: seconds to build, time to look up, bits a key, and strangers that pass.

python tests/benchmarks/perfect_hash.py [--keys 1000000]
"""

import argparse
import time

import numpy as np
from nearword.models.compression import FingerprintHash, PerfectHash

BOUND = 1.44
"""Bits a key that no minimal perfect hash can do without."""
WIDTHS = (0, 2, 4, 6, 8, 12, 16)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    count = parser.parse_args().keys
    chance = np.random.default_rng(1)
    keys = np.unique(chance.integers(0, 1 << 64, count, np.uint64))
    begun = time.process_time()
    found = PerfectHash.build(keys)
    built = time.process_time() - begun
    begun = time.process_time()
    numbers = found.numbers(keys)
    looked = time.process_time() - begun
    fine = np.array_equal(np.sort(numbers), np.arange(len(keys)))
    bits = found.num_bits / len(keys)
    print(
        f"{len(keys):,} keys: built in {built:.2f} s, all looked up in {looked:.2f} s "
        f"({1e9 * looked / len(keys):.0f} ns a key)"
    )
    print(
        f"{bits:.3f} bits a key in {len(found.sizes)} arrays, {bits / BOUND:.2f} x the bound of {BOUND}; "
        f"each number once: {fine}"
    )
    few = keys[:400]
    spent = []
    for _ in range(50):
        begun = time.process_time()
        found.numbers(few)
        spent.append(time.process_time() - begun)
    print(f"400 keys at once: {1e6 * float(np.median(spent)):.0f} microseconds")
    strangers = np.setdiff1d(chance.integers(0, 1 << 64, 200_000, np.uint64), keys)
    some = keys[:100_000]
    for width in WIDTHS:
        hashed = FingerprintHash.build(some, width)
        passed = np.count_nonzero(hashed.numbers(strangers) >= 0) / len(strangers)
        size = (hashed.hash.num_bits + 8 * hashed.fingerprints.data.nbytes) / len(some)
        print(
            f"fingerprints of {width:2} bits: {size:5.2f} bits a key, "
            f"{passed:.4%} of strangers pass (expected {2.0**-width:.4%})"
        )


if __name__ == "__main__":
    main()
