"""Mutated conversations sent to a daemon; what it answers does not matter."""

import asyncio
import contextlib
import io
import json
import random
import socket
import struct
import wave
from itertools import islice

import mutations
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def gone(writer: asyncio.StreamWriter, *, rudely: bool) -> None:
    """Close a connection, with a goodbye or with a reset."""
    if rudely:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    else:
        writer.close()


async def wyoming_noise(port: int, count: int, seed: int) -> None:
    chance = random.Random(seed)
    for talk in islice(mutations.conversations([header for header, _ in mutations.wyoming()], seed), count):
        data = b""
        for message in talk:
            payload = bytes(chance.choice((0, 0, 320, 3200)))
            if isinstance(message, dict):
                data += mutations.wyoming_bytes(message, payload)
            else:
                data += (message if isinstance(message, bytes) else message.encode("utf-8", "replace")) + b"\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(mutations.damaged(data, chance) if chance.random() < 0.3 else data)
        if chance.random() < 0.5:
            writer.write_eof()
            with contextlib.suppress(asyncio.TimeoutError, OSError):
                await asyncio.wait_for(reader.read(), 0.2)
        await gone(writer, rudely=chance.random() < 0.5)


async def websocket_noise(url: str, messages: list, count: int, seed: int) -> None:
    for talk in islice(mutations.conversations(messages, seed), count):
        try:
            async with connect(url, close_timeout=0.2) as client:
                for message in talk:
                    await client.send(json.dumps(message) if isinstance(message, dict) else message)
                if seed % 2:
                    await asyncio.wait_for(client.recv(), 0.1)
        except (ConnectionClosed, InvalidStatus, asyncio.TimeoutError, OSError):
            pass


async def unix_noise(path: str, count: int, seed: int) -> None:
    for talk in islice(mutations.conversations(mutations.json_messages(), seed), count):
        reader, writer = await asyncio.open_unix_connection(path)
        for message in talk:
            writer.write(as_line(message))
        try:
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 0.2)
        except (asyncio.TimeoutError, OSError):
            pass
        writer.close()


def as_line(message: dict | bytes | str) -> bytes:
    if isinstance(message, bytes):
        return json.dumps({"type": "audio", "bytes": len(message)}).encode() + b"\n" + message
    text = json.dumps(message) if isinstance(message, dict) else message
    return text.encode("utf-8", "replace") + b"\n"


async def files_noise(port: int, count: int, seed: int) -> None:
    """Send recordings of which form, recording or request went wrong."""
    chance = random.Random(seed)
    for _ in range(count):
        fields = (
            mutations.mutated(mutations.form_fields(), chance) if chance.random() < 0.6 else mutations.form_fields()
        )
        audio = _wave(chance.randrange(1, 4000))
        audio = mutations.damaged(audio, chance) if chance.random() < 0.4 else audio
        data = mutations.request_bytes(fields, audio)
        if chance.random() < 0.3:
            data = mutations.damaged(data, chance)
        if goes := chance.random() < 0.3:
            data = data[: chance.randrange(len(data))]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        with contextlib.suppress(asyncio.TimeoutError, OSError):
            await asyncio.wait_for(reader.read(), 0.05 if goes else 2.0)
        await gone(writer, rudely=chance.random() < 0.5)


def _wave(samples: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * samples))
    return out.getvalue()


async def silent(port: int, count: int) -> list[asyncio.StreamWriter]:
    """Open connections on which nothing comes; the caller holds them."""
    writers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            writers.append((await asyncio.open_connection("127.0.0.1", port))[1])
    return writers


async def unread(port: int) -> None:
    """Ask for more than all buffers hold, read nothing, and go."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    with contextlib.suppress(OSError):
        writer.write(b'{"type": "describe"}\n' * 20_000)
        await asyncio.sleep(0.5)
    await gone(writer, rudely=True)
    del reader
