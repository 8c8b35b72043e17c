"""Connections of a stream protocol (TCP or Unix sockets), counted and bounded."""

import asyncio
import contextlib
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable

from .listening import keep_alive
from .metrics import Metrics

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_log = logging.getLogger("nearword.daemon")


class Connections:
    """Takes connections and hands each to a handler. Lives in the event loop."""

    def __init__(self, protocol: str, handler: Handler, metrics: Metrics, most: int, line_bytes: int) -> None:
        """Begin with none.

        Args:
            protocol: for metrics.
            handler: serves one connection to its end; owns the writer.
            metrics: where they are counted.
            most: at one time; more are closed at once.
            line_bytes: the longest line that a reader takes.
        """
        self._protocol, self._handler, self._metrics = protocol, handler, metrics
        self._most, self._line_bytes = most, line_bytes
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.AbstractServer] = []

    async def listen(self, listening: socket.socket) -> None:
        """Take connections at a socket."""
        start = asyncio.start_unix_server if listening.family == socket.AF_UNIX else asyncio.start_server
        self._servers.append(await start(self._take, sock=listening, limit=self._line_bytes))

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._most:
            self._metrics.rejected.labels(self._protocol).inc()
            writer.transport.abort()
            return
        self._metrics.connections.labels(self._protocol).inc()
        keep_alive(writer.get_extra_info("socket"))
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handler(reader, writer)
        except Exception as error:  # noqa: BLE001 (of one connection; the others go on)
            # a bug: where, but not with what, which may be words
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s connection failed: %s\n%s", self._protocol, type(error).__name__, where)
        finally:
            # also what was closed and waits for a client to read
            writer.transport.abort()

    @property
    def count(self) -> int:
        """Connections that are open."""
        return len(self._tasks)

    def stop_listening(self) -> None:
        """Take no more."""
        for server in self._servers:
            server.close()

    async def aclose(self) -> None:
        """End all connections."""
        self.stop_listening()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for server in self._servers:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 0.1)
