"""Pulling over real HTTP on loopback: cut connections, corrupt files, servers that go away."""

import dataclasses
import fcntl
import hashlib
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from nearword.models import DownloadError, ModelNotFoundError, Transducer, list_models, resolve
from nearword.models.hub import pull
from nearword.models.public import PUBLIC_MODELS
from terminal import on_terminal

NAME = "zipformer-en-20m"
MODEL = PUBLIC_MODELS[NAME]


class Hub:
    """A small hub: a file listing with digests, and files with ranges, one redirect away as on the real one."""

    def __init__(self, folder: Path) -> None:
        self.files = {"bpe.model": b"pieces"}
        for wanted in MODEL.files:
            part = wanted.split("-")[0]
            self.files[wanted] = (folder / (f"{part}.onnx" if wanted.endswith(".onnx") else wanted)).read_bytes()
        self.listed = dict(self.files)
        self.cut: dict[str, int] = {}
        self.status: dict[str, list[int]] = {}
        self.ranges = True
        self.gone_after_cut = False
        self.stall = threading.Event()
        self.requests: list[tuple[str, str | None]] = []
        self.encodings: set[str | None] = set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def listing(self) -> bytes:
        rows: list[dict[str, object]] = [{"type": "directory", "path": "test_wavs", "oid": "0"}]
        for name, content in self.listed.items():
            row: dict[str, object] = {"type": "file", "path": name, "size": len(content)}
            if name.endswith(".txt"):
                row["oid"] = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
            else:
                row |= {"oid": "0" * 40, "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}}
            rows.append(row)
        return json.dumps(rows).encode()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        *way, name = handler.path.split("/")
        if handler.path == f"/{MODEL.repository}/resolve/{MODEL.revision}/{name}":
            handler.send_response(302)
            handler.send_header("location", f"/storage/{name}")
            handler.end_headers()
            return
        wanted = handler.headers.get("range")
        self.requests.append((name, wanted))
        self.encodings.add(handler.headers.get("accept-encoding"))
        if self.status.get(name):
            handler.send_error(self.status[name].pop(0))
            return
        body, code, headers = b"", 404, {}
        if handler.path == f"/api/models/{MODEL.repository}/tree/{MODEL.revision}":
            body, code = self.listing(), 200
        elif way == ["", "storage"] and name in self.files:
            body, code = self.files[name], 200
            if wanted and self.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                headers["content-range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
                body, code = body[start:], 206
        handler.send_response(code)
        handler.send_header("content-length", str(len(body)))
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.end_headers()
        cut = self.cut.pop(name, None)
        handler.wfile.write(body if cut is None else body[:cut])
        handler.close_connection = True
        if cut is not None and self.gone_after_cut:
            handler.wfile.flush()
            self.stall.wait(30)
            self.server.server_close()


@pytest.fixture
def hub(toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("NEARWORD_MODELS", str(tmp_path / "downloaded"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    made = Hub(toy_folder)
    yield made
    made.stall.set()
    made.server.shutdown()
    made.server.server_close()


def test_a_pulled_model_is_whole_and_loads_by_name(hub: Hub) -> None:
    told: list[tuple[str, int, int]] = []
    folder = pull(NAME, base_url=hub.url + "/", progress=lambda *row: told.append(row))
    assert {p.name for p in folder.iterdir()} == {*MODEL.files, "bpe.model", "checksums.json", ".lock"}
    assert Transducer.load(resolve(NAME)).info.name == NAME
    assert [m.origin for m in list_models() if m.name == NAME] == ["downloaded"]
    for name in MODEL.files:
        assert [row for row in told if row[0] == name][-1] == (name, len(hub.files[name]), len(hub.files[name]))


def test_what_was_pulled_is_written_down(hub: Hub) -> None:
    record = json.loads((pull(NAME, base_url=hub.url) / "checksums.json").read_text())
    assert (record["repository"], record["revision"]) == (MODEL.repository, MODEL.revision)
    encoder = MODEL.files[0]
    assert record["files"][encoder] == hashlib.sha256(hub.files[encoder]).hexdigest()
    assert record["files"].keys() == hub.files.keys()


def test_the_piece_model_is_fetched_only_where_there_is_one(hub: Hub) -> None:
    del hub.listed["bpe.model"]
    assert not (pull(NAME, base_url=hub.url) / "bpe.model").exists()


def test_nothing_is_asked_for_compressed(hub: Hub) -> None:
    """Offsets of a range would then count other bytes than the file's."""
    pull(NAME, base_url=hub.url)
    assert hub.encodings == {"identity"}


def test_the_hub_can_be_named_by_the_environment(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARWORD_HUB", hub.url)
    assert Transducer.load(pull(NAME))


def test_pulling_again_fetches_nothing(hub: Hub) -> None:
    pull(NAME, base_url=hub.url)
    hub.requests.clear()
    pull(NAME, base_url=hub.url)
    assert [name for name, _ in hub.requests] == ["main"]


def test_a_cut_connection_goes_on_where_it_stopped(hub: Hub) -> None:
    encoder = MODEL.files[0]
    hub.cut[encoder] = 1000
    folder = pull(NAME, base_url=hub.url)
    assert (folder / encoder).read_bytes() == hub.files[encoder]
    assert [wanted for name, wanted in hub.requests if name == encoder] == [None, "bytes=1000-"]


def test_a_part_left_from_before_is_used(hub: Hub, tmp_path: Path) -> None:
    encoder = MODEL.files[0]
    part = tmp_path / "downloaded" / NAME / f"{encoder}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(hub.files[encoder][:777])
    pull(NAME, base_url=hub.url)
    assert (encoder, "bytes=777-") in hub.requests


def test_a_server_that_goes_away_leaves_what_came_for_the_next_time(hub: Hub, toy_folder: Path, tmp_path: Path) -> None:
    encoder = MODEL.files[0]
    hub.cut[encoder], hub.gone_after_cut = 1000, True
    hub.stall.set()
    with pytest.raises(DownloadError, match="run the same command again"):
        pull(NAME, base_url=hub.url)
    assert (tmp_path / "downloaded" / NAME / f"{encoder}.part").stat().st_size == 1000
    assert NAME not in [m.name for m in list_models()]
    mirror = Hub(toy_folder)
    assert Transducer.load(pull(NAME, base_url=mirror.url))
    assert (encoder, "bytes=1000-") in mirror.requests
    mirror.server.shutdown()
    mirror.server.server_close()


def test_a_file_that_is_always_too_short_is_given_up(hub: Hub) -> None:
    decoder = MODEL.files[1]
    hub.files[decoder] = hub.files[decoder][:-10]
    size = len(hub.listed[decoder])
    with pytest.raises(DownloadError, match=rf"the connection ended after {size - 10} of {size} bytes"):
        pull(NAME, base_url=hub.url)


def test_a_listing_that_differs_from_what_is_known_is_not_believed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = MODEL.files[0]
    known = dataclasses.replace(MODEL, sha256={encoder: hashlib.sha256(hub.files[encoder]).hexdigest()})
    monkeypatch.setitem(PUBLIC_MODELS, NAME, known)
    pull(NAME, base_url=hub.url)
    hub.listed[encoder] = hub.files[encoder] = b"something else"
    hub.requests.clear()
    with pytest.raises(DownloadError, match=f"checksum of {encoder} .* do not trust"):
        pull(NAME, base_url=hub.url)
    assert [name for name, _ in hub.requests] == ["main"]


def test_known_checksums_are_of_files_that_are_fetched() -> None:
    for model in PUBLIC_MODELS.values():
        assert set(model.sha256) <= {*model.files, *model.optional}
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in model.sha256.values())


def test_two_downloads_of_one_model_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "downloaded" / NAME
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another download"):
            pull(NAME, base_url=hub.url)
    assert pull(NAME, base_url=hub.url) == folder


def test_a_place_that_cannot_be_written_is_named(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEARWORD_MODELS", str(tmp_path / "file" / "models"))
    with pytest.raises(DownloadError, match="file/models.*cannot be written"):
        pull(NAME, base_url=hub.url)


def test_a_server_without_ranges_is_asked_for_the_whole(hub: Hub) -> None:
    encoder = MODEL.files[0]
    hub.ranges, hub.cut[encoder] = False, 1000
    assert (pull(NAME, base_url=hub.url) / encoder).read_bytes() == hub.files[encoder]


def test_a_corrupt_file_is_thrown_away_and_named(hub: Hub, tmp_path: Path) -> None:
    encoder = MODEL.files[0]
    hub.files[encoder] = hub.files[encoder][:-1] + b"!"
    with pytest.raises(DownloadError, match=f"{encoder}: its checksum"):
        pull(NAME, base_url=hub.url)
    folder = tmp_path / "downloaded" / NAME
    assert not any(folder.glob("encoder*"))
    assert NAME not in [m.name for m in list_models()]
    hub.files[encoder] = hub.listed[encoder]
    assert Transducer.load(pull(NAME, base_url=hub.url))


def test_a_corrupt_text_file_is_found_too(hub: Hub) -> None:
    hub.files["tokens.txt"] = hub.files["tokens.txt"].replace(b"THE", b"HET")
    with pytest.raises(DownloadError, match=r"tokens\.txt: its checksum"):
        pull(NAME, base_url=hub.url)


def test_more_bytes_than_listed_are_not_taken(hub: Hub) -> None:
    hub.files[MODEL.files[1]] += b"x" * 100
    with pytest.raises(DownloadError, match="more than the"):
        pull(NAME, base_url=hub.url)


def test_a_server_that_stumbles_is_asked_again(hub: Hub) -> None:
    hub.status[MODEL.files[0]] = [503, 500, 429]
    assert pull(NAME, base_url=hub.url).is_dir()


def test_a_server_that_keeps_failing_is_given_up(hub: Hub) -> None:
    hub.status[MODEL.files[0]] = [503] * 20
    with pytest.raises(DownloadError, match="answered 503; run the same command again"):
        pull(NAME, base_url=hub.url)


def test_missing_repository_file_and_server(hub: Hub) -> None:
    del hub.listed[MODEL.files[2]]
    with pytest.raises(DownloadError, match=f"has no file {MODEL.files[2]}"):
        pull(NAME, base_url=hub.url)
    hub.status["main"] = [404]
    with pytest.raises(DownloadError, match="answered 404"):
        pull(NAME, base_url=hub.url)
    with pytest.raises(DownloadError, match="is there a network"):
        pull(NAME, base_url="http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="expected an address"):
        pull(NAME, base_url="ftp://x")
    with pytest.raises(DownloadError, match="is no address"):
        pull(NAME, base_url="http://[::1")
    with pytest.raises(ModelNotFoundError, match="expected one of: zipformer"):
        pull("nothing", base_url=hub.url)


def test_a_page_instead_of_a_listing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "listing", lambda: b"<html>please log in</html>")
    with pytest.raises(DownloadError, match="not a hub's file listing"):
        pull(NAME, base_url=hub.url)


def test_the_command_line_pulls_and_reports(hub: Hub, run_cli, tmp_path: Path) -> None:
    env = {"NEARWORD_MODELS": str(tmp_path / "downloaded")}
    result = run_cli("models", "pull", NAME, "--base-url", hub.url, env=env)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().endswith(NAME)
    hub.files[MODEL.files[0]] = b"bad" + hub.files[MODEL.files[0]][3:]
    (tmp_path / "downloaded" / NAME / MODEL.files[0]).unlink()
    result = run_cli("models", "pull", NAME, "--base-url", hub.url, env=env)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_keeps_what_came(hub: Hub, tmp_path: Path) -> None:
    encoder = MODEL.files[0]
    hub.cut[encoder], hub.gone_after_cut = 1000, True
    part = tmp_path / "downloaded" / NAME / f"{encoder}.part"
    command = [sys.executable, "-m", "nearword.runtime.cli", "models", "pull", NAME, "--base-url", hub.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while ("bpe.model", None) not in hub.requests or encoder not in [name for name, _ in hub.requests]:
            threading.Event().wait(0.05)
        threading.Event().wait(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert err == b"nearword: stopped; run the same command again to go on from there\n"
    assert part.exists()


def test_a_terminal_sees_a_bar_for_every_file(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nearword.runtime.cli", "models", "pull", NAME, "--base-url", hub.url]
    shown, out = on_terminal(command, stdout_too=False)
    assert out.strip() == str(tmp_path / "downloaded" / NAME)
    assert all(name in shown for name in MODEL.files)
