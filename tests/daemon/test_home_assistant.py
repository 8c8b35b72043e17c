"""Names of a Home Assistant: fetched, changed, kept while it is away; over real websockets."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from clients import home_assistant_2026_11
from home_assistant_mock import TOKEN, House, running
from nearword.runtime.daemon import home_assistant
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.home_assistant import HomeAssistant, websocket_url
from nearword.runtime.daemon.metrics import Metrics
from nearword.runtime.daemon.service import Daemon


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_assistant, "CALM_SECONDS", 0.02)
    monkeypatch.setattr(home_assistant, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(home_assistant, "LONGEST_WAIT", 0.1)


@pytest.fixture
def house() -> House:
    house = House()
    house.add("light.hall", "Hall Light", ["Flurlicht", None])
    house.add("media_player.den", "Den TV")
    house.add("lock.safe", "Secret Safe", exposed=False)
    house.areas = [{"area_id": "k", "name": "Kitchen", "aliases": ["Galley"], "floor_id": "g"}]
    house.floors = [{"floor_id": "g", "name": "Ground Floor", "aliases": []}]
    return house


class Names:
    """What was fetched, and waiting for it."""

    def __init__(self) -> None:
        self.lists: list[dict[str, str]] = []
        self._changed = asyncio.Event()

    async def use(self, phrases: list) -> None:
        self.lists.append({phrase.text: phrase.cls for phrase in phrases})
        self._changed.set()

    async def until(self, count: int) -> dict[str, str]:
        while len(self.lists) < count:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 10)
        return self.lists[-1]


def watched(house: House, use: Callable, token: str = TOKEN) -> object:
    async def run() -> object:
        names, metrics = Names(), Metrics()
        async with running(house):
            client = HomeAssistant(f"http://127.0.0.1:{house.port}", token, names.use, metrics)
            task = asyncio.create_task(client.run())
            try:
                return await asyncio.wait_for(use(names, metrics), 20)
            finally:
                task.cancel()
                await asyncio.wait([task])

    return asyncio.run(run())


def test_what_is_exposed_has_its_name_and_its_aliases(house: House) -> None:
    async def use(names: Names, metrics: Metrics) -> dict:
        return await names.until(1)

    assert watched(house, use) == {
        "Hall Light": "device", "Flurlicht": "device", "Den TV": "media", "Kitchen": "room", "Galley": "room",
        "Ground Floor": "room",
    }  # fmt: skip


def test_changes_are_fetched(house: House) -> None:
    async def use(names: Names, metrics: Metrics) -> dict:
        await names.until(1)
        house.add("switch.fan", "Fan of Doom")
        await house.change()
        await names.until(2)
        house.areas.append({"area_id": "b", "name": "Bath", "aliases": []})
        await house.change("area_registry_updated")
        return await names.until(3)

    found = watched(house, use)
    assert found["Fan of Doom"] == "device"
    assert found["Bath"] == "room"


def test_a_lost_connection_comes_back(house: House) -> None:
    async def use(names: Names, metrics: Metrics) -> None:
        await names.until(1)
        assert metrics.home_assistant._value.get() == 1
        for connection in list(house.connections):
            connection.transport.abort()
        house.add("switch.fan", "Fan of Doom")
        assert "Fan of Doom" in await names.until(2)

    watched(house, use)


def test_who_is_no_administrator_gets_the_names_of_all_entities(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.admin = False
    house.add("update.core", "Core Update")

    async def use(names: Names, metrics: Metrics) -> dict:
        return await names.until(1)

    found = watched(house, use)
    assert "Secret Safe" in found
    assert "Core Update" not in found
    assert "does not tell what is exposed" in caplog.text


def test_a_wrong_token_is_told_and_tried_again(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def use(names: Names, metrics: Metrics) -> None:
        while caplog.text.count("the access token is refused") < 2:
            await asyncio.sleep(0.02)

    watched(house, use, "guess")
    assert "guess" not in caplog.text


def test_names_are_in_no_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "nearword")

    async def use(names: Names, metrics: Metrics) -> dict:
        return await names.until(1)

    watched(house, use)
    assert "names of Home Assistant" in caplog.text
    assert "Hall Light" not in caplog.text


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://h:8123", "ws://h:8123/api/websocket"),
        ("https://h/", "wss://h/api/websocket"),
        ("ws://supervisor/core/websocket", "ws://supervisor/core/websocket"),
    ],
)
def test_the_websocket_is_found(address: str, url: str) -> None:
    assert websocket_url(address) == url


def test_a_daemon_spells_names_as_home_assistant_does_also_when_it_is_away(
    engine_with: Callable[..., Engine], tmp_path: Path, demo: bytes
) -> None:
    house = House()
    house.add("person.brother", "My BROTHER")
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")

    async def run() -> None:
        async with running(house):
            engine = engine_with(home_assistant=f"http://127.0.0.1:{house.port}", token_file=str(token))
            async with Daemon(engine) as daemon:
                port = int(daemon.addresses["wyoming"][0].rsplit(":", 1)[1])
                while not engine.metrics.names._value.get():
                    await asyncio.sleep(0.02)
                while "My BROTHER" not in (await home_assistant_2026_11(port, demo)).text:
                    await asyncio.sleep(0.05)
                for connection in list(house.connections):
                    connection.transport.abort()
                assert "My BROTHER" in (await home_assistant_2026_11(port, demo)).text

    asyncio.run(run())
