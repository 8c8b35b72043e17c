"""Labelled texts in two parts, the same each time: a fifth that nobody looks at, and the rest.

    python tests/benchmarks/understanding_splits.py LABELLED.jsonl --to FOLDER

Writes FOLDER/NAME.final.jsonl and FOLDER/NAME.rest.jsonl. Which part a text is in depends on its words alone, by their
hash, so no text stands on both sides, however often it is there.
"""

import argparse
import hashlib
import json
from pathlib import Path

from nearword.lattice.understanding.words import tokenize

PARTS = 5


def is_final(text: str) -> bool:
    """Whether a text belongs to the part that is looked at last."""
    words = " ".join(token.text for token in tokenize(text))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "little") % PARTS == 0


def main() -> None:
    """Split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--to", type=Path, default=Path())
    settings = parser.parse_args()
    lines = settings.labelled.read_text(encoding="utf-8").splitlines(keepends=True)
    name = settings.labelled.name.split(".")[0]
    for part in ("final", "rest"):
        chosen = [line for line in lines if is_final(json.loads(line)["text"]) == (part == "final")]
        path = settings.to / f"{name}.{part}.jsonl"
        path.write_text("".join(chosen), encoding="utf-8")
        print(f"{path}: {len(chosen)} texts")


if __name__ == "__main__":
    main()
