"""The side of whoever makes models: updates, and the list of them, for any server of static files."""

from pathlib import Path

from ..compression.errors import CompressionError
from ..compression.sections import write_atomically
from ..compression.update_file import make_update, sha256
from .listing import SUFFIX, Listing, Step, Version
from .signing import UpdateError, public_key_of, read_private_key, signed

MAGIC = b"nearword update\n"
"""What the file of an update begins with; then the signature, then what is signed."""
KEPT_STEPS = 3
"""Earlier versions from which there is an update to a new one in one step."""


def write_update(old: Path, new: Path, output: Path, key: Path) -> int:
    """Write the signed update that makes the file ``new`` of the file ``old``; returns its size in bytes.

    Args:
        old: a version: a packed model, an n-gram, a model of requests, a list of phrases.
        new: the next version of it.
        output: where to.
        key: the private key.

    Raises:
        UpdateError: the key is none, or a file is too large.
        OSError: a file cannot be read or written.
    """
    data = _update(old.read_bytes(), new.read_bytes(), key, new)
    write_atomically(output, data)
    return len(data)


def publish(file: Path, folder: Path, key: Path) -> Listing:
    """Add a version of a file to a folder that a server gives out, and updates from the versions before it.

    The folder then holds the file under its checksum, ``STEM-<old>-<new>.update`` for each of the last versions, and
    the list, ``NAME.updates``, which is written last: whoever reads it finds all that it names.

    Raises:
        UpdateError: the key is none, or the folder's list is not signed with it.
        OSError: something cannot be read or written.
    """
    private = read_private_key(key)
    public = public_key_of(private)
    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / f"{file.name}{SUFFIX}"
    before = Listing.from_bytes(listed.read_bytes(), public, str(listed)) if listed.exists() else None
    versions, steps = (before.versions, before.steps) if before is not None else ((), ())
    data = file.read_bytes()
    checksum = sha256(data)
    if before is not None and versions[-1].sha256 == checksum:
        return before
    if any(version.sha256 == checksum for version in versions):
        raise UpdateError(f"{file}: is an earlier version; publish what comes after {versions[-1].file}")
    name = f"{file.stem}-{checksum[:12]}"
    version = Version(checksum, len(data), f"{name}{file.suffix}")
    write_atomically(folder / version.file, data)
    for old in versions[-KEPT_STEPS:]:
        made = _update((folder / old.file).read_bytes(), data, key, file)
        step = Step(
            old.sha256, checksum, sha256(made), len(made), f"{file.stem}-{old.sha256[:12]}-{checksum[:12]}.update"
        )
        write_atomically(folder / step.file, made)
        steps = (*steps, step)
    listing = Listing(file.name, (*versions, version), steps)
    write_atomically(listed, listing.to_bytes(private))
    return listing


def _update(old: bytes, new: bytes, key: Path, what: Path) -> bytes:
    try:
        payload = make_update(old, new)
    except CompressionError as error:
        raise UpdateError(f"{what}: {error}") from error
    return MAGIC + signed(payload, "update", read_private_key(key)) + payload
