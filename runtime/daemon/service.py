"""The daemon from start to end: sockets, signals, the service manager."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import Self

from ...models import NearwordError
from .connections import Connections
from .engine import Engine
from .listening import bind, handed_over, shown
from .memory import bound_heaps, give_back
from .settings import LOOPBACK, ServeSettings, address_of, host_and_port
from .supervision import notify, watchdog_seconds
from .tokens import read_tokens

if TYPE_CHECKING:
    from .web import WebServer

GRACE_SECONDS = 0.7
"""After SIGTERM: what is being said gets its result within so long."""
SWITCH_SECONDS = 0.001
"""Threads that decode let the event loop in so often: it answers at once while they work."""
_log = logging.getLogger("nearword.daemon")


class Daemon:
    """Everything that listens. ``run`` is all most need.

    >>> async with Daemon(engine) as daemon:
    ...     await daemon.stopped.wait()
    """

    def __init__(self, engine: Engine, reload: Callable[[], ServeSettings] | None = None) -> None:
        """Take an engine.

        Args:
            engine: what recognises.
            reload: gives the settings anew, on SIGHUP.
        """
        self.engine = engine
        self.addresses: dict[str, list[str]] = {"wyoming": [], "http": [], "json": []}
        """Where each protocol listens, once it does."""
        self.stopped = asyncio.Event()
        """Set when the daemon is to end."""
        self._reload = reload
        self._stack = contextlib.AsyncExitStack()
        self._wyoming: Connections | None = None
        self._tcp: list[str] = []
        self._json: Connections | None = None
        self._web: WebServer | None = None
        self._background: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen everywhere.

        Raises:
            OSError: an address cannot be had; names it.
        """
        try:
            await self._listen()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Give those who speak their last words, and end everything."""
        for task in self._background:
            task.cancel()
        for connections in (self._wyoming, self._json):
            if connections is not None:
                connections.stop_listening()
        await self.engine.drain(GRACE_SECONDS)
        await self._stack.aclose()

    async def _listen(self) -> None:
        from .wyoming_server import WyomingConnection  # noqa: PLC0415 (needs its package)
        from .wyoming_wire import MAX_HEADER  # noqa: PLC0415

        settings, engine = self.engine.settings, self.engine
        handed = handed_over()

        async def wyoming(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await WyomingConnection(engine, reader, writer).run()

        self._wyoming = Connections("wyoming", wyoming, engine.metrics, settings.max_connections, MAX_HEADER)
        self._stack.push_async_callback(self._wyoming.aclose)
        for listening in handed.get("wyoming") or [bind(address_of(uri)) for uri in settings.uri]:
            await self._wyoming.listen(listening)
            self.addresses["wyoming"].append(shown(listening))
            if listening.family != socket.AF_UNIX:
                self._tcp.append(shown(listening))
        await self._listen_to_json(handed.get("json", []))
        await self._listen_to_web(handed.get("http", []))
        await self._announce()
        self._ask_home_assistant()

    async def _announce(self) -> None:
        name = self.engine.settings.zeroconf
        reachable = [each for each in map(host_and_port, self._tcp) if each[0] not in LOOPBACK]
        if not name:
            return
        if not reachable:
            _log.warning("zeroconf: Wyoming listens for this machine alone; there is nothing to announce")
            return
        from .announcement import Announcement  # noqa: PLC0415 (an extra)

        await self._stack.enter_async_context(Announcement(name, *reachable[0]))

    def _ask_home_assistant(self) -> None:
        settings = self.engine.settings
        if not settings.home_assistant:
            return
        from .home_assistant import HomeAssistant  # noqa: PLC0415 (only who has one needs it)

        token, *_ = read_tokens(settings.token_file, "an access token of Home Assistant")
        asking = HomeAssistant(settings.home_assistant, token, self.engine.use_names, self.engine.metrics)
        self.begin(asyncio.create_task(asking.run()))

    async def _listen_to_json(self, sockets: list[socket.socket]) -> None:
        from .unix_socket import MAX_LINE, serve_json_lines  # noqa: PLC0415

        engine, settings = self.engine, self.engine.settings

        async def lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await serve_json_lines(engine, reader, writer)

        if not sockets and settings.socket:
            sockets = [bind(Path(settings.socket))]
        if not sockets:
            return
        connections = Connections("json", lines, engine.metrics, settings.max_connections, MAX_LINE)
        self._json = connections
        self._stack.push_async_callback(connections.aclose)
        for listening in sockets:
            await connections.listen(listening)
            self.addresses["json"].append(shown(listening))

    async def _listen_to_web(self, sockets: list[socket.socket]) -> None:
        settings = self.engine.settings
        if not sockets and not settings.http:
            return
        from .web import WebServer, make_app  # noqa: PLC0415 (its imports take a moment)

        sockets = sockets or [bind(host_and_port(settings.http))]
        self._web = server = WebServer(make_app(self.engine), settings)
        serving = asyncio.create_task(server.serve(sockets))
        self._stack.push_async_callback(_end_web, server, serving)
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if serving.done():
            serving.result()
        self.addresses["http"] += map(shown, sockets)

    @property
    def connections(self) -> int:
        """Connections of Wyoming and JSON lines that are open."""
        return sum(0 if one is None else one.count for one in (self._wyoming, self._json))

    def begin(self, task: "asyncio.Task[None]") -> None:
        """Own a task until the end."""
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def reload(self) -> None:
        """Read settings and phrases anew; what cannot change while listening stays as it is, and is told."""
        if self._reload is None:
            return
        notify("RELOADING=1")
        try:
            settings = await asyncio.to_thread(self._reload)
            fixed = [name for name in _FIXED if getattr(settings, name) != getattr(self.engine.settings, name)]
            if fixed:
                _log.warning("changed, but only a restart uses them: %s", ", ".join(fixed))
            self.engine.settings = settings
            await asyncio.to_thread(self.engine.load_phrases)
            if self._web is not None:
                self._web.door.tokens = read_tokens(settings.http_token_file)
            _log.info("settings and phrases are read anew")
        except (NearwordError, OSError) as error:
            _log.error("not read anew, all stays as it was: %s", error)
        notify("READY=1")


_FIXED = ("uri", "http", "socket", "model", "precision", "grammar", "certificate", "key", "zeroconf", "home_assistant",
          "max_connections")  # fmt: skip


async def _end_web(server: "WebServer", serving: "asyncio.Task[None]") -> None:
    server.should_exit = True
    await asyncio.wait([serving], timeout=0.5)
    server.force_exit = True
    await asyncio.wait([serving], timeout=0.5)


def run(settings: ServeSettings, reload: Callable[[], ServeSettings] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        NearwordError: a file of the settings cannot be used; names it.
        OSError: an address cannot be had; names it.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    bound_heaps()
    hanging = asyncio.run(_run(settings, reload))
    if hanging:
        # a thread that hangs would keep the process from ending
        logging.shutdown()
        os._exit(0)


async def _run(settings: ServeSettings, reload: Callable[[], ServeSettings] | None) -> int:
    engine = await asyncio.to_thread(Engine.load, settings)
    gc.collect()
    gc.freeze()  # the model and all that was imported are never garbage: collections leave them aside
    loop = asyncio.get_running_loop()
    async with Daemon(engine, reload) as daemon:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, daemon.stopped.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: daemon.begin(asyncio.create_task(daemon.reload())))
        for protocol, addresses in daemon.addresses.items():
            for address in addresses:
                _log.info("listening: %s at %s", protocol, address)
        notify("READY=1", f"STATUS=Listening; model {engine.model.info.folder.name}")
        # not before it listens: whoever comes first waits no longer for it than for all to be warm
        daemon.begin(asyncio.create_task(asyncio.to_thread(_warm_up, engine)))
        every = watchdog_seconds()
        if every is not None:
            daemon.begin(asyncio.create_task(_watchdog(engine, every / 3)))
        await daemon.stopped.wait()
        notify("STOPPING=1")
        _log.info("ending")
    return engine.hanging


def _warm_up(engine: Engine) -> None:
    engine.warm_up()
    gc.collect()
    gc.freeze()  # likewise what was loaded just now
    give_back()  # what loading needed for a moment


async def _watchdog(engine: Engine, every: float) -> None:
    """Say that all is well, as long as it is: the loop runs, and not every stream hangs."""
    while True:
        if engine.hanging < engine.settings.max_streams:
            notify("WATCHDOG=1")
        await asyncio.sleep(every)
