"""The log: a line per event on standard error, for people or as JSON. What was said is in none."""

import json
import logging
import sys
import time


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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if json_lines else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.raiseExceptions = False  # a full disk is no reason to stop listening
    for name in ("nearword", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level.upper() if name == "nearword" else max(logging.WARNING, getattr(logging, level.upper())))
