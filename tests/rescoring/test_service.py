"""The service with real sockets: what it answers, refuses, sheds, and how it ends."""

import asyncio
import base64
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import jsonschema
import numpy as np
import pytest
import zstandard
from nearword.lattice import Lattice, write_lattice
from nearword.lattice.language import save_ngram, train_words
from nearword.lattice.rescoring import Form, Masking, Reason, Request, Rescorer, ScoredPath
from nearword.lattice.rescoring.contract import read_answer, read_request
from nearword.lattice.service.language_models import NgramLanguageModel, Weights
from nearword.lattice.service.service_limits import ServiceLimits
from rescoring_helpers import Process, heard, served, settings
from test_contract import MALICIOUS, bomb, schema

BODY = Request(1, 2, heard()).to_json().encode()


def post(port: int, body: bytes = BODY, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"http://127.0.0.1:{port}/v1/rescore", content=body, headers=named, trust_env=False, timeout=10)


def test_it_answers_with_better_words() -> None:
    with served() as (port, _):
        response = post(port)
        assert response.status_code == 200
        jsonschema.validate(response.json(), schema("answer"))
        found = read_answer(response.content)
    assert heard().text(heard().best_path()) != "play some jazz"
    assert (found.utterance, found.revision, found.text, found.model) == (1, 2, "play some jazz", "tiny")
    assert 0 < found.milliseconds < 1000


@pytest.mark.parametrize(("packer", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)])
def test_it_takes_packed_bodies(packer: str, pack) -> None:
    with served() as (port, _):
        assert post(port, pack(BODY), content_encoding=packer).status_code == 200

        async def main() -> None:
            async with Rescorer(settings(port, compression=packer, deadline=5, form="json")) as rescorer:
                assert (await rescorer.rescore(1, 1, heard())).text == "play some jazz"

        asyncio.run(main())


def test_only_its_tokens_are_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(tokens=("one", "two")) as (port, _):
        for header, status in (
            ("Bearer one", 200),
            ("Bearer two", 200),
            ("Bearer three", 401),
            ("one", 401),
            ("", 401),
        ):
            assert post(port, authorization=header).status_code == status
        refused = post(port)
        assert (refused.headers["www-authenticate"], "words" in refused.text) == ("Bearer", False)
        for path in ("health", "ready", "metrics"):
            assert httpx.get(f"http://127.0.0.1:{port}/{path}", trust_env=False).status_code == 200
        monkeypatch.setenv("NEARWORD_RESCORE_TOKEN", "wrong")

        async def main() -> Reason:
            async with Rescorer(settings(port)) as rescorer:
                assert await rescorer.warm()
                return (await rescorer.rescore(1, 1, heard())).reason

        assert asyncio.run(main()) is Reason.token_refused


@pytest.mark.parametrize("what", MALICIOUS)
def test_a_malicious_request_gets_an_error_and_the_next_one_an_answer(what: str, service_port: int) -> None:
    body = MALICIOUS[what][0]()
    began = time.monotonic()
    response = post(service_port, gzip.compress(body), content_encoding="gzip")
    assert time.monotonic() - began < 2
    assert response.status_code == 400
    assert len(response.content) < 400
    assert post(service_port).status_code == 200


@pytest.fixture(scope="module")
def service_port():
    with served() as (port, _):
        yield port


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (bomb("gzip"), {"content_encoding": "gzip"}, 413),
        (bomb("zstd"), {"content_encoding": "zstd"}, 413),
        (gzip.compress(BODY)[:-4], {"content_encoding": "gzip"}, 400),
        (gzip.compress(BODY) * 2, {"content_encoding": "gzip"}, 400),
        (BODY, {"content_encoding": "br"}, 415),
        (b"x" * 70_000, {}, 413),
        (b"", {}, 400),
    ],
)
def test_what_is_too_large_or_damaged_is_refused(body: bytes, headers, status: int, service_port: int) -> None:
    assert post(service_port, body, **headers).status_code == status


def test_a_body_without_a_length_is_counted_while_it_comes(service_port: int) -> None:
    with socket.create_connection(("127.0.0.1", service_port), timeout=10) as client:
        client.sendall(b"POST /v1/rescore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(100_000):
                client.sendall(b"1000\r\n" + bytes(4096) + b"\r\n")


def test_a_body_that_drips_ends_at_the_time_limit() -> None:
    with (
        served(limits=ServiceLimits(seconds=0.3)) as (port, _),
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.settimeout(5)
        client.sendall(b"POST /v1/rescore HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        assert client.recv(1000).startswith(b"HTTP/1.1 503")
        assert time.monotonic() - began < 1.5


class Slow:
    name = "slow"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def best_paths(self, lattice: Lattice, count: int) -> list[ScoredPath]:
        time.sleep(self._seconds)
        return [ScoredPath(("play",), -1.0, -1.0)]


def test_beyond_its_room_it_sheds_and_recovers() -> None:
    limits = ServiceLimits(concurrency=1, queue=2, retry_after=7)
    with served(Slow(0.2), limits=limits) as (port, _):
        with ThreadPoolExecutor(8) as pool:
            responses = list(pool.map(lambda _: post(port), range(8)))
        statuses = [response.status_code for response in responses]
        assert statuses.count(200) >= 3
        assert statuses.count(503) == 8 - statuses.count(200) >= 3
        assert all(r.headers["retry-after"] == "7" for r in responses if r.status_code == 503)
        assert post(port).status_code == 200
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        assert f'nearword_rescore_requests_total{{status="503"}} {statuses.count(503)}.0' in metrics
        assert "nearword_rescore_in_flight 0.0" in metrics


def test_what_takes_too_long_is_given_up() -> None:
    with served(Slow(0.6), limits=ServiceLimits(concurrency=1, queue=1, seconds=0.2)) as (port, _):
        began = time.monotonic()
        assert post(port).status_code == 503
        assert time.monotonic() - began < 0.5


def test_work_that_outlives_the_server_ends_quietly(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow(0.8)
    with served(slow, limits=ServiceLimits(concurrency=1, queue=1, seconds=0.2)) as (port, _):
        assert post(port).status_code == 503
        working = [thread for thread in threading.enumerate() if thread.name.startswith("rescore")]
        assert working
    for thread in working:
        thread.join(5)
    assert not caplog.records


class Broken:
    name = "broken"

    def __init__(self, result) -> None:
        self._result = result

    def best_paths(self, lattice: Lattice, count: int):
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


@pytest.mark.parametrize("result", [RuntimeError("secret words"), [], [ScoredPath(("a",), float("nan"), 0.0)]])
def test_a_language_model_that_fails_is_an_error_without_words(result, caplog: pytest.LogCaptureFixture) -> None:
    with served(Broken(result)) as (port, _):
        response = post(port)
    assert response.status_code == 500
    assert "secret" not in response.text + caplog.text
    # an earlier test's thread may still write a line of its own
    own = [record.getMessage() for record in caplog.records if record.name.startswith("nearword")]
    assert ("RuntimeError" in " ".join(own)) == isinstance(result, Exception)


def test_private_words_come_back_through_the_real_service() -> None:
    private = Masking({"contact": ["jazz", "chess"]})

    async def main(port: int) -> str | None:
        async with Rescorer(settings(port, private=private, deadline=5)) as rescorer:
            return (await rescorer.rescore(1, 1, heard())).text

    with served() as (port, _):
        assert asyncio.run(main(port)) == "play some jazz"


def test_bias_can_be_taken_away() -> None:
    lattice = heard()
    scores = lattice.scores.copy()
    scores[5, 1] = 5.0  # chess was boosted
    boosted = Lattice(lattice.words, lattice.source, lattice.target, lattice.word, lattice.start, lattice.end, scores,
                      lattice.final)  # fmt: skip
    one = NgramLanguageModel(train_words(["play some jazz"] * 3, order=2), weights=Weights(bias=1.0))
    other = NgramLanguageModel(train_words(["play some jazz"] * 3, order=2), weights=Weights(bias=0.0))
    assert one.best_paths(boosted, 1)[0].words[-1] == "chess"
    assert other.best_paths(boosted, 1)[0].words[-1] == "jazz"


# ---- processes of their own


@pytest.fixture
def words_model(tmp_path: Path) -> Path:
    save_ngram(train_words(["play some jazz", "play some chess"] * 5, order=3), tmp_path / "tiny.arpa")
    return tmp_path / "tiny.arpa"


def test_the_command_serves_and_asks(words_model: Path, tmp_path: Path, run_cli) -> None:
    write_lattice(heard(), tmp_path / "heard.json")
    (tmp_path / "tokens").write_text("sesame\n")
    with Process("--lm", words_model, "--tokens", tmp_path / "tokens") as server:
        url = f"http://127.0.0.1:{server.port}"
        asked = run_cli("rescore", tmp_path / "heard.json", "--url", url, env={"NEARWORD_RESCORE_TOKEN": "sesame"})
        assert asked.returncode == 0, asked.stderr
        assert asked.stdout.splitlines()[0].endswith("play some jazz")
        refused = run_cli("rescore", tmp_path / "heard.json", "--url", url)
        assert refused.returncode == 1
        assert refused.stderr.startswith("nearword: not rescored: token_refused (status 401)")
        assert server.end() in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
    gone = run_cli("rescore", tmp_path / "heard.json", "--url", url)
    assert gone.stderr.startswith("nearword: not rescored: unreachable")


def test_the_command_shows_all_that_would_be_sent(words_model: Path, tmp_path: Path, run_cli) -> None:
    write_lattice(heard(), tmp_path / "heard.json")
    (tmp_path / "names").write_text("Jazz\n")
    shown = run_cli("rescore", tmp_path / "heard.json", "--show", "--private", f"contact={tmp_path / 'names'}")
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    jsonschema.validate(document, schema("request"))
    assert {arc["word"] for arc in document["lattice"]["arcs"]} == {
        "play",
        "pay",
        "some",
        "sum",
        "<contact:1>",
        "chess",
    }
    assert "6 arcs, 6 of them sent, in" in shown.stderr
    here = run_cli("rescore", tmp_path / "heard.json", "--lm", words_model)
    assert here.stdout.splitlines()[0].endswith("play some jazz")


def test_what_is_shown_is_what_a_server_gets(tmp_path: Path, run_cli) -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            pass

    write_lattice(heard(), tmp_path / "heard.json")
    (tmp_path / "names").write_text("Jazz\n")
    command = ("rescore", tmp_path / "heard.json", "--private", f"contact={tmp_path / 'names'}", "--locale", "en")
    environment = {"NEARWORD_RESCORE_TOKEN": "sesame"}
    shown = run_cli(*command, "--show", env=environment)
    assert "with it go the bearer token and the headers that HTTP needs" in shown.stderr
    assert "sesame" not in shown.stdout + shown.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run_cli(*command, "--url", f"http://127.0.0.1:{server.server_port}", env=environment)
        server.shutdown()
    for headers, body in got:
        plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        assert json.loads(read_request(plain).to_json(Form.json)) == json.loads(shown.stdout)
        assert b"jazz" not in plain
        needed = {"Host", "Accept", "Connection", "Content-Type", "Content-Length", "Accept-Encoding"}
        assert headers.keys() - {"Content-Encoding"} == needed | {"User-Agent", "Authorization"}
        assert (headers["User-Agent"], headers["Authorization"]) == ("nearword", "Bearer sesame")
    assert len(got) in (1, 2)  # once again within the deadline


def test_a_server_that_is_told_to_stop_answers_what_it_has_begun(words_model: Path) -> None:
    with (
        Process("--lm", words_model, "--drain", "2", "--seconds", "30") as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.settimeout(20)
        client.sendall(b"POST /v1/rescore HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:50])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        ready = httpx.get(f"http://127.0.0.1:{server.port}/ready", trust_env=False)
        assert (ready.status_code, ready.json()["status"]) == (503, "draining")
        assert post(server.port).status_code == 200
        time.sleep(2)
        client.sendall(BODY[50:])
        assert client.recv(100).startswith(b"HTTP/1.1 200")
        assert server.wait() in (0, 128 + signal.SIGTERM, -signal.SIGTERM)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_certificate_that_will_not_do_is_named(words_model: Path, run_cli) -> None:
    done = run_cli("rescore-server", "--lm", words_model, "--certificate", words_model)
    assert done.returncode == 1
    assert done.stderr.startswith(f"nearword: {words_model}: expected a certificate in PEM and its key (")
    alone = run_cli("rescore-server", "--lm", words_model, "--key", words_model)
    assert (alone.returncode, "give --certificate too" in alone.stderr) == (2, True)


def test_an_address_in_use_is_said_in_one_line(words_model: Path, run_cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run_cli("rescore-server", "--lm", words_model, "--port", port)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"cannot listen at 127.0.0.1:{port}" in refused.stderr


def test_a_base64_lattice_of_noise_never_breaks_the_service(service_port: int) -> None:
    rng = np.random.default_rng(0)
    good = base64.b64decode(json.loads(BODY)["lattice"])
    for _ in range(60):
        noisy = bytearray(good)
        noisy[int(rng.integers(len(noisy)))] ^= int(rng.integers(1, 256))
        body = json.dumps(json.loads(BODY) | {"lattice": base64.b64encode(bytes(noisy)).decode()}).encode()
        assert post(service_port, body).status_code in (200, 400)
    assert threading.active_count() < 20


def test_without_the_extra_the_command_says_what_to_install(words_model: Path) -> None:
    program = "import sys; sys.modules['starlette'] = None; from nearword.runtime.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "rescore-server", "--lm", words_model], capture_output=True, text=True,
        check=False, timeout=60, env=os.environ | {"COLUMNS": "200", "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'nearword[service]'" in done.stderr
