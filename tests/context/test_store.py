"""Both databases hold the same promises; the second runs as a server on loopback."""

import contextlib
import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.runtime.context import (
    Cipher,
    ContextError,
    ContextKeyError,
    ContextStore,
    ContextStoreError,
    EventKind,
    load_key,
    open_store,
)
from nearword.runtime.context.dynamodb_tables import DynamoTables
from nearword.runtime.context.sqlite_tables import SqliteTables
from nearword.runtime.context.tables import Item, Tables

KEY = bytes(range(32))
REPLY = "Do you mean Guinevere Pendragon or Morgan Lefay?"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def dynamodb_endpoint() -> Iterator[str]:
    server = pytest.importorskip("moto.server")
    thread = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    thread.start()
    host, port = thread.get_host_and_port()
    yield f"http://{host}:{port}"
    thread.stop()


@pytest.fixture(params=["sqlite", "dynamodb"])
def make_tables(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Tables]:
    if request.param == "sqlite":
        return lambda: SqliteTables(tmp_path / "context.db")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "loopback")
    endpoint = request.getfixturevalue("dynamodb_endpoint")
    prefix = f"test-{time.time_ns()}"
    return lambda: DynamoTables(prefix, endpoint=endpoint, region="eu-central-1")


@pytest.fixture
def store(make_tables: Callable[[], Tables]) -> Iterator[ContextStore]:
    with ContextStore(make_tables(), Cipher(KEY), seconds=60, clock=Clock()) as opened:
        yield opened


def passes(store: ContextStore, seconds: float) -> None:
    store._clock.now += seconds


def test_a_write_returns_all_events_of_the_interaction(store: ContextStore) -> None:
    store.write("a", EventKind.heard, ["call guinevere"])
    store.write("a", EventKind.reply, [REPLY])
    store.write("b", EventKind.reply, ["Which room?"])
    row = store.write("a", EventKind.expect_speech, act="clarify")
    assert set(row.events) == {EventKind.heard, EventKind.reply, EventKind.expect_speech}
    read = store.read(row)
    assert read.texts == {EventKind.heard: ("call guinevere",), EventKind.reply: (REPLY,)}
    assert read.act == "clarify"
    assert store.row("a") == row


def test_strings_of_events_are_short_whatever_is_said(store: ContextStore) -> None:
    row = store.write("a", EventKind.screen, [f"a long title {k}" * 20 for k in range(60)])
    assert all(len(value) <= 64 for value in row.events.values())
    assert len(store.read(row).texts[EventKind.screen]) == 60


def test_an_event_that_comes_again_takes_the_place_of_the_first(store: ContextStore) -> None:
    store.write("a", EventKind.screen, ["first", "second"])
    row = store.write("a", EventKind.screen, ["third"])
    assert store.read(row).texts == {EventKind.screen: ("third",)}


def test_nothing_is_there_after_its_time(store: ContextStore) -> None:
    store.write("a", EventKind.reply, [REPLY])
    passes(store, 59)
    store.write("b", EventKind.reply, ["later"])
    passes(store, 2)
    assert store.row("a") is None
    assert [row.interaction for row in store.rows()] == ["b"]
    assert store.purge() == 2
    assert store.purge() == 0
    assert store.purge(everything=True) == 2
    assert store.rows() == []


def test_a_row_that_has_expired_is_begun_anew(store: ContextStore) -> None:
    store.write("a", EventKind.reply, [REPLY])
    passes(store, 61)  # nobody has purged
    row = store.write("a", EventKind.heard, ["yes"])
    assert set(row.events) == {EventKind.heard}
    assert store.read(row).texts == {EventKind.heard: ("yes",)}


def test_an_interaction_can_be_deleted(store: ContextStore) -> None:
    store.write("a", EventKind.reply, [REPLY])
    store.write("b", EventKind.reply, ["other"])
    assert store.delete("a")
    assert not store.delete("a")
    assert [row.interaction for row in store.rows()] == ["b"]
    assert store.purge(everything=True) == 2


def test_another_key_opens_nothing_and_says_so(make_tables: Callable[[], Tables]) -> None:
    clock = Clock()
    with ContextStore(make_tables(), Cipher(KEY), clock=clock) as store:
        store.write("a", EventKind.reply, [REPLY])
    with ContextStore(make_tables(), Cipher(bytes(32)), clock=clock) as store:
        row = store.row("a")
        assert row is not None
        with pytest.raises(ContextKeyError, match="another one, or is lost"):
            store.read(row)


def test_texts_cannot_change_places(make_tables: Callable[[], Tables]) -> None:
    tables, clock = make_tables(), Clock()
    store = ContextStore(tables, Cipher(KEY), clock=clock)
    row = store.write("a", EventKind.reply, ["call the bank"])
    batch = row.events[EventKind.reply].partition(":")[0]
    (item,) = tables.items("a", batch, now=clock.now)
    moved = tables.write("b", EventKind.reply, f"{batch}:1", [Item(0, item.data)], now=clock.now, expires=2e6)
    with pytest.raises(ContextKeyError):
        store.read(moved)
    store.close()


def test_items_without_their_event_are_not_seen(make_tables: Callable[[], Tables]) -> None:
    # as after a kill between the two writes that DynamoDB needs
    tables, clock = make_tables(), Clock()
    store = ContextStore(tables, Cipher(KEY), clock=clock)
    row = store.write("a", EventKind.reply, ["one", "two"])
    cut = type(row)(row.interaction, {EventKind.reply: row.events[EventKind.reply].replace(":2", ":3")}, row.expires)
    with pytest.raises(ContextStoreError, match="2 of 3 texts"):
        store.read(cut)
    store.close()


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_is_none_is_refused(store: ContextStore, name: str) -> None:
    with pytest.raises(ContextError, match="1 to 64 characters"):
        store.write(name, EventKind.heard, ["hello"])


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([*EventKind][:3]), st.lists(st.text(max_size=20), max_size=3))
    )
)
def test_sqlite_reads_what_was_written_last(written: list[tuple[str, EventKind, list[str]]]) -> None:
    import tempfile

    expected: dict[str, dict[EventKind, tuple[str, ...]]] = {}
    texts = [(name, kind, [text.encode("utf-8", "ignore").decode() for text in each]) for name, kind, each in written]
    with tempfile.TemporaryDirectory() as folder, ContextStore(SqliteTables(f"{folder}/s.db"), Cipher(KEY)) as store:
        for name, kind, each in texts:
            row = store.write(name, kind, each)
            expected.setdefault(name, {})[kind] = tuple(each)
            assert store.read(row).texts == expected[name]
        assert {row.interaction for row in store.rows()} == expected.keys()


def everything_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.suffix != ".key")


def test_no_text_is_readable_on_disk_and_none_is_left_after_expiry(tmp_path: Path) -> None:
    clock = Clock()
    tables = SqliteTables(tmp_path / "context.db")
    store = ContextStore(tables, Cipher(KEY), seconds=60, clock=clock)
    rows = [store.write(f"i{k}", EventKind.reply, [f"{REPLY} {k}"]) for k in range(50)]
    encrypted = [
        item.data
        for row in rows
        for item in tables.items(row.interaction, row.events[EventKind.reply].partition(":")[0], now=clock.now)
    ]
    on_disk = everything_on_disk(tmp_path)
    for word in REPLY.split():
        assert word.encode() not in on_disk or len(word) < 5
    assert all(data in on_disk for data in encrypted)
    clock.now += 61
    store.purge()
    on_disk = everything_on_disk(tmp_path)
    assert not any(data[-20:] in on_disk for data in encrypted)
    assert not any(f"i{k}".encode() in on_disk for k in range(10, 50))
    store.close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with open_store(tmp_path / "s" / "context.db", key=tmp_path / "k" / "context.key") as store:
        store.write("a", EventKind.heard, ["hello"])
        files = [*(tmp_path / "s").iterdir(), *(tmp_path / "k").iterdir()]
        assert len(files) >= 3
        assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in files)


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "context.key"
    assert load_key(path) == load_key(path)
    path.write_text("no key")
    with pytest.raises(ContextKeyError, match="expected 32 bytes"):
        load_key(path)
    path.unlink()
    with pytest.raises(ContextKeyError, match="no key there"):
        load_key(path, create=False)


def test_the_keyring_holds_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    class InMemory(KeyringBackend):
        priority = 5
        kept: ClassVar[dict[tuple[str, str], str]] = {}

        def get_password(self, service, username):
            return self.kept.get((service, username))

        def set_password(self, service, username, password):
            self.kept[service, username] = password

        def delete_password(self, service, username):
            del self.kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        with pytest.raises(ContextKeyError, match="holds no key"):
            load_key("keyring", create=False)
        assert load_key("keyring") == load_key("keyring")
        assert len(InMemory.kept) == 1
    finally:
        keyring.set_keyring(before)


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    path = tmp_path / "context.db"
    path.write_bytes(b"no database at all" * 300)
    with pytest.raises(ContextStoreError, match=r"context\.db.*not a database"):
        SqliteTables(path)
    with pytest.raises(ContextStoreError, match="may be written"):
        SqliteTables(tmp_path)


def write_many(path: Path, name: str, count: int) -> None:
    with ContextStore(SqliteTables(path), Cipher(KEY)) as store:
        for k in range(count):
            store.write(f"{name}{k}", EventKind.reply, [f"{name} {k}"])
            store.write(f"both{k}", EventKind.heard if name == "p" else EventKind.screen, [name])


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "context.db"
    workers = [context.Process(target=write_many, args=(path, name, 60)) for name in ("p", "q")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    with ContextStore(SqliteTables(path), Cipher(KEY)) as store:
        rows = {row.interaction: row for row in store.rows()}
        assert len(rows) == 180
        assert all(store.read(rows[f"p{k}"]).texts[EventKind.reply] == (f"p {k}",) for k in range(60))
        assert all(set(rows[f"both{k}"].events) == {EventKind.heard, EventKind.screen} for k in range(60))


WRITER = """
import json, sys
from nearword.runtime.context import Cipher, ContextStore, EventKind
from nearword.runtime.context.sqlite_tables import SqliteTables
store = ContextStore(SqliteTables(sys.argv[1]), Cipher(bytes(range(32))))
for k in range(10**9):
    texts = [f"text {part} of {k}" for part in range(5)]
    store.write(f"i{k % 50}", EventKind.screen, texts)
    print(k, flush=True)
"""


def test_a_killed_process_leaves_whole_interactions(tmp_path: Path) -> None:
    path = tmp_path / "context.db"
    for delay in (0.0, 0.003, 0.01, 0.02):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        said = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        with ContextStore(SqliteTables(path), Cipher(KEY)) as store:
            found = [store.read(row).texts[EventKind.screen] for row in store.rows()]
        assert found
        for texts in found:
            number = texts[0].rpartition(" ")[2]
            assert texts == tuple(f"text {part} of {number}" for part in range(5))
        if said[:-1]:  # what was told as written before the kill is there
            assert any(texts[0] == f"text 0 of {said[-2]}" for texts in found) or int(said[-1]) - int(said[-2]) >= 50


def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path / "context.db")
    with ContextStore(tables, Cipher(KEY)) as store:
        store.write("a", EventKind.reply, [REPLY])
        tables._db.execute("PRAGMA max_page_count = 12")
        with contextlib.suppress(ContextStoreError):
            for k in range(100):
                store.write(f"b{k}", EventKind.screen, ["x" * 500] * 10)
        with pytest.raises(ContextStoreError, match="full"):
            store.write("c", EventKind.screen, ["x" * 7000] * 10)
        row = store.row("a")
        assert row is not None
        assert store.read(row).texts[EventKind.reply] == (REPLY,)
        assert store.row("c") is None
        assert json.dumps(sorted(row.interaction for row in store.rows())).count("c") == 0
