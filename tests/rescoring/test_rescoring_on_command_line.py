"""``--rescore`` as a user gives it: a service's words, or the device's own and a line that says why."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from demo import DEMO, DEMO_TEXT
from nearword.lattice import n_best
from nearword.lattice.rescoring import Answer, ScoredPath
from nearword.lattice.rescoring.contract import read_request


class _Service(BaseHTTPRequestHandler):
    """Answers with the second best path of what it gets."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = read_request(body)
        second = n_best(request.lattice, 2)[-1]
        answer = Answer(
            request.utterance, request.revision, (ScoredPath(second.words, 0.0, second.total),), "second", 1.0
        )
        self.server.seen.append(" ".join(second.words))
        self.server.sent.update(request.lattice.words)
        self._reply(200, answer.to_json().encode())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Broken(_Service):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(500, b"{}")


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.seen, server.sent = [], set()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_transcribe_takes_the_words_of_the_service(run_cli) -> None:
    with serving(_Service) as server:
        result = run_cli("transcribe", "--rescore", url(server), DEMO)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == " ".join(server.seen).split()
    assert server.seen
    assert result.stdout.strip() != DEMO_TEXT, "it chose other words"


def test_without_an_answer_the_words_are_the_devices_own_and_the_reason_is_told_once(run_cli) -> None:
    with serving(_Broken) as server:
        result = run_cli("transcribe", "--rescore", url(server), DEMO)
    assert result.returncode == 0
    assert result.stdout.strip() == DEMO_TEXT
    assert result.stderr == "nearword: not rescored (failed): the words are the device's own\n"


def test_listen_says_of_every_final_event_what_came_of_rescoring(run_cli) -> None:
    with serving(_Service) as server:
        result = run_cli("listen", "--format", "json", "--rescore", url(server), DEMO)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    finals = [event for event in events if event["type"] == "final"]
    assert len(finals) == 2
    assert all(event["rescored"]["milliseconds"] > 0 for event in finals)
    assert finals[0]["rescored"]["reason"] == "rescored", "it was sent at the speculative end, a while before"
    assert finals[0]["rescored"]["model"] == "second"


def test_words_are_not_sent_in_the_clear(run_cli) -> None:
    result = run_cli("transcribe", "--rescore", "http://192.0.2.1", DEMO)
    assert result.returncode == 2
    assert "in the clear" in result.stderr


@pytest.mark.parametrize("command", ["transcribe", "listen"])
def test_names_of_contacts_stay_on_the_device_unless_one_chooses_to_send_them(run_cli, tmp_path, command) -> None:
    contacts = tmp_path / "contacts.json"
    contacts.write_text(json.dumps({"classes": {"contact": ["Brother Seven"], "room": ["alarm"]}}))
    for choice, private in (((), True), (("--rescore-contacts",), False)):
        with serving(_Service) as server:
            result = run_cli(command, "--bias", contacts, "--rescore", url(server), *choice, DEMO)
        assert result.returncode == 0, result.stderr
        assert server.sent >= {"alarm", "tell"}
        assert server.sent.isdisjoint({"brother", "seven"}) == private
        assert any(word.startswith("<contact:") for word in server.sent) == private
        assert "brother" in result.stdout, "the device puts them back"
