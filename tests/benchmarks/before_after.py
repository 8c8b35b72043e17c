"""Two installations against each other, whole processes: processor seconds and peak memory of ``nearword transcribe``.

    python tests/benchmarks/before_after.py BEFORE AFTER --model FOLDER [--rounds 5] [--only beam8] FILE...

BEFORE and AFTER are the ``nearword`` programs of two environments, as of two worktrees. Every case runs by turns, the
order changed each round; ratios are medians over the rounds of pairs. ``start`` is a fifth of a second of silence: what
imports and loading take. The words are compared too. Python keeps what it compiles, as in an installed package.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """What one process took."""

    cpu: float
    """Processor seconds."""
    peak: float
    """Megabytes."""
    wall: float
    """Seconds."""
    output: bytes


CHILD = (
    "import os, resource, subprocess, sys, time\n"
    "begun = time.perf_counter()\n"
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)\n"
    "wall = time.perf_counter() - begun\n"
    "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "sys.stderr.write(f'\\n{used.ru_utime + used.ru_stime} {used.ru_maxrss / 1024} {wall} {done.returncode}')\n"
    "sys.stdout.buffer.write(done.stdout)\n"
)


def run(command: Sequence[str]) -> Run:
    """Run a program to its end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", CHILD, *command], capture_output=True, check=True, env=environment)
    cpu, peak, wall, code = done.stderr.decode().rsplit("\n", 1)[1].split()
    if code != "0":
        raise SystemExit(f"{' '.join(command[:6])}: ended with {code}: {done.stderr.decode()[-500:]}")
    return Run(float(cpu), float(peak), float(wall), done.stdout)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", help="cases, of: start greedy beam4 beam8 phrases grammar")
    parser.add_argument("--grammar", help="of the case of that name")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder, "compiled"))
        phrases = Path(folder, "phrases.txt")
        phrases.write_text("".join(f"{a}{b} {c}{d}\n" for a, b, c, d in names(1000)))
        silence = Path(folder, "silence.wav")
        silence.write_bytes(wav(3200))
        cases = {
            "start": ["--beam", "8", str(silence)],
            "greedy": ["--beam", "1", *options.files],
            "beam4": ["--beam", "4", *options.files],
            "beam8": ["--beam", "8", *options.files],
            "phrases": ["--bias", str(phrases), *options.files],
        }
        if options.grammar:
            cases["grammar"] = ["--grammar", options.grammar, *options.files]
        print("case      before s  after s  ratio (least to most)   MB before, after  wall ratio  same", flush=True)
        for case, arguments in cases.items():
            if options.only and case not in options.only:
                continue
            rounds: list[dict[str, Run]] = []
            for number in range(options.rounds + 1):
                sides = [options.before, options.after]
                rounds.append(
                    {
                        side: run([side, "transcribe", "--format", "json", "--model", options.model, *arguments])
                        for side in (reversed(sides) if number % 2 else sides)
                    }
                )
            rounds = rounds[1:]  # the first fills the disk's cache
            ratios = sorted(one[options.after].cpu / one[options.before].cpu for one in rounds)
            walls = statistics.median(one[options.after].wall / one[options.before].wall for one in rounds)
            before, after = ([one[side] for one in rounds] for side in (options.before, options.after))
            cpu, peak = ([statistics.median(r[part] for r in runs) for runs in (before, after)] for part in (0, 1))
            print(
                f"{case:8} {cpu[0]:9.3f} {cpu[1]:8.3f} {statistics.median(ratios):6.3f} "
                f"({ratios[0]:.3f} to {ratios[-1]:.3f}) {peak[0]:9.1f} {peak[1]:7.1f} {walls:9.3f}   "
                f"{'same' if words(before[0].output) == words(after[0].output) else 'DIFFERENT'}",
                flush=True,
            )


def words(output: bytes) -> list[str]:
    """Return the texts of the recordings: keys that one side does not know yet do not count."""
    return [json.loads(line)["text"] for line in output.decode().splitlines()]


def names(count: int) -> list[tuple[str, str, str, str]]:
    """Return made-up names, in four parts."""
    heads = ("br", "ch", "d", "fr", "g", "h", "k", "l", "m", "n")
    tails = ("abin", "ander", "ela", "erick", "ino", "ola", "ovan", "umar", "yss", "ight")
    found = [(a, b, c, d) for a in heads for b in tails for c in heads for d in tails]
    return found[:: len(found) // count][:count]


def wav(samples: int) -> bytes:
    """Return silence, 16 kHz mono."""
    size = 2 * samples
    header = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"\1\0\1\0" + (16000).to_bytes(4, "little") + (32000).to_bytes(4, "little") + b"\2\0\x10\0"
    return header + b"data" + size.to_bytes(4, "little") + bytes(size)


if __name__ == "__main__":
    main()
