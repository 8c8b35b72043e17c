"""Whatever clients do, the service stays, and others are unharmed."""

import asyncio
import gc
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import mutations
import numpy as np
import pytest
from clients import home_assistant_2026_11
from nearword.runtime import Recognizer
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.web import Channel
from noise import files_noise, gone, unix_noise, websocket_noise, wyoming_noise
from serving import Ports, served
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe

EACH = 120
"""Mutated conversations per protocol; ``tests/benchmarks/daemon_faults.py`` has thousands."""


@pytest.fixture(autouse=True)
def no_bug_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.WARNING)
    yield
    gc.collect()  # of a task whose error nobody took that is told when it goes
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not [record for record in errors if "failed" in record.message or record.name == "asyncio"]


def unharmed(engine: Engine, use: Callable[[Ports], Awaitable[object]], demo: bytes, text: str) -> None:
    """Let something happen to a daemon; then it has to recognise, and nothing may be left over."""

    async def both(ports: Ports) -> None:
        await use(ports)
        for _ in range(200):
            if not engine.streams:
                break
            await asyncio.sleep(0.02)
        assert not engine.streams, "every stream has ended"
        assert not engine.hanging
        assert (await home_assistant_2026_11(ports.wyoming, demo)).text == text

    served(engine, both)


@pytest.mark.parametrize("rudely", [False, True])
def test_a_client_may_go_away_at_every_point(engine: Engine, demo: bytes, demo_texts: list[str], rudely: bool) -> None:
    talk = [mutations.wyoming_bytes(*one) for one in mutations.wyoming(demo[:64000])]

    async def use(ports: Ports) -> None:
        for count in range(len(talk)):
            for part in (0, 7, len(talk[count]) - 1):  # between two messages, and in the middle of one
                _, writer = await asyncio.open_connection("127.0.0.1", ports.wyoming)
                writer.write(b"".join(talk[:count]) + talk[count][:part])
                await asyncio.sleep(0)
                await gone(writer, rudely=rudely)

    unharmed(engine, use, demo, demo_texts[0])


def test_mutated_wyoming_messages_do_no_harm(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    async def use(ports: Ports) -> None:
        await wyoming_noise(ports.wyoming, EACH, seed=1)

    unharmed(engine, use, demo, demo_texts[0])


@pytest.mark.parametrize(
    ("path", "messages"),
    [
        ("/v1/stream", mutations.json_messages()),
        ("/vosk", mutations.vosk_messages()),
        ("/v1/realtime", mutations.realtime_messages()),
    ],
)
def test_mutated_messages_of_websockets_do_no_harm(
    engine: Engine, demo: bytes, demo_texts: list[str], path: str, messages: list
) -> None:
    async def use(ports: Ports) -> None:
        await websocket_noise(ports.url(path), messages, EACH, seed=2)

    unharmed(engine, use, demo, demo_texts[0])


class _Gone(WebSocket):
    """A connection that is lost before anybody was told so."""

    async def send_text(self, data: str) -> None:
        raise WebSocketDisconnect(1006)


async def _unused(*_: object) -> None:
    raise AssertionError


def test_a_websocket_that_is_gone_is_told_as_of_any_transport(engine: Engine) -> None:
    channel = Channel(engine, _Gone({"type": "websocket"}, _unused, _unused))
    with pytest.raises(OSError, match="gone"):
        asyncio.run(channel.send({"type": "ready"}))


def test_mutated_lines_of_the_unix_socket_do_no_harm(
    engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str], tmp_path: Path
) -> None:
    engine = engine_with(socket=str(tmp_path / "json.sock"))

    async def use(ports: Ports) -> None:
        await unix_noise(ports.socket, EACH, seed=3)

    unharmed(engine, use, demo, demo_texts[0])


# of a recording whose end never came starlette leaves the closing to the collector; it is memory alone
@pytest.mark.filterwarnings("ignore:Exception ignored in. .function SpooledTemporaryFile")
def test_mutated_requests_to_transcribe_do_no_harm(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    async def use(ports: Ports) -> None:
        await files_noise(ports.http, EACH // 2, seed=4)

    unharmed(engine, use, demo, demo_texts[0])


def test_garbage_and_deep_json_are_told_off(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    async def use(ports: Ports) -> None:
        for garbage in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01" * 100 + b"\n",
            b"[" * 60_000 + b"\n",
            b"x" * 200_000 + b"\n",
            b'{"type": "audio-chunk", "payload_length": 99999999999}\n',
            b'{"type": "audio-chunk", "data_length": -5}\n',
            b'{"type": 7}\n',
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", ports.wyoming)
            writer.write(garbage)
            line = await asyncio.wait_for(reader.readline(), 5)
            assert json.loads(line)["type"] == "error"
            writer.close()

    unharmed(engine, use, demo, demo_texts[0])


def test_a_flood_of_connections_is_bounded(
    engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str]
) -> None:
    engine = engine_with(max_connections=8)

    async def use(ports: Ports) -> None:
        flood = [await asyncio.open_connection("127.0.0.1", ports.wyoming) for _ in range(60)]
        web = [await asyncio.open_connection("127.0.0.1", ports.http) for _ in range(60)]
        await asyncio.sleep(0.1)
        closed = 0
        for reader, _ in flood:
            try:
                closed += not await asyncio.wait_for(reader.read(1), 0.02)
            except asyncio.TimeoutError:
                pass
            except OSError:
                closed += 1
        assert closed == 52, "so many as are allowed stay"
        for _, writer in (*flood, *web):
            writer.close()
        await asyncio.sleep(0.1)

    unharmed(engine, use, demo, demo_texts[0])


def test_who_says_nothing_is_closed(engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str]) -> None:
    engine = engine_with(idle_seconds=0.2)

    async def use(ports: Ports) -> None:
        reader, _writer = await asyncio.open_connection("127.0.0.1", ports.wyoming)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        _writer.close()
        for path in ("/v1/stream", "/vosk", "/v1/realtime"):
            async with connect(ports.url(path)) as client:
                with pytest.raises(ConnectionClosed):
                    while True:
                        await asyncio.wait_for(client.recv(), 3)

    unharmed(engine, use, demo, demo_texts[0])


def test_who_does_not_read_is_cut_off(
    engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str], tmp_path: Path
) -> None:
    # a Unix socket, whose buffers are small
    engine = engine_with(write_seconds=0.3, uri=("tcp://127.0.0.1:0", f"unix://{tmp_path}/wyoming.sock"))

    async def use(ports: Ports) -> None:
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/wyoming.sock", limit=1024)
        reader._transport.pause_reading()
        try:
            writer.write(b'{"type": "describe"}\n' * 40_000)
            for _ in range(100):  # what it is answered is more than all buffers between hold
                await asyncio.sleep(0.1)
                if not ports.daemon.connections:
                    break
        except OSError:
            pass
        assert not ports.daemon.connections, "a client that does not read may not stay"
        writer.transport.abort()

    unharmed(engine, use, demo, demo_texts[0])


class _Blocked(Recognizer):
    """A recogniser that hangs in the middle of its work."""

    release = threading.Event()

    def accept(self, samples: np.ndarray) -> list:
        self.release.wait(20)
        return super().accept(samples)


def test_a_worker_that_hangs_harms_its_own_client_alone(
    engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_with(stuck_seconds=0.3, max_message=10_000_000)
    monkeypatch.setattr("nearword.runtime.daemon.engine.CLOSE_SECONDS", 0.1)
    _Blocked.release.clear()
    make = engine.make_recognizer
    with monkeypatch.context() as patch:
        patch.setattr(engine, "make_recognizer", lambda *_: _Blocked(engine.model))

        async def use(ports: Ports) -> None:
            async with AsyncTcpClient("127.0.0.1", ports.wyoming) as client:
                await client.write_event(AudioStart(16000, 2, 1).event())
                await client.write_event(AudioChunk(16000, 2, 1, demo * 3).event())
                told = await asyncio.wait_for(client.read_event(), 10)
                assert Error.from_event(told).code == "busy"
            patch.setattr(engine, "make_recognizer", make)
            assert engine.hanging == 1
            assert (await home_assistant_2026_11(ports.wyoming, demo)).text == demo_texts[0]
            _Blocked.release.set()

        unharmed(engine, use, demo, demo_texts[0])


SAID = "tell my brother"


class _Broken(Recognizer):
    def accept(self, samples: np.ndarray) -> list:
        raise RuntimeError(SAID)


def test_a_recogniser_that_fails_is_told_without_words(
    engine: Engine, demo: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "make_recognizer", lambda *_: _Broken(engine.model))

    async def use(ports: Ports) -> str:
        result = await home_assistant_2026_11(ports.wyoming, demo)
        async with connect(ports.url("/v1/stream")) as client:
            await client.send(demo[:32000])
            assert json.loads(await client.recv())["code"] == "recogniser"
        async with connect(ports.url("/vosk")) as client:
            await client.send(demo[:32000])
            assert json.loads(await client.recv())["type"] == "error"
        return result.error

    assert "the recogniser failed" in served(engine, use)
    assert SAID not in caplog.text
    caplog.clear()


def test_others_are_answered_while_one_sends_faster_than_can_be_heard(engine: Engine, demo: bytes) -> None:
    async def use(ports: Ports) -> None:
        async with (
            AsyncTcpClient("127.0.0.1", ports.wyoming) as busy,
            AsyncTcpClient("127.0.0.1", ports.wyoming) as ask,
        ):
            await busy.write_event(AudioStart(16000, 2, 1).event())
            for _ in range(3):
                await busy.write_event(AudioChunk(16000, 2, 1, demo).event())
                await ask.write_event(Describe().event())
                assert (await asyncio.wait_for(ask.read_event(), 5)).type == "info"
            await busy.write_event(AudioStop().event())

    served(engine, use)


def test_pages_from_elsewhere_do_not_get_in(engine_with: Callable[..., Engine]) -> None:
    engine = engine_with(allow_origin=("https://panel.example",))

    async def use(ports: Ports) -> None:
        url = ports.url("/v1/stream")
        for origin in ("https://evil.example", "null", f"http://127.0.0.1:{ports.http + 1}"):
            with pytest.raises(InvalidStatus, match="403"):
                await connect(url, origin=origin)
        for origin in (f"http://127.0.0.1:{ports.http}", "https://panel.example", None):
            async with connect(url, origin=origin) as client:
                await client.send('{"type": "ping"}')
                assert json.loads(await client.recv())["type"] == "pong"
        reader, writer = await asyncio.open_connection("127.0.0.1", ports.http)
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: rebound.example\r\n\r\n")
        assert b"403" in await reader.readline()
        writer.close()

    served(engine, use)


def test_metrics_and_health_are_there_and_hold_no_words(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    async def fetch(ports: Ports, path: str) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports.http)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    async def use(ports: Ports) -> tuple[str, str]:
        await home_assistant_2026_11(ports.wyoming, demo)
        return await fetch(ports, "/metrics"), await fetch(ports, "/health")

    metrics, health = served(engine, use)
    assert 'nearword_utterances_total{protocol="wyoming",reason="silence"} 1.0' in metrics
    assert "nearword_audio_seconds_total" in metrics
    assert '"ok"' in health
    assert not [word for word in demo_texts[0].split() if len(word) > 3 and word in metrics]
