"""Files over plain HTTP(S): what was cut off goes on where it stopped."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DownloadError

if TYPE_CHECKING:
    import httpx

TRIES = 4
"""Times a file is asked for before giving up; every try goes on where the last one stopped."""
Progress = Callable[[str, int, int], None]
"""Told (file, bytes done, bytes in all)."""


@contextmanager
def http_client() -> "Iterator[httpx.Client]":
    """Give a client that asks for files as they are."""
    import httpx  # noqa: PLC0415 (0.1 s that only downloads need)

    timeout = httpx.Timeout(20.0, connect=10.0)
    # identity: offsets of a range count bytes on the wire, and sizes those of the file; compressed they would differ
    headers = {"user-agent": "nearword", "accept-encoding": "identity"}
    with httpx.Client(follow_redirects=True, timeout=timeout, headers=headers) as client:
        yield client


def fetch(client: "httpx.Client", url: str, part: Path, name: str, size: int, progress: Progress) -> None:
    """Append to ``part`` until it has ``size`` bytes; asks only for what is missing.

    Raises:
        DownloadError: network, server, or more bytes than there should be.
        OSError: the file cannot be written.
    """
    import httpx  # noqa: PLC0415

    problem = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(0.2 * 2**attempt)
        have = part.stat().st_size if part.exists() else 0
        if have >= size:
            return
        try:
            with client.stream("GET", url, headers={"range": f"bytes={have}-"} if have else {}) as answer:
                answer.raise_for_status()
                # a server that does not know ranges sends everything: begin again
                resumed = answer.status_code == 206 and answer.headers.get("content-range", "").startswith(
                    f"bytes {have}-"
                )
                have = have if resumed else 0
                with part.open("ab" if resumed else "wb") as out:
                    for block in answer.iter_bytes():
                        have += len(block)
                        if have > size:
                            raise DownloadError(f"{url}: sends more than the {size} bytes that are listed")
                        out.write(block)
                        progress(name, have, size)
            problem = f"the connection ended after {have} of {size} bytes"
        except httpx.HTTPStatusError as error:
            if error.response.status_code < 500 and error.response.status_code != 429:
                raise DownloadError(f"{url}: the server answered {error.response.status_code}") from error
            problem = f"the server answered {error.response.status_code}"
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__} ({error})"
    if not part.exists() or part.stat().st_size < size:
        raise DownloadError(f"{url}: {problem}; run the same command again to go on from there")


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder: two downloads at once would append to the same partial file."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(f"{folder}: another download or update is under way") from error
        yield
