"""The list of a model's versions that lies on a server, and the way from one version to another.

A file of two lines: the signature, base64, and JSON. One file, so that a list and its signature are never of different
days. It says each version's checksum and size, and which updates there are; all that it names lies beside it.
"""

import base64
import binascii
import heapq
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..errors import NearwordError
from .signing import SIGNATURE_BYTES, UpdateError, check_signature, signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SUFFIX = ".updates"
"""What the name of a list ends in."""
MAX_LISTING = 1_000_000
"""Bytes of a list."""
MAX_VERSIONS = 1000
FORMAT = "nearword updates"
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,200}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST = 1 << 30


@dataclass(frozen=True)
class Version:
    """A version of the file."""

    sha256: str
    size: int
    """Bytes."""
    file: str
    """Its name on the server."""


@dataclass(frozen=True)
class Step:
    """An update from one version to another."""

    old: str
    """SHA-256 of the version that it is for."""
    new: str
    """SHA-256 of the version that it makes."""
    sha256: str
    """Of the update itself."""
    size: int
    """Bytes of the update."""
    file: str
    """Its name on the server."""


@dataclass(frozen=True)
class Listing:
    """Versions, the oldest first, and updates between them."""

    name: str
    """Of the file that all are versions of."""
    versions: tuple[Version, ...]
    steps: tuple[Step, ...]

    def way(self, old: str) -> list[Step] | None:
        """Return the updates with the fewest bytes from a version to the newest; None where there is no way."""
        newest = self.versions[-1].sha256
        waiting: list[tuple[int, int, str, list[Step]]] = [(0, 0, old, [])]
        done: set[str] = set()
        while waiting:
            size, _, here, way = heapq.heappop(waiting)
            if here == newest:
                return way
            if here in done:
                continue
            done.add(here)
            for number, step in enumerate(self.steps):
                if step.old == here:
                    heapq.heappush(waiting, (size + step.size, number, step.new, [*way, step]))
        return None

    def to_bytes(self, key: "Ed25519PrivateKey") -> bytes:
        """Return the list as it lies on the server, signed."""
        said = json.dumps({"format": FORMAT, "version": 1, **asdict(self)}, separators=(",", ":")).encode()
        return base64.b64encode(signed(said, "list", key)) + b"\n" + said

    @classmethod
    def from_bytes(cls, data: bytes, key: str, what: str) -> "Listing":
        """Return a list that the owner of a public key signed.

        Raises:
            UpdateError: it is damaged, signed by another, or no list; names ``what``.
        """
        first, _, said = data.partition(b"\n")
        try:
            signature = base64.b64decode(first, validate=True)
        except (binascii.Error, ValueError):
            signature = b""
        if len(signature) != SIGNATURE_BYTES:
            raise UpdateError(f"{what}: is no list of updates; expected a signature in its first line")
        check_signature(said, signature, "list", key, what)
        try:
            return _listing(json.loads(said))
        except NearwordError:
            raise
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UpdateError(f"{what}: is no list of updates ({error!r:.80})") from error


def _listing(said: dict[str, object]) -> Listing:
    if said["format"] != FORMAT or said["version"] != 1:
        raise ValueError(f"format {said['format']!r:.40}, version {said['version']!r:.10}")
    listed, steps = said["versions"], said["steps"]
    if not isinstance(listed, list) or not isinstance(steps, list) or not 0 < len(listed) <= MAX_VERSIONS:
        raise ValueError("no versions")
    versions = tuple(Version(_sha(v["sha256"]), _size(v["size"]), _name(v["file"])) for v in listed)
    found = tuple(
        Step(_sha(s["old"]), _sha(s["new"]), _sha(s["sha256"]), _size(s["size"]), _name(s["file"])) for s in steps
    )
    return Listing(_name(said["name"]), versions, found)


def _sha(value: object) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{value!r:.80} is no SHA-256")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r:.80} is no name of a file")
    return value


def _size(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r:.40} is no size")
    return value
