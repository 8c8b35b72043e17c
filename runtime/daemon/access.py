"""Who may use HTTP and the websockets: tokens, and no web page from elsewhere."""

import hmac
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .metrics import Metrics

TOKEN_PROTOCOLS = ("nearword-token.", "openai-insecure-api-key.")
"""A browser cannot give a websocket a header; a token goes as one of the subprotocols, behind one of these."""
OPEN_PATHS = ("/", "/health", "/favicon.ico")
"""What everyone may ask for: the page without what it shows, and whether the daemon lives."""
OPEN_FOLDER = "/page/"


class Access:
    """Lets in whom it may concern; ASGI middleware."""

    def __init__(self, app: ASGIApp, tokens: Iterable[str], origins: Iterable[str], metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self.tokens = tuple(tokens)
        """Any of them opens; none: everyone who reaches the address gets in."""
        self.origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        """Web pages elsewhere that may connect."""
        self._names = {"localhost", socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}
        self._names |= {urlsplit(origin).hostname or "" for origin in self.origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is allowed, and refuse all else."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._problem(scope, headers)
        if refused is None:
            await self._app(scope, receive, send)
            return
        self._metrics.errors.labels("http").inc()
        status, why = refused
        if scope["type"] == "websocket":
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": 1008})
                return
            scope = {**scope, "extensions": {"websocket.http.response": {}}}
        more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        await JSONResponse({"error": {"message": why, "type": "access"}}, status, more)(scope, receive, send)

    def _problem(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self.tokens and not self._is_known(host):
            return 403, "this daemon has no such name; use its address, localhost, or allow the origin"
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(origin, host):
            return 403, "web pages of that origin may not connect; see allow_origin"
        path = scope["path"]
        if self.tokens and path not in OPEN_PATHS and not path.startswith(OPEN_FOLDER):
            given = _given(headers, scope.get("subprotocols", ()))
            # every token is compared, each in the same time, so that nothing can be learnt from how long it takes
            if not sum(hmac.compare_digest(given, token.encode()) for token in self.tokens):
                return 401, "expected a token, as 'Authorization: Bearer TOKEN'"
        return None

    def _is_known(self, host: str) -> bool:
        """Whether a host is this machine, by a name that no foreign name server can give away (DNS rebinding)."""
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name is None:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names
        return True

    def _is_ours(self, origin: str, host: str) -> bool:
        origin = origin.rstrip("/").lower()
        return origin in self.origins or origin in (f"http://{host.lower()}", f"https://{host.lower()}")


def _given(headers: Headers, subprotocols: Sequence[str]) -> bytes:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip().encode()
    for offered in subprotocols:
        for prefix in TOKEN_PROTOCOLS:
            if offered.startswith(prefix):
                return offered[len(prefix) :].encode()
    return b""
