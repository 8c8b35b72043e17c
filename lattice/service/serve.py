"""Running the service: one process, which drains on SIGTERM."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

import uvicorn

from .service import RescoringService


@dataclass(frozen=True)
class ServeSettings:
    """Where to listen, and how to end."""

    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 8770
    """Port; 0 for any."""
    certificate: str | None = None
    """File with the TLS certificate; without, plain HTTP (behind a balancer that ends TLS)."""
    key: str | None = None
    """File with its key."""
    drain_seconds: float = 0.0
    """After SIGTERM, how long ``/ready`` says no while all is still answered: for the balancer to see it."""
    finish_seconds: int = 10
    """How long what is being answered may then still take."""
    backlog: int = 256
    """Connections that wait to be taken."""
    max_connections: int = 1000
    """Connections at one time; more are answered 503."""


class DrainingServer(uvicorn.Server):
    """Says that it is not ready before it stops to listen. A second signal stops it at once."""

    def __init__(self, service: RescoringService, settings: ServeSettings) -> None:
        super().__init__(
            uvicorn.Config(
                service.app, settings.host, settings.port, backlog=settings.backlog, access_log=False,
                log_level="warning", server_header=False, ssl_certfile=settings.certificate, ssl_keyfile=settings.key,
                timeout_graceful_shutdown=settings.finish_seconds, timeout_keep_alive=75,
                h11_max_incomplete_event_size=16_384, limit_concurrency=settings.max_connections,
            )
        )  # fmt: skip
        self._service, self._drain_seconds = service, settings.drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; stop when that is over."""
        if self._service.draining or not self._drain_seconds:
            self._service.draining = True
            super().handle_exit(sig, frame)
            return
        self._service.draining = True
        loop = asyncio.get_event_loop()
        loop.call_soon_threadsafe(loop.call_later, self._drain_seconds, super().handle_exit, sig, None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where it listens once it does."""
        await super().startup(sockets)
        for server in getattr(self, "servers", []):
            for one in server.sockets:
                host, port, *_ = one.getsockname()
                scheme = "https" if self.config.is_ssl else "http"
                print(f"listening at {scheme}://{f'[{host}]' if ':' in host else host}:{port}", flush=True)  # noqa: T201


def serve(service: RescoringService, settings: ServeSettings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: the address is taken or not this machine's, or certificate and key cannot be read.
    """
    if settings.certificate is not None:
        _check_certificate(settings.certificate, settings.key)
    with bound(settings) as listening:
        asyncio.run(DrainingServer(service, settings).serve([listening]))


def _check_certificate(certificate: str, key: str | None) -> None:
    # before anything listens, and with the name of the file
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:
        both = certificate if key is None else f"{certificate} and {key}"
        raise OSError(f"{both}: expected a certificate in PEM and its key ({error.strerror or error})") from error


@contextlib.contextmanager
def bound(settings: ServeSettings) -> Iterator[socket.socket]:
    """Give a socket bound to the address, so that one in use is an error with a name and not a log line.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # with the protocol named, asyncio sends what is written at once; else every answer waits 40 ms for its second part
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
            listening.listen()  # from here on callers wait and are not refused
        except OSError as error:
            raise OSError(error.errno, f"cannot listen at {settings.host}:{settings.port}: {error.strerror}") from error
        yield listening
    finally:
        listening.close()
