"""A daemon for one test: real sockets on loopback, in the test's own loop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.service import Daemon

T = TypeVar("T")


@dataclass
class Ports:
    wyoming: int
    http: int
    socket: str
    daemon: Daemon

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.http}/v1"

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.http}{path}"


def served(engine: Engine, use: Callable[[Ports], Awaitable[T]], seconds: float = 60) -> T:
    """Run a daemon, and a client that is told where it listens."""

    async def run() -> T:
        async with Daemon(engine) as daemon:
            first = {name: listed[0] for name, listed in daemon.addresses.items() if listed}
            wyoming, http = (int(first.get(name, ":0").rsplit(":", 1)[1]) for name in ("wyoming", "http"))
            ports = Ports(wyoming, http, first.get("json", ""), daemon)
            return await asyncio.wait_for(use(ports), seconds)

    return asyncio.run(run())
