"""HTTP: the page, the websockets, OpenAI's interfaces, health and metrics, as one ASGI application."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from ...models import AudioError
from .access import Access
from .engine import Engine
from .errors import BusyError, DaemonError, ProtocolError, StuckError
from .json_session import JsonSession, error_of
from .messages import object_of
from .openai_files import transcription_endpoint
from .openai_realtime import RealtimeSession
from .page_files import page_routes
from .settings import ServeSettings
from .tokens import read_tokens
from .vosk import VoskSession

HEADER_SECONDS = 10.0
"""A connection that has not sent its request by then is closed."""
MAX_HEADERS = 16_384
_log = logging.getLogger("nearword.daemon.web")


class TimedProtocol(H11Protocol):
    """HTTP that does not wait for ever for a request to begin."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; close it if nothing is asked for in time."""
        super().connection_made(transport)
        self._expiry = self.loop.call_later(HEADER_SECONDS, self._expire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._expiry.cancel()
        super().connection_lost(exc)

    def _expire(self) -> None:
        asked = getattr(self, "cycle", None) is not None
        if not asked and not self.transport.is_closing() and self.transport.get_protocol() is self:
            self.transport.close()


class Channel:
    """A websocket with one sender at a time, and an end to every wait."""

    def __init__(self, engine: Engine, socket: WebSocket) -> None:
        self._engine, self._socket = engine, socket
        self._sending = asyncio.Lock()

    async def accept(self) -> None:
        """Open it, in the first subprotocol that carries no token."""
        offered = self._socket.scope.get("subprotocols", [])
        plain = [name for name in offered if name in ("realtime", "nearword")]
        await self._socket.accept(plain[0] if plain else None)

    async def send(self, message: dict[str, Any]) -> None:
        """Send an object; raises ``TimeoutError`` if the client does not read, ``OSError`` if it is gone."""
        await self.send_text(json.dumps(message, ensure_ascii=False))

    async def send_text(self, text: str) -> None:
        """Send a text; raises as ``send``."""
        async with self._sending:
            try:
                await asyncio.wait_for(self._socket.send_text(text), self._engine.settings.write_seconds)
            except WebSocketDisconnect:
                raise ConnectionResetError("the client is gone") from None  # as the other transports say it

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            WebSocketDisconnect: the client is gone.
            TimeoutError: it has nothing to say.
        """
        message = await asyncio.wait_for(self._socket.receive(), self._engine.settings.idle_seconds)
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        data = message.get("bytes")
        return message.get("text") or "" if data is None else data

    async def close(self, code: int) -> None:
        """Close it, if it is open."""
        with contextlib.suppress(RuntimeError, OSError, WebSocketDisconnect, asyncio.TimeoutError):
            await asyncio.wait_for(self._socket.close(code), 1.0)


Serve = Callable[[Engine, Channel], Awaitable[None]]


def websocket_endpoint(engine: Engine, protocol: str, serve: Serve) -> Callable[[WebSocket], Awaitable[None]]:
    """Return an endpoint that serves one client to its end, whatever it does."""

    async def endpoint(socket: WebSocket) -> None:
        channel = Channel(engine, socket)
        engine.metrics.connections.labels(protocol).inc()
        await channel.accept()
        code = 1000
        try:
            await serve(engine, channel)
        except (WebSocketDisconnect, OSError):
            return
        except asyncio.TimeoutError:
            code = 1001
        except (DaemonError, AudioError) as error:
            engine.metrics.errors.labels(protocol).inc()
            code = 1013 if isinstance(error, BusyError | StuckError) else 1008
            with contextlib.suppress(OSError, RuntimeError, WebSocketDisconnect, asyncio.TimeoutError):
                await channel.send(error_of(error))
        except RuntimeError as error:
            # starlette's word for a client that went away between two messages
            _log.debug("a websocket ended: %s", error)
            return
        await channel.close(code)

    return endpoint


async def serve_json(engine: Engine, channel: Channel) -> None:
    """Speak our own protocol."""
    session = JsonSession(engine, "websocket", channel.send)
    try:
        while True:
            message = await channel.receive()
            try:
                if isinstance(message, bytes):
                    await session.audio(message)
                else:
                    await session.command(object_of(message))
            except ProtocolError as error:
                engine.metrics.errors.labels("websocket").inc()
                await channel.send(error_of(error))
    finally:
        await session.aclose()


async def serve_vosk(engine: Engine, channel: Channel) -> None:
    """Speak as the Vosk server does."""
    session = VoskSession(engine)
    try:
        while True:
            message = await channel.receive()
            if isinstance(message, bytes):
                await channel.send_text(await session.audio(message))
                continue
            answer, last = await session.text(message)
            if answer is not None:
                await channel.send_text(answer)
            if last:
                return
    finally:
        await session.aclose()


async def serve_realtime(engine: Engine, channel: Channel) -> None:
    """Speak as OpenAI's realtime transcription does."""
    session = RealtimeSession(engine, channel.send)
    try:
        await session.begin()
        while True:
            message = await channel.receive()
            await session.take(message)
    finally:
        await session.aclose()


async def serve_watcher(engine: Engine, channel: Channel) -> None:
    """Show what goes on in all streams, to one who only watches."""
    watcher = engine.hub.watch()
    if watcher is None:
        raise BusyError("enough are watching already")

    async def until_gone() -> None:
        with contextlib.suppress(WebSocketDisconnect, OSError, RuntimeError):
            while True:
                with contextlib.suppress(asyncio.TimeoutError):
                    await channel.receive()

    gone = asyncio.create_task(until_gone())
    try:
        while not gone.done():
            getting = asyncio.create_task(watcher.get())
            await asyncio.wait([getting, gone], return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                await channel.send(getting.result())
            else:
                getting.cancel()
    finally:
        gone.cancel()
        engine.hub.leave(watcher)


def make_app(engine: Engine) -> Access:
    """Return the application, behind its door.

    Raises:
        SettingsError: the file of tokens cannot be used.
    """
    settings = engine.settings

    async def health(_request: Request) -> Response:
        well = engine.hanging < settings.max_streams
        return JSONResponse({"status": "ok" if well else "stuck", "streams": len(engine.streams)}, 200 if well else 503)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(engine.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def models(_request: Request) -> Response:
        name = engine.model.info.folder.name
        return JSONResponse(
            {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "nearword"}]}
        )

    async def icon(_request: Request) -> Response:
        return PlainTextResponse("", 204)

    routes = [
        Route("/health", health),
        Route("/metrics", metrics),
        Route("/favicon.ico", icon),
        Route("/v1/models", models),
        Route("/v1/audio/transcriptions", transcription_endpoint(engine), methods=["POST"]),
        WebSocketRoute("/v1/realtime", websocket_endpoint(engine, "realtime", serve_realtime)),
        WebSocketRoute("/v1/stream", websocket_endpoint(engine, "websocket", serve_json)),
        WebSocketRoute("/v1/watch", websocket_endpoint(engine, "watch", serve_watcher)),
        WebSocketRoute("/vosk", websocket_endpoint(engine, "vosk", serve_vosk)),
        *page_routes(),
    ]
    return Access(
        Starlette(routes=routes), read_tokens(settings.http_token_file), settings.allow_origin, engine.metrics
    )


class WebServer(uvicorn.Server):
    """Lets the daemon have the signals."""

    def __init__(self, app: Access, settings: ServeSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False,
                ws="websockets-sansio", http=TimedProtocol, ws_max_size=settings.max_message,
                ws_per_message_deflate=False, h11_max_incomplete_event_size=MAX_HEADERS,
                limit_concurrency=settings.max_connections, timeout_keep_alive=15, timeout_graceful_shutdown=1,
                ssl_certfile=settings.certificate or None, ssl_keyfile=settings.key or None,
            )
        )  # fmt: skip
        self.door = app
        """Whom it lets in; may be told anew."""
        self.listening = asyncio.Event()
        """Set once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Leave signals alone."""
        yield
