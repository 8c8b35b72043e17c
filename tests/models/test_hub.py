"""Pulling over real HTTP on loopback: cut connections, corrupt files, servers that go away."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from nearword.models import DownloadError, ModelNotFoundError, Transducer, list_models, resolve
from nearword.models.hub import pull
from nearword.models.public import PUBLIC_MODELS

NAME = "zipformer-en-20m"
MODEL = PUBLIC_MODELS[NAME]


class Hub:
    """A small hub: a file listing with digests, and files with ranges."""

    def __init__(self, folder: Path) -> None:
        self.files = {}
        for wanted in MODEL.files:
            part = wanted.split("-")[0]
            self.files[wanted] = (folder / (f"{part}.onnx" if wanted.endswith(".onnx") else wanted)).read_bytes()
        self.listed = dict(self.files)
        self.cut: dict[str, int] = {}
        self.status: dict[str, list[int]] = {}
        self.ranges = True
        self.requests: list[tuple[str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

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
        name, wanted = handler.path.rsplit("/", 1)[1], handler.headers.get("range")
        self.requests.append((name, wanted))
        if self.status.get(name):
            handler.send_error(self.status[name].pop(0))
            return
        body, code, headers = b"", 404, {}
        if handler.path == f"/api/models/{MODEL.repository}/tree/main":
            body, code = self.listing(), 200
        elif handler.path == f"/{MODEL.repository}/resolve/main/{name}" and name in self.files:
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


@pytest.fixture
def hub(toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("NEARWORD_MODELS", str(tmp_path / "downloaded"))
    monkeypatch.setattr("time.sleep", lambda _: None)
    made = Hub(toy_folder)
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_pulled_model_is_whole_and_loads_by_name(hub: Hub) -> None:
    told: list[tuple[str, int, int]] = []
    folder = pull(NAME, base_url=hub.url + "/", progress=lambda *row: told.append(row))
    assert {p.name for p in folder.iterdir()} == {*MODEL.files, "checksums.json"}
    assert Transducer.load(resolve(NAME)).info.name == NAME
    assert [m.origin for m in list_models() if m.name == NAME] == ["downloaded"]
    for name in MODEL.files:
        assert [row for row in told if row[0] == name][-1] == (name, len(hub.files[name]), len(hub.files[name]))


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
    hub.status[MODEL.files[0]] = [503, 500]
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
