"""Several replicas behind nginx, and HTTP/2: as they are deployed, started by hand."""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from nearword.lattice.language import save_ngram, train_words
from nearword.lattice.rescoring import Reason, Rescorer, RescoringSettings
from rescoring_helpers import Process, answer, heard

DEPLOY = Path(__file__).parent.parent.parent / "lattice" / "service" / "deploy"


def certificates(folder: Path) -> Path:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for place, blob in enumerate(certificate.cert_chain_pems):
        blob.write_to_path(str(folder / "cert.pem"), append=place > 0)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder / "ca.pem"


def test_http2_is_spoken_where_it_is_offered(tmp_path: Path) -> None:
    authority = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    streams = []
    body = json.dumps(answer()).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        while True:
            writer.write(connection.data_to_send())
            received = await reader.read(65536)
            if not received:
                break
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.StreamEnded):
                    streams.append(event.stream_id)
                    connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/json")])
                    connection.send_data(event.stream_id, body, end_stream=True)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        where = RescoringSettings(f"https://127.0.0.1:{port}", ca_file=authority, deadline=20, connect_timeout=20)
        async with server, Rescorer(where) as rescorer:
            for _ in range(3):
                assert (await rescorer.rescore(1, 1, heard())).rescored

    asyncio.run(main())
    assert streams == [1, 3, 5]  # one connection


@pytest.fixture
def words_model(tmp_path: Path) -> Path:
    save_ngram(train_words(["play some jazz", "play some chess"] * 5, order=3), tmp_path / "tiny.arpa")
    return tmp_path / "tiny.arpa"


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_a_replica_killed_under_load_behind_nginx_loses_no_request(words_model: Path, tmp_path: Path) -> None:
    authority = certificates(tmp_path)
    with Process("--lm", words_model) as one, Process("--lm", words_model) as other, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(configured(port, (one.port, other.port), tmp_path))
        command = ["nginx", "-c", str(configuration), "-g", "daemon off;"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
            try:
                wait_for(port)
                reasons = asyncio.run(load(port, authority, one.process.kill))
            finally:
                nginx.send_signal(signal.SIGTERM)
    assert reasons == {Reason.rescored: 300}


def configured(port: int, replicas: tuple[int, int], folder: Path) -> str:
    """The configuration that is deployed, with this machine's ports and folders."""
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("replica-1:8770", f"127.0.0.1:{replicas[0]}"), ("replica-2:8770", f"127.0.0.1:{replicas[1]}"),
        ("/data/", f"{folder}/"), ("8443", f"127.0.0.1:{port}"), ("/tmp/nginx.pid", f"{folder}/pid"),  # noqa: S108
        ("worker_processes auto", "worker_processes 1"), ("access_log off;", f"access_log off;\n{temporary(folder)}"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    return text


def temporary(folder: Path) -> str:
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "".join(f"{name}_temp_path {folder}/{name};\n" for name in names)


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("nginx did not start")


async def load(port: int, authority: Path, kill) -> Counter:
    where = RescoringSettings(f"https://127.0.0.1:{port}", ca_file=authority, deadline=60, connect_timeout=60)
    reasons: Counter = Counter()
    async with Rescorer(where) as rescorer:
        assert await rescorer.warm()

        async def client(first: int) -> None:
            for utterance in range(first, first + 75):
                reasons[(await rescorer.rescore(utterance, 1, heard())).reason] += 1

        clients = asyncio.gather(*(client(1000 * number) for number in range(4)))
        await asyncio.sleep(0.3)
        assert sum(reasons.values()) < 300, "it was over before the replica was killed"
        kill()
        await clients
    return reasons


def test_with_rescoring_off_no_socket_is_opened(tmp_path: Path) -> None:
    demo = Path(__file__).parent.parent.parent / "runtime" / "audio" / "demo.flac"
    program = (
        "import sys\n"
        "def watch(event, details):\n"
        "    if event in ('socket.connect', 'socket.bind', 'socket.sendto', 'socket.getaddrinfo') or (\n"
        "        event == 'socket.__new__' and details[1] != 1):\n"  # 1: within the machine, the event loop has a pair
        "        print('SOCKET', event, details, file=sys.stderr)\n"
        "        sys.stderr.flush(); import os; os._exit(77)\n"
        "sys.addaudithook(watch)\n"
        "from nearword.runtime.cli import main\n"
        "main()\n"
    )
    for command in (("transcribe", str(demo)), ("transcribe", "--help")):
        done = subprocess.run(
            [sys.executable, "-c", program, *command], capture_output=True, text=True, check=False,
            env=os.environ | {"NEARWORD_MODELS": str(tmp_path)}, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    forbidden = subprocess.run(
        [sys.executable, "-c", program.replace("from nearword", "import socket; socket.socket()\nfrom nearword")],
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert forbidden.returncode == 77  # the watch itself works
