"""Downloading public models: plain HTTPS with resume, sizes and SHA-256 from the hub's own listing.

Hugging Face's tree API states size and SHA-256 of every large file; small text files come with a git blob id,
which is checked the same way. Plain HTTP requests rather than the hub's client library: any mirror or static
server that answers the same two paths will do, and what happens to a cut connection is ours to test.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .catalog import user_models_dir
from .download import Progress, fetch, http_client, only_one
from .errors import DownloadError, ModelNotFoundError
from .public import PUBLIC_MODELS, PublicModel

if TYPE_CHECKING:
    import httpx

DEFAULT_HUB = "https://huggingface.co"
MAX_LISTING = 4_000_000
"""Bytes of a listing at most."""
LOCK_FILE = "checksums.json"
"""Written beside the model: repository, revision, and the digest of every file."""


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub describes it."""

    name: str
    size: int
    """Bytes."""
    digest: str
    """Hexadecimal: SHA-256, or git's SHA-1 of the blob for small files."""

    @property
    def is_git_blob(self) -> bool:
        """Whether ``digest`` is a git blob id."""
        return len(self.digest) == 40


def _digest(path: Path, file: RemoteFile) -> str:
    total = hashlib.sha1(usedforsecurity=False) if file.is_git_blob else hashlib.sha256()
    if file.is_git_blob:
        total.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def _listing(client: "httpx.Client", base_url: str, model: PublicModel) -> dict[str, RemoteFile]:
    import httpx  # noqa: PLC0415

    url = f"{base_url}/api/models/{model.repository}/tree/{model.revision}"
    try:
        answer = client.get(url)
        answer.raise_for_status()
        if len(answer.content) > MAX_LISTING:
            raise DownloadError(f"{url}: the listing is larger than {MAX_LISTING} bytes")
        entries = [entry for entry in answer.json() if entry["type"] == "file"]
        return {e["path"]: RemoteFile(e["path"], int(e["size"]), str(e.get("lfs", e)["oid"])) for e in entries}
    except httpx.HTTPStatusError as error:
        raise DownloadError(f"{url}: the hub answered {error.response.status_code}; is the address right?") from error
    except httpx.InvalidURL as error:
        raise DownloadError(f"{base_url}: is no address ({error})") from error
    except httpx.HTTPError as error:
        raise DownloadError(f"{url}: {type(error).__name__} ({error}); is there a network?") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadError(f"{url}: the answer is not a hub's file listing") from error


def _choose(listing: dict[str, RemoteFile], model: PublicModel, where: str) -> list[RemoteFile]:
    """Return the files to fetch; ``tokens.txt``, which makes a folder a model in listings, comes last."""
    chosen = []
    for name in (*model.optional, *sorted(model.files, key=lambda file: file == "tokens.txt")):
        file = listing.get(name)
        if file is None:
            if name in model.optional:
                continue
            raise DownloadError(f"{where}: has no file {name}")
        known = model.sha256.get(name, file.digest)
        if file.digest != known:
            raise DownloadError(
                f"{where}: says that the checksum of {name} is {file.digest[:16]}..., but it is known to be "
                f"{known[:16]}...; do not trust this hub"
            )
        chosen.append(file)
    return chosen


def pull(name: str, *, base_url: str | None = None, progress: Progress = lambda *_: None) -> Path:
    """Download a model of the public table and return its folder; files that are there and right are left alone.

    A file is written beside its place as ``*.part`` and moved when its digest is right, so a folder never holds half
    a file under a whole file's name. ``base_url`` is the hub or a mirror: by default ``$NEARWORD_HUB``, else Hugging
    Face.

    Raises:
        ModelNotFoundError: the table has no such name.
        DownloadError: network, hub, disk, or a file that is not what the hub's listing says.
    """
    model = PUBLIC_MODELS.get(name)
    if model is None:
        raise ModelNotFoundError(f"no public model {name!r}; expected one of: {', '.join(PUBLIC_MODELS)}")
    base_url = (base_url or os.environ.get("NEARWORD_HUB") or DEFAULT_HUB).rstrip("/")
    if not re.match(r"https?://", base_url):
        raise DownloadError(f"{base_url}: expected an address that begins with https:// or http://")
    folder = user_models_dir() / name
    with http_client() as client:
        files = _choose(_listing(client, base_url, model), model, f"{base_url}/{model.repository}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with only_one(folder):
                for file in files:
                    url = f"{base_url}/{model.repository}/resolve/{model.revision}/{file.name}"
                    _place(client, url, folder / file.name, file, progress)
                digests = {file.name: file.digest for file in files}
                record = {"repository": model.repository, "revision": model.revision, "files": digests}
                (folder / LOCK_FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="ascii")
        except DownloadError:
            raise
        except OSError as error:
            raise DownloadError(f"{error.filename or folder}: cannot be written ({error.strerror})") from error
    return folder


def _place(client: "httpx.Client", url: str, path: Path, file: RemoteFile, progress: Progress) -> None:
    """Fetch one file to its place, unless the right one is there."""
    if path.exists() and path.stat().st_size == file.size and _digest(path, file) == file.digest:
        progress(file.name, file.size, file.size)
        return
    part = path.with_name(f"{path.name}.part")
    fetch(client, url, part, file.name, file.size, progress)
    found = _digest(part, file)
    if found != file.digest:
        part.unlink()
        raise DownloadError(f"{url}: its checksum is {found[:16]}..., expected {file.digest[:16]}...; pull again")
    part.replace(path)
