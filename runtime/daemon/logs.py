"""The log: a line per event on standard error, for people or as JSON. What was said is in none.

Lines are written by a thread of their own: whoever reads them may stall (a pipe that is full, a console that is held),
and neither the event loop nor a recogniser waits for that. What finds no room is dropped, and told when there is room.
"""

import atexit
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections import deque

MOST_LINES = 1000
"""Lines that wait for whoever reads them."""
LAST_SECONDS = 0.5
"""How long the end of the process waits for the last lines to be taken."""


class LogWriter(logging.Handler):
    """A handler that never waits for the file to which it writes.

    It is written to by its number: a thread that hangs within ``sys.stderr`` would keep the interpreter from ending.
    """

    def __init__(self, descriptor: int, *, most: int = MOST_LINES) -> None:
        super().__init__()
        self._descriptor, self._most = descriptor, most
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._change = threading.Condition()
        self._ends = False
        self._thread = threading.Thread(target=self._write, name="nearword-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record's line."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 (as logging's own handlers: a line that cannot be made ends nothing)
            self.handleError(record)
            return
        with self._change:
            if len(self._lines) >= self._most:
                self._dropped += 1
                return
            self._lines.append(line)
            self._change.notify()

    def close(self) -> None:
        """Write what waits, for as long as ``LAST_SECONDS`` at most."""
        with self._change:
            self._ends = True
            self._change.notify()
        self._thread.join(LAST_SECONDS)
        super().close()

    def _write(self) -> None:
        while True:
            with self._change:
                while not (self._lines or self._dropped or self._ends):
                    self._change.wait()
                if not (self._lines or self._dropped):
                    return
                lines, dropped = list(self._lines), self._dropped
                self._lines.clear()
                self._dropped = 0
            if dropped:
                lines.append(self.format(_record(f"{dropped} lines of the log were dropped: nobody took them")))
            data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
            with contextlib.suppress(OSError):  # a full disk, a file that was closed: no reason to stop listening
                while data:
                    data = data[os.write(self._descriptor, data) :]


def _record(message: str) -> logging.LogRecord:
    return logging.LogRecord("nearword.runtime.daemon", logging.WARNING, __file__, 0, message, None, None)


class JsonFormatter(logging.Formatter):
    """A JSON object per line: time (UTC), level, logger, message, and where an error came from."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        values = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False)


def start_logging(level: str = "info", *, json_lines: bool = False) -> None:
    """Write what this package and its server log to standard error."""
    handler = LogWriter(sys.stderr.fileno())
    atexit.register(handler.close)
    handler.setFormatter(
        JsonFormatter() if json_lines else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.raiseExceptions = False
    for name in ("nearword", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level.upper() if name == "nearword" else max(logging.WARNING, getattr(logging, level.upper())))
