"""Our own protocol, over a websocket and over a Unix socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients import pieces
from contract import check_contract
from nearword.runtime import Final
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.recognition.events import Event, from_dict
from serving import Ports, served
from websockets.asyncio.client import connect

KINDS = ("speech_started", "partial", "speculative_final", "reset", "final", "audio_lost")


class WebSocketClient:
    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def say(self, **message: object) -> None:
        await self._socket.send(json.dumps(message))

    async def audio(self, data: bytes) -> None:
        await self._socket.send(data)

    async def hear(self) -> dict:
        return json.loads(await self._socket.recv())


class UnixClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, **message: object) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()

    async def audio(self, data: bytes) -> None:
        self._writer.write(json.dumps({"type": "audio", "bytes": len(data)}).encode() + b"\n" + data)
        await self._writer.drain()

    async def hear(self) -> dict:
        return json.loads(await self._reader.readline())


@asynccontextmanager
async def websocket(ports: Ports) -> AsyncIterator[WebSocketClient]:
    async with connect(ports.url("/v1/stream")) as socket:
        yield WebSocketClient(socket)


@asynccontextmanager
async def unix(ports: Ports) -> AsyncIterator[UnixClient]:
    reader, writer = await asyncio.open_unix_connection(ports.socket)
    try:
        yield UnixClient(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


BOTH = pytest.mark.parametrize("transport", [websocket, unix])
Transport = Callable[[Ports], Any]


@pytest.fixture
def engine(engine_with: Callable[..., Engine], tmp_path: Path) -> Engine:
    return engine_with(socket=str(tmp_path / "json.sock"))


async def until(client: Any, kind: str) -> list[dict]:
    """Return all that comes up to a message of a type."""
    messages = [await client.hear()]
    while messages[-1]["type"] != kind:
        messages.append(await client.hear())
    return messages


def events_of(messages: list[dict]) -> list[Event]:
    return [from_dict(message) for message in messages if message["type"] in KINDS]


async def heard(client: Any, audio: bytes) -> list[dict]:
    for piece in pieces(audio, 3200):
        await client.audio(piece)
    await client.say(type="end")
    return await until(client, "done")


@BOTH
def test_audio_becomes_the_events_of_the_contract(
    engine: Engine, demo: bytes, demo_texts: list[str], transport: Transport
) -> None:
    async def use(ports: Ports) -> list[dict]:
        async with transport(ports) as client:
            return await heard(client, demo)

    events = events_of(served(engine, use))
    check_contract(events)
    assert [event.text for event in events if isinstance(event, Final)] == demo_texts


@BOTH
def test_the_form_is_said_once(engine: Engine, demo: bytes, demo_texts: list[str], transport: Transport) -> None:
    floats = np.frombuffer(demo, "<i2").astype("<f4") / 32768
    both = np.stack([floats, floats], axis=1).tobytes()

    async def use(ports: Ports) -> list[dict]:
        async with transport(ports) as client:
            await client.say(type="start", format={"rate": 16000, "encoding": "float32", "channels": 2}, lattice=True)
            assert (await client.hear())["type"] == "ready"
            return await heard(client, both)

    messages = served(engine, use)
    finals = [event for event in events_of(messages) if isinstance(event, Final)]
    assert [final.text for final in finals] == demo_texts
    assert finals[0].lattice.num_arcs


@BOTH
def test_phrases_of_a_client_are_its_own(engine: Engine, demo: bytes, transport: Transport) -> None:
    async def use(ports: Ports) -> list[dict]:
        async with transport(ports) as client, transport(ports) as other:
            await client.say(type="phrases", phrases=["My Brother", {"text": "", "class": "room"}])
            told = await client.hear()
            assert told["used"] == 1
            assert told["refused"][0]["reason"] == "empty"
            spelled = [m["spelled"] for m in await heard(client, demo) if m["type"] == "final"]
            plain = [m["spelled"] for m in await heard(other, demo) if m["type"] == "final"]
            return [spelled, plain]

    spelled, plain = served(engine, use)
    assert "My Brother" in spelled[0]
    assert "My Brother" not in plain[0]


def test_end_and_reset_begin_a_new_stream(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    async def use(ports: Ports) -> None:
        async with websocket(ports) as client:
            await client.audio(demo[:40000])
            await client.say(type="reset")
            await until(client, "ready")
            for _ in range(2):
                events = events_of(await heard(client, demo))
                check_contract(events)
                assert [event.text for event in events if isinstance(event, Final)] == demo_texts

    served(engine, use)


def test_a_preset_counts_from_the_next_utterance_on(engine: Engine, demo: bytes) -> None:
    async def use(ports: Ports) -> tuple[list[Event], list[Event]]:
        async with websocket(ports) as client:
            plain = events_of(await heard(client, demo))
            for index, piece in enumerate(pieces(demo, 3200)):
                await client.audio(piece)
                if index == 2:
                    await client.say(type="preset", preset="patient")
            await client.say(type="end")
            return plain, events_of(await until(client, "done"))

    plain, changed = served(engine, use)
    last = [[event.time for event in events if isinstance(event, Final)][-1] for events in (plain, changed)]
    assert last[1] > last[0] + 0.2


def test_the_context_of_the_dialogue_is_used(engine: Engine, demo: bytes) -> None:
    async def use(ports: Ports) -> list[dict]:
        async with websocket(ports) as client:
            await client.say(type="context", reply="Whom shall I tell?", screen=["my brother", "my sister"])
            await asyncio.sleep(0.5)  # it is computed while the device speaks
            return await heard(client, demo)

    finals = [message for message in served(engine, use) if message["type"] == "final"]
    assert set(finals[0]["context"]["sources"]) == {"reply", "screen"}


def test_what_is_on_the_screen_is_boosted_for_a_turn(engine: Engine, demo: bytes) -> None:
    async def use(ports: Ports) -> dict:
        async with websocket(ports) as client:
            await client.say(type="show", phrases=["my brother", "late"], turns=1)
            told = await client.hear()
            await heard(client, demo)
            return told

    assert served(engine, use)["used"] == 2


@BOTH
@pytest.mark.parametrize(
    "message",
    [
        {"type": "dance"},
        {},
        {"type": "preset", "preset": "hasty"},
        {"type": "phrases", "phrases": "many"},
        {"type": "phrases", "phrases": [{"text": 3}]},
        {"type": "show", "phrases": [], "turns": 0},
        {"type": "context", "mood": "good"},
        {"type": "start", "format": {"rate": -1}},
        {"type": "start", "format": {"encoding": "mp3"}},
        {"type": "start", "format": 3},
    ],
)
def test_what_is_wrong_is_told_and_the_client_may_go_on(engine: Engine, transport: Transport, message: dict) -> None:
    async def use(ports: Ports) -> dict:
        async with transport(ports) as client:
            await client.say(**message)
            told = await client.hear()
            await client.say(type="ping")
            assert (await client.hear())["type"] == "pong"
            return told

    told = served(engine, use)
    assert told["type"] == "error"
    assert "expected" in told["message"]


def test_one_stream_too_many_is_refused(engine_with: Callable[..., Engine], demo: bytes) -> None:
    engine = engine_with(max_streams=1)

    async def use(ports: Ports) -> dict:
        async with websocket(ports) as first, websocket(ports) as second:
            await first.audio(demo[:3200])
            await first.say(type="ping")
            await until(first, "pong")
            await second.audio(demo[:3200])
            told = await second.hear()
            assert [event.text for event in events_of(await heard(first, demo)) if isinstance(event, Final)]
            return told

    assert served(engine, use)["code"] == "busy"
