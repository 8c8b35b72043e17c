"""The store of contexts: how many interactions a second, and what is left after kills and after expiry.

    python tests/benchmarks/context_store.py [--kills 1000] [--seconds 5]

An interaction is four events (heard, reply, screen of five, expect-speech). One process and two at once are measured;
then a writer is killed at random moments, again and again, and after every kill all that is there has to be whole and
nothing that was told as written may be missing. At the end the files are searched for the texts, before expiry and
after it.
"""

import argparse
import multiprocessing
import os
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from nearword.runtime.context import Cipher, ContextStore, EventKind
from nearword.runtime.context.sqlite_tables import SqliteTables

KEY = bytes(range(32))
MARK = "guinevere pendragon"
"""In every text: searched for in the files."""


def interaction(store: ContextStore, name: str, number: int) -> None:
    store.write(name, EventKind.heard, [f"{MARK} heard {number}"])
    store.write(name, EventKind.reply, [f"{MARK} reply {number}"])
    store.write(name, EventKind.screen, [f"{MARK} line {line} of {number}" for line in range(5)])
    store.write(name, EventKind.expect_speech, act="clarify")


def timed(path: Path, name: str, seconds: float, counts: Any) -> None:
    with ContextStore(SqliteTables(path), Cipher(KEY)) as store:
        end, count, spent = time.monotonic() + seconds, 0, time.process_time()
        while time.monotonic() < end:
            interaction(store, f"{name}{count}", count)
            count += 1
    counts.put((count, time.process_time() - spent))


def speed(folder: Path, processes: int, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    counts = context.Queue()
    path = folder / f"speed{processes}.db"
    workers = [context.Process(target=timed, args=(path, f"w{k}-", seconds, counts)) for k in range(processes)]
    for worker in workers:
        worker.start()
    each, spent = zip(*(counts.get() for _ in workers), strict=True)
    for worker in workers:
        worker.join()
    print(
        f"{processes} process(es): {sum(each) / seconds:.0f} interactions of 4 events a second {each}, "
        f"{sum(each) / sum(spent):.0f} a second of processor time",
        flush=True,
    )


def write_for_ever(path: Path, pipe: Any, begin: int) -> None:
    store = ContextStore(SqliteTables(path), Cipher(KEY), seconds=3600)
    number = begin
    while True:
        interaction(store, f"i{number % 200}", number)
        pipe.send_bytes(number.to_bytes(8, "little"))
        number += 1


def kills(folder: Path, times: int) -> None:
    context, path = multiprocessing.get_context("fork"), folder / "kills.db"
    rng, number, broken, lost, checked = random.Random(1), 0, 0, 0, 0
    for _ in range(times):
        receive, send = context.Pipe(duplex=False)
        worker = context.Process(target=write_for_ever, args=(path, send, number))
        worker.start()
        send.close()
        receive.poll(10)
        time.sleep(rng.uniform(0, 0.02))
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        told = number - 1
        try:
            while True:
                told = int.from_bytes(receive.recv_bytes(), "little")
        except EOFError:
            pass
        receive.close()
        with ContextStore(SqliteTables(path), Cipher(KEY), seconds=3600) as store:
            found = {}
            for row in store.rows():
                texts = store.read(row).texts
                lines = texts.get(EventKind.screen, ())
                checked += 1
                numbers = {line.rpartition(" ")[2] for line in lines}
                broken += bool(lines) and (len(lines) != 5 or len(numbers) != 1)
                found[row.interaction] = texts
            last = found.get(f"i{told % 200}", {}).get(EventKind.heard, ("",))[0]
            # what was told as written is there, or was written over by the interaction that was under way
            lost += last.rpartition(" ")[2] not in {str(told), str(told + 200)}
        number = told + 1
    print(f"{times} kills, {number} interactions told as written: {broken} of {checked} rows half-written, {lost} lost")


def search(folder: Path) -> None:
    hits = [path.name for path in folder.iterdir() if MARK.encode() in path.read_bytes()]
    print(f"searched {sum(1 for _ in folder.iterdir())} files: the texts are readable in {len(hits)} of them {hits}")
    for path in [*folder.glob("*.db")]:
        tables = SqliteTables(path)
        before = tables.rows(now=0.0)
        blobs = [
            item.data
            for row in before[:200]
            for value in [*row.events.values()][:1]
            for item in tables.items(row.interaction, value.partition(":")[0], now=0.0)
        ]
        gone = tables.purge(now=time.time() + 7200)
        tables.close()
        left = b"".join(each.read_bytes() for each in folder.glob(f"{path.name}*"))
        remains = sum(blob[-24:] in left for blob in blobs)
        print(f"{path.name}: {gone} rows expired; of {len(blobs)} encrypted texts {remains} are left in the files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for processes in (1, 2):
            speed(folder, processes, arguments.seconds)
        kills(folder, arguments.kills)
        search(folder)


if __name__ == "__main__":
    main()
