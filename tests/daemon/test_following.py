"""A client of the daemon says where the wake word is; only who has said it is heard then."""

import asyncio
import json
from collections.abc import Callable

import numpy as np
from clients import pieces
from contract import check_contract
from nearword.runtime import Final
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.recognition.events import from_dict
from serving import Ports, served
from websockets.asyncio.client import connect


async def until(socket, kind: str) -> list[dict]:
    messages = [json.loads(await socket.recv())]
    while messages[-1]["type"] not in (kind, "error"):
        messages.append(json.loads(await socket.recv()))
    return messages


def words(engine: Engine, demo: bytes, start: dict, *, told_after: float | None = None) -> list[str]:
    async def use(ports: Ports) -> list[dict]:
        async with connect(ports.url("/v1/stream")) as socket:
            await socket.send(json.dumps({"type": "start", **start}))
            await until(socket, "ready")
            for number, piece in enumerate(pieces(demo, 3200)):
                if told_after is not None and number == round(told_after * 10):
                    await socket.send(json.dumps({"type": "anchor", "seconds": 1.0}))
                await socket.send(piece)
            await socket.send(json.dumps({"type": "end"}))
            return await until(socket, "done")

    events = [from_dict(message) for message in served(engine, use)[:-1]]
    check_contract(events)
    return " ".join(event.text for event in events if isinstance(event, Final)).split()


def loud_from(demo: bytes) -> bytes:
    """The demo from its first sound on, and that first second before it as a wake word."""
    samples = np.frombuffer(demo, "<i2")
    first = int(np.flatnonzero(np.abs(samples) > 600)[0])
    return samples[first : first + 16000].tobytes() + bytes(6400) + demo


def test_only_who_says_the_wake_word_is_heard(engine_with: Callable[..., Engine], demo: bytes) -> None:
    audio = loud_from(demo)
    everybody = words(engine_with(), audio, {})
    followed = words(engine_with(), audio, {"anchor": 1.0})
    later = words(engine_with(), audio, {"anchor": True}, told_after=1.0)
    assert 0 < len(followed) < len(everybody)
    assert 0 < len(later) < len(everybody)


def test_what_is_no_wake_word_is_refused_and_the_client_goes_on(
    engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str]
) -> None:
    async def use(ports: Ports) -> list[list[dict]]:
        async with connect(ports.url("/v1/stream")) as socket:
            told = []
            for message in (
                {"type": "start", "anchor": 0.01},
                {"type": "start", "anchor": "long"},
                {"type": "anchor", "seconds": 0.8},
            ):
                await socket.send(json.dumps(message))
                told.append(json.loads(await socket.recv()))
            for piece in pieces(demo, 3200):
                await socket.send(piece)
            await socket.send(json.dumps({"type": "end"}))
            return [told, await until(socket, "done")]

    told, heard = served(engine_with(), use)
    assert [message["type"] for message in told] == ["error"] * 3
    assert "expected 0.3 to 5 s" in told[0]["message"]
    assert "seconds of a wake word" in told[1]["message"]
    assert '"anchor": true in start' in told[2]["message"]
    assert [message["text"] for message in heard if message["type"] == "final"] == demo_texts


def test_whom_one_follows_can_be_forgotten(engine_with: Callable[..., Engine], demo: bytes) -> None:
    async def use(ports: Ports) -> list[dict]:
        async with connect(ports.url("/v1/stream")) as socket:
            await socket.send(json.dumps({"type": "start", "anchor": 1.0}))
            await until(socket, "ready")
            sent = list(pieces(loud_from(demo), 3200))
            await socket.send(sent[0])
            await asyncio.sleep(0.05)
            await socket.send(json.dumps({"type": "anchor"}))
            for piece in sent[1:]:
                await socket.send(piece)
            await socket.send(json.dumps({"type": "end"}))
            return await until(socket, "done")

    texts = [message["text"] for message in served(engine_with(), use) if message["type"] == "final"]
    everybody = words(engine_with(), loud_from(demo), {})
    assert " ".join(texts).split() == everybody
