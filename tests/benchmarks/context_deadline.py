"""Whether contexts are ready in time, and what a blocked worker, a broken store, a lost key, or a full disk cost.

    python tests/benchmarks/context_dialogues.py FOLDER
    python tests/benchmarks/context_deadline.py FOLDER [--turns 300] [--utterances 40]

First: the time from ``reply`` to a computed context, over the contexts of ``test.jsonl``, and the share that is ready
within a second (a reply of one second), by the clock. Then, for each fault, how many utterances come out as without any
context, and how much more processor time the session's part of recognising them takes (the only part that differs):
the sum per utterance, in the recogniser's thread.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from nearword.models import read_audio
from nearword.runtime import Recognizer, load_model
from nearword.runtime.context import (
    Cipher,
    ContextModel,
    ContextSession,
    ContextStore,
    ContextStoreError,
    EventKind,
    update,
)
from nearword.runtime.context.sqlite_tables import SqliteTables
from nearword.runtime.recognition.events import Final
from nearword.runtime.recognition.session import Session

BLOCK = 1600


class LostKey(Cipher):
    """A key that encrypts, and is gone when something is to be read."""

    def decrypt(self, data: bytes, place: str) -> str:
        return Cipher(bytes(range(32))).decrypt(data, place)


class Blocked:
    """A worker that hangs."""

    def __init__(self, model: ContextModel) -> None:
        self.language, self.go_on = model.language, threading.Event()

    def compute(self, given: Any) -> Any:
        self.go_on.wait(60)
        raise TimeoutError("blocked")


@contextmanager
def store_with(fault: str) -> Iterator[ContextStore | None]:
    if fault in ("none", "blocked"):
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "context.db"
        with ContextStore(SqliteTables(path), Cipher(bytes(32))) as first:
            first.write("shared", EventKind.screen, ["something shown"])
        tables = SqliteTables(path)
        store = ContextStore(tables, (LostKey if fault == "lost key" else Cipher)(bytes(32)))
        if fault == "broken store":
            tables.close()
            path.write_bytes(b"broken" * 1000)
        if fault == "full disk":
            pages = tables._db.execute("PRAGMA page_count").fetchone()[0]
            tables._db.execute(f"PRAGMA max_page_count = {pages + 2}")
            for size in (2000, 100, 0):  # until nothing goes in any more, not even into what is left of pages
                with suppress(ContextStoreError):
                    for number in range(1000):
                        store.write(f"{size}-{number}", EventKind.screen, ["x" * size])
        yield store
        if fault != "broken store":
            store.close()


def timed(session: Session) -> list[float]:
    """Have the session's calls measured; returns where their sum stands."""
    spent = [0.0]

    def measured(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return call(*arguments)
            finally:
                spent[0] += time.thread_time() - began

        return run

    for name in ("begin_search", "refresh", "heard"):
        setattr(session, name, measured(getattr(session, name)))
    return spent


def recognised(session: Session, samples: np.ndarray) -> tuple[list[str], float]:
    spent = timed(session)
    recognizer = Recognizer(session.model, session=session)
    events = [event for k in range(0, len(samples), BLOCK) for event in recognizer.accept(samples[k : k + BLOCK])]
    texts = [event.text for event in [*events, *recognizer.finish()] if isinstance(event, Final)]
    return texts, spent[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--utterances", type=int, default=40)
    parser.add_argument("--model", default="assistant-en")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in (arguments.folder / "test.jsonl").read_text().splitlines()]
    loaded = load_model(arguments.model)
    model = ContextModel(loaded)

    chosen = rows[:: max(1, len(rows) // arguments.turns)]
    session, took = ContextSession(loaded, context_model=model), []
    for row in chosen:
        session.context.clear()
        session.wait(30)
        began = time.perf_counter()
        update(session.context, row["context"])
        session.wait(30)
        took.append(1e3 * (time.perf_counter() - began))
    session.close()
    print(
        f"{len(took)} turns: context ready after {np.median(took):.1f} ms (median), "
        f"{np.quantile(took, 0.99):.1f} ms (99th percentile), {max(took):.1f} ms at most; "
        f"within 1 s: {100 * np.mean(np.array(took) < 1000):.1f} %",
        flush=True,
    )

    chosen = rows[:: max(1, len(rows) // arguments.utterances)]
    audio = [read_audio(arguments.folder / row["path"]) for row in chosen]
    plain = [recognised(Session(loaded), samples) for samples in audio]
    for fault in ("blocked", "broken store", "lost key", "full disk"):
        same, more = 0, []
        for row, samples, (texts, seconds) in zip(chosen, audio, plain, strict=True):
            with store_with(fault) as store:
                blocked = Blocked(model)
                used: Any = blocked if fault == "blocked" else model
                session = ContextSession(loaded, context_model=used, store=store, interaction="shared")
                update(session.context, row["context"])
                if fault != "blocked":
                    session.wait(30)
                found, spent = recognised(session, samples)
                blocked.go_on.set()
                session.close()
            same += found == texts
            more.append(1e3 * (spent - seconds))
        print(
            f"{fault:12}: {same} of {len(more)} utterances as without context; "
            f"ms more: {np.median(more):.2f} (median), {max(more):.2f} at most",
            flush=True,
        )


if __name__ == "__main__":
    main()
