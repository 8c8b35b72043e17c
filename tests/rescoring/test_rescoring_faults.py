"""Whatever the service does, the local result stands at its time: real sockets."""

import asyncio
import datetime as dt
import gzip
import json
import logging
import socket
import ssl
import struct
import time
from pathlib import Path

import psutil
import pytest
import trustme
from nearword.lattice.rescoring import Masking, Reason, Rescored, Rescorer, RescoringSettings
from nearword.lattice.rescoring.breaker import Breaker, State
from rescoring_helpers import Faulty, answer, heard, responds, settings

SLACK = 0.6
"""Seconds by which a result may come after its deadline on a busy machine."""


async def hangs(reader, writer) -> None:
    await asyncio.sleep(30)


async def resets(reader, writer) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise ConnectionResetError


async def drips(reader, writer) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def floods(reader, writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(100):
        writer.write(bytes(1_000_000))
        await writer.drain()


BOMB = gzip.compress(bytes(50_000_000))
FAULTS = {
    "hangs": (hangs, Reason.late, 1),
    "resets": (resets, Reason.unreachable, 2),
    "slow drip": (drips, Reason.late, 1),
    "500": (responds(b"oops", 500), Reason.failed, 2),
    "404": (responds(b"where", 404), Reason.failed, 1),
    "wrong schema": (responds({"result": "play some jazz"}), Reason.malformed, 1),
    "another version": (responds(answer(version=2)), Reason.malformed, 1),
    "no json": (responds(b"<html>"), Reason.malformed, 1),
    "nested deeply": (responds(b"[" * 200_000), Reason.malformed, 1),
    "not a number": (responds(json.dumps(answer(milliseconds=float("nan"))).encode()), Reason.malformed, 1),
    "100 MB": (floods, Reason.malformed, 1),
    "a gzip bomb": (responds(BOMB, headers="Content-Encoding: gzip\r\n"), Reason.malformed, 1),
    "an older revision": (responds(answer(revision=0)), Reason.stale, 1),
    "another utterance": (responds(answer(utterance=7)), Reason.stale, 1),
    "words never sent": (responds(answer(words=("delete", "everything"))), Reason.absurd, 1),
    "words that make no path": (responds(answer(words=("play", "jazz"))), Reason.absurd, 1),
    "no paths": (responds(answer(paths=[])), Reason.malformed, 1),
    "token refused": (responds(b"{}", 401), Reason.token_refused, 1),
    "busy, come back soon": (responds(b"{}", 503), Reason.busy, 2),
    "busy, come back later": (responds(b"{}", 503, "Retry-After: 60\r\n"), Reason.busy, 1),
    "moved": (responds(b"", 307, "Location: http://127.0.0.1:9/\r\n"), Reason.failed, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_in_time_and_leaves_nothing_behind(fault: str) -> None:
    handler, reason, requests = FAULTS[fault]
    deadline = 0.6 if reason is Reason.late else 5
    process = psutil.Process()
    before = len(process.net_connections())

    async def main() -> tuple[Rescored, float, int]:
        async with Faulty(handler).running() as server:
            async with Rescorer(settings(server.port, deadline=deadline)) as rescorer:
                began = time.monotonic()
                rescorer.submit(1, 1, heard())
                found = await rescorer.result(1, 1)
                took = time.monotonic() - began
                sent = len(server.requests)
                await asyncio.sleep(0.15)
                assert len(server.requests) == sent, "something was sent after the result"
            assert not [t for t in asyncio.all_tasks() if "Rescorer" in repr(t)]
            return found, took, sent

    found, took, sent = asyncio.run(main())
    assert (found.reason, found.rescored, found.text, found.paths) == (reason, False, None, ())
    assert sent == requests
    assert took < deadline + SLACK
    assert found.milliseconds == pytest.approx(took * 1000, abs=300)
    assert len(process.net_connections()) <= before


def test_a_server_that_is_gone_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        async def main() -> Rescored:
            async with Rescorer(settings(port)) as rescorer:
                return await rescorer.rescore(1, 1, heard())

        assert asyncio.run(main()).reason is Reason.unreachable


def test_an_answer_in_time_is_taken_over_one_connection() -> None:
    async def main() -> None:
        async with Faulty(responds(answer())).running() as server, Rescorer(settings(server.port)) as rescorer:
            for _ in range(3):
                found = await rescorer.rescore(1, 1, heard())
                assert (found.text, found.model, found.rescored) == ("play some jazz", "test", True)
                assert 0 < found.bytes_sent < 400
            assert (server.connections, len(server.requests)) == (1, 3)

    asyncio.run(main())


def test_a_connection_that_the_server_closed_meanwhile_costs_one_retry() -> None:
    async def once(reader, writer) -> None:
        await responds(answer())(reader, writer)
        raise ConnectionError

    async def main() -> None:
        async with Faulty(once).running() as server, Rescorer(settings(server.port)) as rescorer:
            for _ in range(3):
                assert (await rescorer.rescore(1, 1, heard())).rescored

    asyncio.run(main())


def test_a_reset_cancels_the_request() -> None:
    async def main() -> None:
        async with Faulty(hangs).running() as server, Rescorer(settings(server.port, deadline=5)) as rescorer:
            rescorer.submit(1, 1, heard())
            while not server.requests:
                await asyncio.sleep(0.01)
            rescorer.cancel(1, 1)
            assert (await rescorer.result(1, 1)).reason is Reason.not_sent
            await asyncio.sleep(0.05)
            assert rescorer.breaker.state is State.closed
            assert not rescorer._jobs

    asyncio.run(main())


def test_a_reset_before_anything_went_out_sends_nothing() -> None:
    async def main() -> None:
        async with Faulty(responds(answer())).running() as server, Rescorer(settings(server.port)) as rescorer:
            for _ in range(10):
                rescorer.submit(1, 1, heard())
                rescorer.cancel(1, 1)
            await asyncio.sleep(0.1)
            assert not server.requests

    asyncio.run(main())


def test_newer_requests_displace_the_oldest() -> None:
    async def main() -> None:
        limits = {"max_in_flight": 2}
        async with (
            Faulty(responds(answer(utterance=3), delay=0.1)).running() as server,
            Rescorer(settings(server.port, **limits)) as rescorer,
        ):
            for utterance in (1, 2, 3):
                rescorer.submit(utterance, 1, heard())
            assert (await rescorer.result(1, 1)).reason is Reason.displaced
            assert (await rescorer.result(3, 1)).reason is Reason.rescored

    asyncio.run(main())


def test_whoever_does_not_wait_gets_what_is_there() -> None:
    async def main() -> None:
        async with (
            Faulty(responds(answer(), delay=0.1)).running() as server,
            Rescorer(settings(server.port)) as rescorer,
        ):
            rescorer.submit(1, 1, heard())
            assert (await rescorer.result(1, 1, wait=0)).reason is Reason.late
            rescorer.submit(1, 1, heard())
            await asyncio.sleep(1.5)
            found = await rescorer.result(1, 1, wait=0)
            assert found.rescored
            assert 90 < found.milliseconds < 1000  # when it came, not when it was asked for

    asyncio.run(main())


def test_after_failures_nothing_is_sent_until_a_probe_succeeds() -> None:
    async def main() -> None:
        server = Faulty(responds(b"", 404))
        async with server.running(), Rescorer(settings(server.port, breaker_seconds=0.5)) as rescorer:
            reasons = [(await rescorer.rescore(1, n, heard())).reason for n in range(5)]
            assert reasons == [Reason.failed] * 3 + [Reason.paused] * 2
            assert len(server.requests) == 3
            await asyncio.sleep(0.6)
            assert (await rescorer.rescore(1, 5, heard())).reason is Reason.failed  # the probe
            assert (await rescorer.rescore(1, 6, heard())).reason is Reason.paused
            server._handler = responds(answer())
            await asyncio.sleep(1.1)  # twice as long as before
            assert (await rescorer.rescore(1, 1, heard())).reason is Reason.rescored
            assert (await rescorer.rescore(1, 1, heard())).reason is Reason.rescored

    asyncio.run(main())


def test_only_one_probe_goes_out_and_an_abandoned_one_makes_room() -> None:
    now = [0.0]
    breaker = Breaker(2, 5.0, lambda: now[0])
    for _ in range(2):
        assert breaker.admit()
        breaker.failed()
    assert (breaker.admit(), breaker.state) == (False, State.open)
    now[0] = 5.0
    assert breaker.admit()
    assert (breaker.admit(), breaker.state) == (False, State.half_open)
    breaker.abandoned()
    assert breaker.admit()
    breaker.failed(30)  # as the service asked
    now[0] = 34.9
    assert not breaker.admit()
    now[0] = 35.0
    assert breaker.admit()
    breaker.succeeded()
    assert (breaker.admit(), breaker.admit(), breaker.state) == (True, True, State.closed)


def test_the_token_goes_to_the_service_and_into_no_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t-of-the-test"  # noqa: S105
    (tmp_path / "token").write_text(secret + "\n")

    async def main(**where) -> tuple[str, str]:
        async with Faulty(responds(answer())).running() as server:
            rescorer = Rescorer(settings(server.port, **where))
            async with rescorer:
                found = await rescorer.rescore(1, 1, heard())
            return server.requests[0][0], repr((found, rescorer, rescorer.settings))

    for where in ({"token_file": tmp_path / "token"}, {}):
        head, shown = asyncio.run(main(**where))
        assert f"Authorization: Bearer {secret}" in head
        assert secret not in shown
        monkeypatch.setenv("NEARWORD_RESCORE_TOKEN", secret)
    assert caplog.records
    assert secret not in caplog.text
    assert logging.getLogger("hpack").level >= logging.INFO  # at DEBUG it logs headers


def test_a_token_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("two words\nand lines")
    with pytest.raises(ValueError, match="is no bearer token") as caught:
        Rescorer(settings(1, token_file=tmp_path / "token"))
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com", "in the clear"),
        ("ftp://example.com", "expected https"),
        ("https://user:secret@example.com", "expected https://HOST/PATH alone"),
        ("example.com", "expected https"),
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RescoringSettings(url)


class Tls:
    """A server's side of TLS."""

    def __init__(self, **certificate) -> None:
        self.authority = trustme.CA()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", **certificate).configure_cert(self.context)


def rescore_over_tls(tls: Tls, tmp_path: Path, host: str = "127.0.0.1", trusted: bool = True) -> tuple[Rescored, int]:
    authority = tls.authority if trusted else trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def main() -> tuple[Rescored, int]:
        async with Faulty(responds(answer())).running(ssl=tls.context) as server:
            where = RescoringSettings(
                f"https://{host}:{server.port}", ca_file=tmp_path / "ca.pem", deadline=2, connect_timeout=2
            )
            async with Rescorer(where) as rescorer:
                return await rescorer.rescore(1, 1, heard()), len(server.requests)

    return asyncio.run(main())


def test_a_valid_certificate_is_taken(tmp_path: Path) -> None:
    found, _ = rescore_over_tls(Tls(), tmp_path)
    assert found.reason is Reason.rescored


@pytest.mark.parametrize("fault", ["expired", "another host", "unknown authority"])
def test_a_certificate_that_is_not_valid_gets_no_words(fault: str, tmp_path: Path) -> None:
    past = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
    tls = Tls(not_after=past, not_before=past - dt.timedelta(days=9)) if fault == "expired" else Tls()
    host = "localhost" if fault == "another host" else "127.0.0.1"
    found, requests = rescore_over_tls(tls, tmp_path, host, trusted=fault != "unknown authority")
    assert (found.reason, requests) == (Reason.untrusted, 0)


def test_private_words_never_leave_and_come_back_in_the_answer() -> None:
    private = Masking({"contact": ["Jazz Cartier", "Sum"]})

    async def main() -> None:
        reply = answer(words=("play", "some", "<contact:2>"))
        async with (
            Faulty(responds(reply)).running() as server,
            Rescorer(settings(server.port, private=private, form="json", compression="none")) as rescorer,
        ):
            found = await rescorer.rescore(1, 1, heard())
            assert found.text == "play some jazz"
            sent = server.requests[0][1].decode()
            assert "<contact:1>" in sent
            assert not any(word in sent for word in ("jazz", "sum", "cartier"))

    asyncio.run(main())
