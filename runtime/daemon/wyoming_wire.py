"""Events of the Wyoming protocol off a socket, within limits: the package's own reader has none."""

import asyncio
import json
from typing import Any

from wyoming.event import Event

from .errors import ProtocolError

MAX_HEADER = 65_536
"""Bytes of the line that an event begins with; it may hold the data."""


async def read_event(reader: asyncio.StreamReader, max_bytes: int) -> Event | None:
    """Return the next event; None at the end of the connection, also in the middle of an event.

    Args:
        reader: made with a limit of ``MAX_HEADER``.
        max_bytes: of the data, and of the payload.

    Raises:
        ProtocolError: what came is no event, or too large.
    """
    try:
        line = await reader.readline()
        if not line:
            return None
        header = _object(line, "the header")
        data = header.get("data") or {}
        if not isinstance(data, dict):
            raise ProtocolError("data: expected an object")
        length = _length(header, "data_length", max_bytes)
        if length:
            data = data | _object(await reader.readexactly(length), "the data")
        length = _length(header, "payload_length", max_bytes)
        payload = await reader.readexactly(length) if length else None
    except asyncio.IncompleteReadError:
        return None
    except ValueError as error:
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError(f"the header is longer than {MAX_HEADER} bytes") from None
    kind = header.get("type")
    if not isinstance(kind, str):
        raise ProtocolError("the header has no type")
    return Event(kind, data, payload)


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError(f"{what} is not JSON") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} is no JSON object")
    return value


def _length(header: dict[str, Any], name: str, most: int) -> int:
    value = header.get(name)
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ProtocolError(f"{name} is {value!r:.40}: expected 0 to {most} bytes")
    return value
