"""Read many damaged packed models and apply many damaged updates: no crash, little memory, nothing taken for whole.

    python tests/benchmarks/fuzz_models.py [--files 10000] [--seed 0]

Bytes are changed, cut out, repeated and put in; half of the time the checksum of the whole is made right again, as one
who means harm would do. A model is to give an error of ours, or every file as it was packed where its own SHA-256 is
checked; an update is to give an error, or the very new version. Signatures are left out: they would refuse all of it.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from nearword.models.compression import CompressionError
from nearword.models.compression.model_file import ModelFile, pack_files
from nearword.models.compression.update_file import apply_update, make_update
from packed_models import quantised_graph, spoilt

FILES = {"encoder.int8.onnx": quantised_graph(rows=60, columns=40), "tokens.txt": b"<blk> 0\nA 1\n" * 40}
MAX_MEGABYTES = 40


def read(path: Path, data: bytes) -> str:
    """Read a damaged model; return what came of it."""
    path.write_bytes(data)
    try:
        model = ModelFile(path)
        found = {name: model.read(name) for name in model.entries}
    except CompressionError as error:
        return "refused" if "\n" not in str(error) else "several lines"
    named = {name: hashlib.sha256(content).hexdigest() == model.entries[name].sha256 for name, content in found.items()}
    return "whole" if found == FILES else "told by SHA-256" if not all(named.values()) else "other names or values"


def applied(old: bytes, new: bytes, data: bytes) -> str:
    """Apply a damaged update; return what came of it."""
    try:
        return "whole" if apply_update(old, data) == new else "WRONG"
    except CompressionError as error:
        return "refused" if "\n" not in str(error) else "several lines"


def main() -> None:
    """Damage them, and count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    old = pack_files(FILES, {"name": "m"})
    new = pack_files({**FILES, "tokens.txt": b"<blk> 0\nB 1\n" * 40, "lm.bin": b"more"}, {"name": "m"})
    update = make_update(old, new)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.nearword"
        ways = {"models": lambda: read(path, spoilt(old, chance)),
                "updates": lambda: applied(old, new, spoilt(update, chance))}  # fmt: skip
        for name, way in ways.items():
            found: Counter[str] = Counter()
            slowest = 0.0
            tracemalloc.start()
            for _ in range(options.files):
                began = time.perf_counter()
                try:
                    found[way()] += 1
                except Exception as error:
                    found[f"crash {type(error).__name__}: {error!s:.80}"] += 1
                slowest = max(slowest, time.perf_counter() - began)
            most = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
            bad = [kind for kind in found if kind.startswith(("crash", "WRONG", "several"))]
            failed |= bool(bad) or most > MAX_MEGABYTES
            print(f"{name}: {dict(found)}, slowest {1000 * slowest:.0f} ms, most {most:.1f} MB", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
