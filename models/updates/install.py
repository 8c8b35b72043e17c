"""The side of the device: fetch what is new, check it, and put it in the place of the old in one step.

At every moment the file is the old version or the new one, whole: a new one is written beside it, on the disk, checked,
loaded once, and then renamed. The old one stays as ``NAME.previous`` for a roll-back. What was fetched before a power
cut is not fetched again.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..compression.errors import CompressionError
from ..compression.sections import write_atomically
from ..compression.update_file import apply_update, info_of, sha256
from ..download import Progress, fetch, http_client, only_one
from ..errors import DownloadError, ModelFileError, NearwordError
from ..model_path import PACKED, PackedPath, open_model
from .listing import MAX_LISTING, SUFFIX, Listing, Step, Version
from .publish import MAGIC
from .signing import SIGNATURE_BYTES, UpdateError, check_signature, read_public_key

if TYPE_CHECKING:
    import httpx

PREVIOUS = ".previous"
"""Added to the name of a file for the version before."""
MAX_UPDATE = 1 << 30
"""Bytes of an update, and of a file that is updated."""
Check = Callable[[Path], object]
"""Told where a new version lies before it takes its place; raises if it is no good."""


@dataclass(frozen=True)
class Outcome:
    """What an update did."""

    old: str
    """SHA-256 of the version before."""
    new: str
    """SHA-256 of the version that is in place now; the same if nothing was to be done."""
    fetched: int
    """Bytes that had to come over the network, the list not counted."""
    size: int
    """Bytes of the version in place."""

    @property
    def changed(self) -> bool:
        """Whether there is a new version in place."""
        return self.old != self.new


def source_of(file: Path) -> tuple[str | None, str | None]:
    """Return address and public key that a packed model itself names for its updates; None for what it does not say.

    Raises:
        ModelFileError: it is no packed model, or a damaged one.
    """
    if file.suffix != PACKED:
        return None, None
    model = open_model(file)
    said = model.model.sections.values_of("model").values.get("updates") if isinstance(model, PackedPath) else None
    found = [said.get(key) if isinstance(said, dict) else None for key in ("url", "key")]
    url, key = (value if isinstance(value, str) else None for value in found)
    return url, key


def update(
    file: Path,
    url: str,
    key: str,
    *,
    whole: bool = False,
    check: Check | None = None,
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Bring a file to the newest version that a server lists.

    Args:
        file: a packed model, an n-gram, a model of requests, a list of phrases.
        url: address of the folder, or of the list itself (``*.updates``).
        key: the public key of who may make versions, or the file that holds it.
        whole: take the new version as a whole where no update leads from this one to it.
        check: looks at the new version before it counts; a packed model is loaded without being asked for.
        progress: told of each download.

    Raises:
        UpdateError: signature, checksum or contents are wrong, or there is no way from this version.
        DownloadError: network or server.
        OSError: the file cannot be read or written.
    """
    key = read_public_key(key)
    if not re.match(r"https?://", url):
        raise DownloadError(f"{url}: expected an address that begins with https:// or http://")
    address = url if url.endswith(SUFFIX) else f"{url.rstrip('/')}/{file.name}{SUFFIX}"
    with only_one(file.parent):
        old = _content(file)
        with http_client() as client:
            listing = Listing.from_bytes(_fetched_listing(client, address), key, address)
            newest, way = listing.versions[-1], listing.way(sha256(old))
            if newest.sha256 == sha256(old):
                return Outcome(newest.sha256, newest.sha256, 0, len(old))
            if way is None and not whole:
                raise UpdateError(
                    f"{file}: is none of the versions that {address} leads on from; ask for the whole file (--whole)"
                )
            base = address.rpartition("/")[0]
            wanted: list[Step | Version] = [*way] if way is not None else [newest]
            parts = [_fetched(client, f"{base}/{one.file}", file, one, progress) for one in wanted]
        new = old
        if way is None:
            new = parts[0].read_bytes()
        else:
            for part in parts:
                new = _applied(new, part.read_bytes(), key, part)
        _put_in_place(file, new, newest.sha256, check)
        for part in parts:
            part.unlink()
    return Outcome(sha256(old), newest.sha256, sum(one.size for one in wanted), len(new))


def update_from_file(file: Path, update_file: Path, key: str, *, check: Check | None = None) -> Outcome:
    """Bring a file to the next version by an update that is there already; arguments and errors as ``update``."""
    key = read_public_key(key)
    with only_one(file.parent):
        old = _content(file)
        data = _content(update_file)
        new = _applied(old, data, key, update_file)
        _put_in_place(file, new, sha256(new), check)
    return Outcome(sha256(old), sha256(new), 0, len(new))


def roll_back(file: Path) -> None:
    """Put the version before an update in the place of the one after it, which becomes the previous one.

    Raises:
        UpdateError: there is none.
        OSError: files cannot be renamed.
    """
    previous = file.with_name(file.name + PREVIOUS)
    with only_one(file.parent):
        if not previous.is_file():
            raise UpdateError(f"{previous}: missing; there is no version to go back to")
        fresh = file.with_name(f".{file.stem}.new{file.suffix}")
        _second_name(previous, fresh)
        _switch(file, fresh)


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise ModelFileError(file, "missing; expected a file")
    if file.stat().st_size > MAX_UPDATE:
        raise ModelFileError(file, f"is larger than {MAX_UPDATE} bytes")
    return file.read_bytes()


def _fetched_listing(client: "httpx.Client", url: str) -> bytes:
    import httpx  # noqa: PLC0415

    data = bytearray()
    try:
        with client.stream("GET", url) as answer:
            answer.raise_for_status()
            for block in answer.iter_bytes():
                data += block
                if len(data) > MAX_LISTING:
                    raise DownloadError(f"{url}: is larger than {MAX_LISTING} bytes, and no list of updates")
    except httpx.HTTPStatusError as error:
        raise DownloadError(
            f"{url}: the server answered {error.response.status_code}; is the address right?"
        ) from error
    except httpx.InvalidURL as error:
        raise DownloadError(f"{url}: is no address ({error})") from error
    except httpx.HTTPError as error:
        raise DownloadError(f"{url}: {type(error).__name__} ({error}); is there a network?") from error
    return bytes(data)


def _fetched(client: "httpx.Client", url: str, file: Path, one: Step | Version, progress: Progress) -> Path:
    """Return where a file of the server lies now; a part of it that was there before is kept."""
    part = file.with_name(f".{file.name}.{one.sha256[:16]}.part")
    fetch(client, url, part, one.file, one.size, progress)
    if sha256(part.read_bytes()) != one.sha256:
        part.unlink()
        raise UpdateError(f"{url}: is not what the list says (its SHA-256 is wrong); update again")
    return part


def _applied(old: bytes, data: bytes, key: str, what: Path) -> bytes:
    head = len(MAGIC) + SIGNATURE_BYTES
    if data[: len(MAGIC)] != MAGIC or len(data) < head:
        raise UpdateError(f"{what}: is no update, or is cut short")
    payload = data[head:]
    # before anything in it is looked at
    check_signature(payload, data[len(MAGIC) : head], "update", key, str(what))
    try:
        if info_of(payload).new == sha256(old):
            raise UpdateError(f"{what}: is applied already")
        return apply_update(old, payload)
    except CompressionError as error:
        raise UpdateError(f"{what}: {error}") from error


def _put_in_place(file: Path, new: bytes, checksum: str, check: Check | None) -> None:
    # its name ends as the file's does: what loads it goes by that
    fresh = file.with_name(f".{file.stem}.new{file.suffix}")
    with fresh.open("wb") as out:
        out.write(new)
        out.flush()
        os.fsync(out.fileno())
    try:
        if sha256(fresh.read_bytes()) != checksum:
            raise UpdateError(f"{file}: the new version is not what it should be (its SHA-256 is wrong)")
        (check or _loads)(fresh)
    except NearwordError as error:
        fresh.unlink()
        if isinstance(error, UpdateError):
            raise
        raise UpdateError(f"{file}: the new version is no good, the old one stays ({error})") from error
    _switch(file, fresh)


def _loads(file: Path) -> None:
    """Load a packed model; of other files the checksum says enough."""
    if file.suffix == PACKED:
        from ..transducer import Transducer  # noqa: PLC0415 (onnxruntime, for packed models alone)

        Transducer.load(file)


def _switch(file: Path, fresh: Path) -> None:
    """Put ``fresh`` in the place of ``file``, which becomes its own previous version; each by one renaming."""
    kept = file.with_name(f".{file.name}.kept")
    # a second name for the old version: the file itself is never away
    _second_name(file, kept)
    kept.replace(file.with_name(file.name + PREVIOUS))
    fresh.replace(file)
    with suppress(OSError):  # some file systems cannot
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _second_name(file: Path, name: Path) -> None:
    name.unlink(missing_ok=True)
    try:
        os.link(file, name)
    except OSError:  # some file systems know one name for a file
        write_atomically(name, file.read_bytes())
