"""What updates cost between real versions of the bundled models, and what happens when they are interrupted.

    python tests/benchmarks/model_updates.py sizes COMMIT COMMIT ... [--path models/bundled/assistant-en]
    python tests/benchmarks/model_updates.py kills [--times 1000] [--seed 0]

``sizes`` takes versions out of the repository's history, packs them (a folder) or takes them as they are (a file),
makes the update of each to the next, applies it, and prints bytes against those of the whole file, what each part of a
packed model takes, and the seconds to apply. ``kills`` updates a model over a real connection in a process that is
killed (-9) at a random moment, again and again, and counts what lies there afterwards.
"""

import argparse
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import numpy as np
from file_server import serving
from nearword.models.compression.model_file import FORM, pack_files
from nearword.models.compression.sections import from_bytes
from nearword.models.compression.update_file import UPDATE_FORM, apply_update, make_update
from nearword.models.packing import pack_model
from nearword.models.updates import new_keys, publish, update
from toy_models import ToyModel, write_toy_model

ROOT = Path(__file__).parent.parent.parent


def version(commit: str, path: str) -> bytes:
    """Return a version of a file, or of a folder, packed, as it stands in the history."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", commit, path]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        found = {one.name: files.extractfile(one).read() for one in files if one.isfile()}
    if path in found:
        return found[path]
    return pack_files({name.removeprefix(f"{path}/"): data for name, data in found.items()}, {"name": path})


def parts_of(new: bytes, made: bytes) -> str:
    """Return the bytes that an update spends on each file of a packed model."""
    model = from_bytes(np.frombuffer(new, np.uint8), FORM)
    changes = from_bytes(np.frombuffer(made, np.uint8), UPDATE_FORM)
    spent: Counter[str] = Counter()
    for place, (name, *_) in enumerate(changes.values["update"]["arrays"]):
        spent[model.values[name.partition(".")[0]]["name"]] += changes.arrays.get(str(place), np.zeros(0)).nbytes
    return ", ".join(f"{name} {size:,}" for name, size in spent.most_common() if size > 500)


def sizes(commits: list[str], path: str) -> None:
    """Print a row for each version and the next."""
    versions = [version(commit, path) for commit in commits]
    print("| from | to | whole, bytes | update, bytes | share | applied in | of which |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (one, old), (other, new) in zip(*[list(zip(commits, versions, strict=True))[k:] for k in (0, 1)], strict=False):
        made = make_update(old, new)
        began = time.process_time()
        if apply_update(old, made) != new:
            sys.exit("an update made something else")
        seconds = time.process_time() - began
        of_which = parts_of(new, made) if new[:8] == b"nearword" and b'"kind":"model"' in made else ""
        row = f"| {one} | {other} | {len(new):,} | {len(made):,} | {len(made) / len(new):.1%} | {seconds:.2f} s |"
        print(f"{row} {of_which} |", flush=True)


def kills(times: int, seed: int) -> None:
    """Kill updates, and count the versions that they leave."""
    chance = random.Random(seed)
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        key = new_keys(folder / "maker")
        versions = []
        for number in range(2):
            source = write_toy_model(folder / "toy", ToyModel(seed=number, dim=24))
            pack_model(source, folder / "m.nearword")
            publish(folder / "m.nearword", folder / "site", folder / "maker")
            versions.append((folder / "m.nearword").read_bytes())
        model = folder / "device" / "m.nearword"
        model.parent.mkdir()
        model.write_bytes(versions[0])
        with serving(folder / "site") as server:
            update(model, server.url, key)  # imports what it needs, which the children then have
            model.write_bytes(versions[0])
            began = time.monotonic()
            update(model, server.url, key)
            longest = 1.2 * (time.monotonic() - began)
            for _ in range(times):
                if model.read_bytes() == versions[1]:
                    model.write_bytes(versions[0])
                child = os.fork()
                if not child:
                    try:
                        update(model, server.url, key)
                    finally:
                        os._exit(0)
                time.sleep(chance.uniform(0, longest))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                data = model.read_bytes()
                found["old" if data == versions[0] else "new" if data == versions[1] else "neither"] += 1
            update(model, server.url, key)
            print(f"{times} killed: {dict(found)}; afterwards one more: new {model.read_bytes() == versions[1]}")
    sys.exit(found["neither"] > 0)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    measured = commands.add_parser("sizes")
    measured.add_argument("commits", nargs="+")
    measured.add_argument("--path", default="models/bundled/assistant-en")
    killed = commands.add_parser("kills")
    killed.add_argument("--times", type=int, default=1000)
    killed.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.command == "sizes":
        sizes(options.commits, options.path)
    else:
        kills(options.times, options.seed)


if __name__ == "__main__":
    main()
