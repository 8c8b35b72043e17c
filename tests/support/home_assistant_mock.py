"""A Home Assistant as its websocket shows it, on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

TOKEN = "let-me-in"  # noqa: S105


class House:
    """Entities, areas and floors, and who is told when they change."""

    def __init__(self) -> None:
        self.entities: dict[str, dict[str, Any]] = {}
        self.hidden: set[str] = set()
        self.areas: list[dict[str, Any]] = []
        self.floors: list[dict[str, Any]] = []
        self.connections: set[ServerConnection] = set()
        self.admin = True
        self.asked: list[str] = []
        self._listeners: list[tuple[ServerConnection, int, str]] = []
        self.port = 0

    def add(self, entity_id: str, name: str, aliases: list[Any] | None = None, *, exposed: bool = True) -> None:
        self.entities[entity_id] = {"name": name, "aliases": aliases or []}
        if not exposed:
            self.hidden.add(entity_id)

    async def change(self, kind: str = "entity_registry_updated") -> None:
        for connection, number, wanted in self._listeners:
            if wanted == kind and connection in self.connections:
                await connection.send(json.dumps({"id": number, "type": "event", "event": {"event_type": kind}}))

    async def serve(self, connection: ServerConnection) -> None:
        await connection.send(json.dumps({"type": "auth_required", "ha_version": "2026.11.0"}))
        if json.loads(await connection.recv()).get("access_token") != TOKEN:
            await connection.send(json.dumps({"type": "auth_invalid", "message": "Invalid access token"}))
            return
        await connection.send(json.dumps({"type": "auth_ok", "ha_version": "2026.11.0"}))
        self.connections.add(connection)
        try:
            async for text in connection:
                message = json.loads(text)
                self.asked.append(message["type"])
                await connection.send(
                    json.dumps({"id": message["id"], "type": "result", **self._answer(connection, message)})
                )
        finally:
            self.connections.discard(connection)

    def _answer(self, connection: ServerConnection, message: dict[str, Any]) -> dict[str, Any]:
        kind = message["type"]
        if kind == "subscribe_events":
            self._listeners.append((connection, message["id"], message["event_type"]))
            return {"success": True, "result": None}
        if kind == "homeassistant/expose_entity/list" and not self.admin:
            return {"success": False, "error": {"code": "unauthorized", "message": "Unauthorized"}}
        results = {
            "get_states": [
                {"entity_id": number, "state": "on", "attributes": {"friendly_name": entity["name"]}}
                for number, entity in self.entities.items()
            ],
            "homeassistant/expose_entity/list": {
                "exposed_entities": {number: {"conversation": number not in self.hidden} for number in self.entities}
            },
            "config/entity_registry/get_entries": {
                number: {"entity_id": number, "name": None, "original_name": self.entities[number]["name"],
                         "aliases": self.entities[number]["aliases"]}
                for number in message.get("entity_ids", ())
            },
            "config/area_registry/list": self.areas,
            "config/floor_registry/list": self.floors,
        }  # fmt: skip
        if kind not in results:
            return {"success": False, "error": {"code": "unknown_command", "message": "Unknown command."}}
        return {"success": True, "result": results[kind]}


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    """Serve a house; it may be begun again at the same port."""
    async with serve(house.serve, "127.0.0.1", house.port) as server:
        house.port = server.sockets[0].getsockname()[1]
        yield house
        for connection in list(house.connections):
            connection.transport.abort()
    await asyncio.sleep(0)
