"""A server of static files that knows ranges, as any does, and that can be told to fail."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class FileServer:
    """Gives out a folder; ``cut`` bytes at most in each answer, if set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cut: int | None = None
        self.asked: list[tuple[str, str | None]] = []
        """Paths, and the ranges that were asked for."""
        self.sent = 0
        """Bytes of contents."""
        files = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                files.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        ranged = request.headers.get("range")
        self.asked.append((request.path, ranged))
        path = self.folder / request.path.lstrip("/")
        if not path.is_file():
            request.send_error(404)
            return
        data = path.read_bytes()
        begin = int(ranged.removeprefix("bytes=").rstrip("-")) if ranged else 0
        request.send_response(206 if ranged else 200)
        if ranged:
            request.send_header("content-range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        request.send_header("content-length", str(len(data) - begin))
        request.end_headers()
        body = data[begin:] if self.cut is None else data[begin : begin + self.cut]
        self.sent += len(body)
        request.wfile.write(body)


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    server = FileServer(folder)
    threading.Thread(target=server.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
