"""Whether a running daemon is well: a health check for containers and service managers, in plain sockets."""

import http.client
import json
import socket
import ssl
from pathlib import Path

from .settings import ServeSettings, address_of, host_and_port

SECONDS = 3.0
"""How long an answer may take."""
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (where to ask a daemon that listens everywhere)


def check(settings: ServeSettings) -> list[str]:
    """Return what is wrong, a line each; nothing if all is well."""
    problems = []
    for uri in settings.uri:
        try:
            _ask_wyoming(address_of(uri))
        except (OSError, ValueError) as error:
            problems.append(f"{uri}: {getattr(error, 'strerror', None) or error}; is nearword serve running?")
    if settings.http:
        try:
            _ask_http(settings)
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{settings.http}: {getattr(error, 'strerror', None) or error}; is nearword serve running?")
    return problems


def _ask_wyoming(address: tuple[str, int] | Path) -> None:
    if isinstance(address, Path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(SECONDS)
        connection.connect(str(address))
    else:
        host, port = address
        connection = socket.create_connection((_HERE.get(host, host), port), SECONDS)
    with connection, connection.makefile("rb") as answer:
        connection.sendall(b'{"type": "describe"}\n')
        line = answer.readline(65_536)
        if not line or json.loads(line).get("type") != "info":
            raise ValueError("answers, but not as Wyoming does")


def _ask_http(settings: ServeSettings) -> None:
    host, port = host_and_port(settings.http)
    host = _HERE.get(host, host)
    connection: http.client.HTTPConnection
    if settings.certificate:
        # its own certificate, by whatever name: this is no more than a question whether it lives
        connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=_unchecked())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        if answer.status != 200:
            raise http.client.HTTPException(
                f"answers with {answer.status}: {answer.read(200).decode(errors='replace')}"
            )
    finally:
        connection.close()


def _unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
