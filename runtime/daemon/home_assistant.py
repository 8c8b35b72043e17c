"""Names of what a Home Assistant exposes to voice, over its websocket: at the start, and whenever they change."""

import asyncio
import itertools
import json
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from ...biasing import Phrase
from ...biasing.home_assistant import SILENT_DOMAINS, read_export
from .errors import DaemonError, ProtocolError
from .messages import object_of
from .metrics import Metrics

ANSWER_SECONDS = 15.0
"""How long an answer may take."""
MAX_BYTES = 64 * 1024 * 1024
"""Of one answer: the states of a very large house."""
CALM_SECONDS = 0.5
"""So long nothing changes any more before the names are fetched anew."""
AGAIN_SECONDS = 600.0
"""They are fetched anew after so long in any case: not every change is told."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a lost connection is tried anew; doubled each time."""
CHANGES = ("entity_registry_updated", "area_registry_updated", "floor_registry_updated", "device_registry_updated")
ASSISTANT = "conversation"
"""Whom entities are exposed to: Home Assistant's own assistant."""
Use = Callable[[list[Phrase]], Awaitable[None]]
_log = logging.getLogger("nearword.daemon.home_assistant")


class HomeAssistantError(DaemonError):
    """It answers, but not as it should: a token that is refused, a command it does not know."""


def websocket_url(address: str) -> str:
    """Return where the websocket of an address is."""
    parts = urlsplit(address)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/")
    return urlunsplit((scheme, parts.netloc, path if path.endswith("websocket") else f"{path}/api/websocket", "", ""))


class HomeAssistant:
    """Keeps names up to date for as long as ``run`` runs. What is known stays while the connection is lost."""

    def __init__(self, address: str, token: str, use: Use, metrics: Metrics) -> None:
        """Describe it.

        Args:
            address: such as ``http://homeassistant.local:8123``.
            token: a long-lived access token of an administrator.
            use: gets all names whenever they are fetched.
            metrics: where the connection is counted.
        """
        self._url, self._token, self._use, self._metrics = websocket_url(address), token, use, metrics
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Connect, fetch, listen for changes; again and again, until cancelled."""
        wait = FIRST_WAIT
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._stay()
            except HomeAssistantError as error:
                _log.error("Home Assistant: %s", error)
                wait = LONGEST_WAIT
            except (OSError, asyncio.TimeoutError, WebSocketException, InvalidHandshake, InvalidURI) as error:
                _log.warning("Home Assistant is away (%s); the names that are known stay", type(error).__name__)
            finally:
                self._metrics.home_assistant.set(0)
            if asyncio.get_running_loop().time() - began > LONGEST_WAIT:
                wait = FIRST_WAIT
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 (so that many do not come at once)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _stay(self) -> None:
        async with connect(self._url, max_size=MAX_BYTES, open_timeout=ANSWER_SECONDS) as connection:
            await self._enter(connection)
            self._metrics.home_assistant.set(1)
            _log.info("Home Assistant is connected")
            self._changed.set()
            reading = asyncio.create_task(self._read(connection))
            fetching = asyncio.create_task(self._keep(connection))
            try:
                done, _ = await asyncio.wait([reading, fetching], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in (reading, fetching):
                    task.cancel()
                await asyncio.wait([reading, fetching])
                for task in (reading, fetching):
                    if not task.cancelled():
                        task.exception()
                self._answers.clear()

    async def _enter(self, connection: ClientConnection) -> None:
        first = await self._receive(connection)
        if first.get("type") == "auth_required":
            await connection.send(json.dumps({"type": "auth", "access_token": self._token}))
            first = await self._receive(connection)
        if first.get("type") != "auth_ok":
            raise HomeAssistantError("the access token is refused; make a new one in the profile of an administrator")

    async def _receive(self, connection: ClientConnection) -> dict[str, Any]:
        return _object(await asyncio.wait_for(connection.recv(), ANSWER_SECONDS))

    async def _read(self, connection: ClientConnection) -> None:
        """Hand answers to who waits for them, and note changes."""
        async for text in connection:
            message = _object(text)
            if message.get("type") == "event":
                self._changed.set()
            elif message.get("type") == "result":
                answer = self._answers.pop(message.get("id", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(message)

    async def _keep(self, connection: ClientConnection) -> None:
        """Fetch the names whenever something has changed."""
        for change in CHANGES:
            await self._ask(connection, "subscribe_events", event_type=change)
        while True:
            try:
                await asyncio.wait_for(self._changed.wait(), AGAIN_SECONDS)
            except asyncio.TimeoutError:
                pass
            else:
                while self._changed.is_set():
                    self._changed.clear()
                    await asyncio.sleep(CALM_SECONDS)
            names = await self._names(connection)
            self._metrics.names.set(len(names))
            _log.info("%d names of Home Assistant are listened for", len(names))
            await self._use(names)

    async def _names(self, connection: ClientConnection) -> list[Phrase]:
        states = {
            str(state.get("entity_id")): _object_or_empty(state.get("attributes"))
            for state in _listed(await self._ask(connection, "get_states"))
        }
        exposed = await self._exposed(connection, states)
        entries = await self._ask(connection, "config/entity_registry/get_entries", entity_ids=exposed)
        entities = []
        for number in exposed:
            entry = _object_or_empty(_object_or_empty(entries).get(number))
            name = states.get(number, {}).get("friendly_name") or entry.get("name") or entry.get("original_name")
            aliases = entry.get("aliases")
            entities.append(
                {"entity_id": number, "name": name, "aliases": aliases if isinstance(aliases, list) else []}
            )
        areas = _listed(await self._ask(connection, "config/area_registry/list"))
        floors = _listed(await self._ask(connection, "config/floor_registry/list"))
        return list(read_export([("home assistant", {"entities": entities, "areas": areas, "floors": floors})]).phrases)

    async def _exposed(self, connection: ClientConnection, states: dict[str, Any]) -> list[str]:
        """Return what is exposed; to who may not know it, all that is usually called by name."""
        try:
            answer = _object_or_empty(await self._ask(connection, "homeassistant/expose_entity/list"))
        except HomeAssistantError as error:
            _log.warning("Home Assistant does not tell what is exposed (%s); the names of all entities are used", error)
            return [number for number in states if number.partition(".")[0] not in SILENT_DOMAINS]
        exposed = _object_or_empty(answer.get("exposed_entities"))
        return [number for number, to in exposed.items() if _object_or_empty(to).get(ASSISTANT)]

    async def _ask(self, connection: ClientConnection, command: str, **values: Any) -> Any:
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        await connection.send(json.dumps({"id": number, "type": command, **values}))
        message = await asyncio.wait_for(answer, ANSWER_SECONDS)
        if not message.get("success"):
            problem = _object_or_empty(message.get("error"))
            raise HomeAssistantError(f"{command}: {problem.get('code', 'refused')}")
        return message.get("result")


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        return object_of(text, "the answer")
    except ProtocolError as error:
        raise HomeAssistantError(f"{error}; is it one?") from None


def _object_or_empty(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
