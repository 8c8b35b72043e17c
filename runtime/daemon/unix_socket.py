"""Our own protocol over a Unix socket: a JSON object a line, audio as bytes behind a line that says how many."""

import asyncio
import contextlib
import json
from typing import Any

from ...models import AudioError
from .engine import Engine
from .errors import BusyError, ProtocolError, StuckError
from .json_session import JsonSession, error_of
from .messages import object_of

PROTOCOL = "json"
MAX_LINE = 1_048_576
"""Bytes of a line: phrases come in one."""


async def serve_json_lines(engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one client to its end. ``{"type": "audio", "bytes": N}`` is followed by N bytes of audio."""
    settings = engine.settings
    writing = asyncio.Lock()

    async def send(message: dict[str, Any]) -> None:
        async with writing:
            writer.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            await asyncio.wait_for(writer.drain(), settings.write_seconds)

    session = JsonSession(engine, PROTOCOL, send)
    try:
        while True:
            item = await asyncio.wait_for(_read(reader, settings.max_message), settings.idle_seconds)
            if item is None:
                break
            try:
                if isinstance(item, bytes):
                    await session.audio(item)
                else:
                    await session.command(item)
            except ProtocolError as error:
                engine.metrics.errors.labels(PROTOCOL).inc()
                await send(error_of(error))
    except (ProtocolError, BusyError, StuckError, AudioError) as error:
        engine.metrics.errors.labels(PROTOCOL).inc()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await send(error_of(error))
    except (OSError, asyncio.TimeoutError):
        pass  # it went away, or has nothing to say
    finally:
        await session.aclose()
        writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 1.0)


async def _read(reader: asyncio.StreamReader, most: int) -> dict[str, Any] | bytes | None:
    """Return the next message, or audio; None at the end.

    Raises:
        ProtocolError: what came is neither; the place of the next message is not known then.
    """
    try:
        line = await reader.readline()
    except ValueError:
        raise ProtocolError(f"a line is longer than {MAX_LINE} bytes") from None
    if not line:
        return None
    message = object_of(line, "a line")
    if message.get("type") != "audio":
        return message
    length = message.get("bytes")
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= most:
        raise ProtocolError(f"bytes is {length!r:.40}: expected 0 to {most}")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
