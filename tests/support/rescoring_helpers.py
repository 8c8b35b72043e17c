"""A lattice to send, servers that misbehave, and the real one in a thread."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import numpy as np
from nearword.lattice import Lattice
from nearword.lattice.language import train_words
from nearword.lattice.rescoring import RescoringSettings
from nearword.lattice.service.language_models import NgramLanguageModel, Weights
from nearword.lattice.service.serve import DrainingServer, ServeSettings, bound
from nearword.lattice.service.service import RescoringService
from nearword.lattice.service.service_limits import ServiceLimits
from typing_extensions import Self

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def heard() -> Lattice:
    """Pay (a little better) or play, some or sum, jazz or chess."""
    scores = np.zeros((6, 3))
    scores[:, 0] = np.log([0.45, 0.55, 0.5, 0.5, 0.6, 0.4])
    final = np.array([[-np.inf, 0, 0]] * 3 + [[0, 0, 0]])
    return Lattice(
        ("play", "pay", "some", "sum", "jazz", "chess"), [0, 0, 1, 1, 2, 2], [1, 1, 2, 2, 3, 3], [0, 1, 2, 3, 4, 5],
        [0.1, 0.1, 0.5, 0.5, 0.9, 0.9], [0.5, 0.5, 0.9, 0.9, 1.4, 1.4], scores, final, 100.0,
    )  # fmt: skip


def answer(utterance: int = 1, revision: int = 1, words: tuple[str, ...] = ("play", "some", "jazz"), **other) -> dict:
    return {
        "format": "nearword-rescore-answer", "version": 1, "utterance": utterance, "revision": revision,
        "text": " ".join(words), "paths": [{"words": list(words), "language": -3.5, "total": -4.0}],
        "model": "test", "milliseconds": 1.0,
    } | other  # fmt: skip


def settings(port: int, **other) -> RescoringSettings:
    return RescoringSettings(f"http://127.0.0.1:{port}", **{"deadline": 5, "connect_timeout": 5, **other})


def model() -> NgramLanguageModel:
    text = ["play some jazz", "play some chess", "pay some bills"] * 5
    return NgramLanguageModel(train_words(text, order=3), name="tiny", weights=Weights(0.5))


class Faulty:
    """A server whose answer to every request is a function; counts what comes."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.connections = 0
        self.requests: list[tuple[str, bytes]] = []
        self.gone = 0
        """Clients that hung up."""
        self.port = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(
                    int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                self.requests.append((head, await reader.readexactly(length)))
                await self._handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone += 1
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def running(self, **options) -> AsyncIterator["Faulty"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, **options)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if "Faulty._serve" in repr(task):
                    task.cancel()
            await asyncio.sleep(0)


def responds(body: bytes | dict, status: int = 200, headers: str = "", delay: float = 0.0) -> Handler:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay)
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        await writer.drain()

    return handler


@contextlib.contextmanager
def served(
    language_model=None, tokens: tuple[str, ...] = (), limits: ServiceLimits | None = None, **options
) -> Iterator[tuple[int, RescoringService]]:
    """Run the real service in a thread; yields its port."""
    service = RescoringService(language_model or model(), tokens, limits or ServiceLimits())
    where = ServeSettings(port=0, **options)
    with bound(where) as listening:
        server = DrainingServer(service, where)
        server.install_signal_handlers = lambda: None
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            yield listening.getsockname()[1], service
        finally:
            server.should_exit = True
            thread.join(10)


class Process:
    """``nearword rescore-server`` as a user starts it."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from nearword.runtime.cli import main; main()", "rescore-server", "--port", "0",
             *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"NO_COLOR": "1"},
        )  # fmt: skip
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait(self) -> int:
        """Wait for its end; returns its exit status."""
        _, errors = self.process.communicate(timeout=20)
        assert "Traceback" not in errors, errors
        return self.process.returncode

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()
