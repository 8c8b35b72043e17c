"""What a service lets a request cost, and reading a body within it."""

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..formats import Limits

ENCODINGS = ("identity", "gzip", "zstd")


@dataclass(frozen=True)
class ServiceLimits:
    """What one request, and all of them, may take. Beyond, it is refused (413) or sent away (503).

    Raises:
        ValueError: a value is below its least; names the field.
    """

    max_body_bytes: int = 65_536
    """Size of a body, packed."""
    max_unpacked_bytes: int = 1_000_000
    """Size of a body, unpacked."""
    max_arcs: int = 5_000
    """Arcs of a lattice."""
    max_nodes: int = 5_000
    """Nodes of a lattice."""
    max_depth: int = 400
    """Arcs on the longest path of a lattice."""
    concurrency: int = 1
    """Lattices rescored at one time, each on a thread. More help with ONNX graphs; n-grams want more replicas."""
    queue: int = 16
    """Requests that wait for their turn; one more is sent away."""
    seconds: float = 2.0
    """What a request may take, body, waiting and rescoring together."""
    retry_after: int = 1
    """Seconds that a client that was sent away is told to wait."""
    paths: int = 10
    """Paths of an answer."""

    def __post_init__(self) -> None:
        for name in (
            "max_body_bytes",
            "max_unpacked_bytes",
            "max_arcs",
            "max_nodes",
            "max_depth",
            "concurrency",
            "paths",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.queue < 0 or self.retry_after < 0 or not self.seconds > 0:
            raise ValueError("queue and retry_after must be 0 or more, seconds more than 0")

    @property
    def lattice(self) -> Limits:
        """What a lattice may be."""
        return Limits(
            max_bytes=self.max_unpacked_bytes,
            max_nodes=self.max_nodes,
            max_arcs=self.max_arcs,
            max_depth=self.max_depth,
        )


class RefusedError(Exception):
    """A request that gets no words: the status to answer with, and one line why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


async def read_body(parts: AsyncIterator[bytes], encoding: str, length: str | None, limits: ServiceLimits) -> bytes:
    """Return a body, unpacked; never holds more than the limits.

    Raises:
        RefusedError: too large (413), packed in an unknown way (415), or damaged (400).
    """
    if encoding not in ENCODINGS:
        raise RefusedError(415, f"content encoding; expected one of {', '.join(ENCODINGS)}")
    too_large = RefusedError(413, f"the body is larger than {limits.max_body_bytes} bytes")
    if length is not None and (not length.isdecimal() or len(length) > 15 or int(length) > limits.max_body_bytes):
        raise too_large
    body = bytearray()
    async for part in parts:
        body += part
        if len(body) > limits.max_body_bytes:
            raise too_large
    return unpack(bytes(body), encoding, limits.max_unpacked_bytes)


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the unpacked body of at most ``limit`` bytes.

    Raises:
        RefusedError: larger (413), damaged (400), or zstd without the package (415).
    """
    if encoding == "gzip":
        unpacked = _gunzip(body, limit)
    elif encoding == "zstd":
        unpacked = _unzstd(body, limit)
    else:
        unpacked = body
    if len(unpacked) > limit:
        raise RefusedError(413, f"the body unpacks to more than {limit} bytes")
    return unpacked


def _gunzip(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise RefusedError(400, "the body is no gzip") from None
    if len(unpacked) <= limit and (not unpacker.eof or unpacker.unused_data):
        raise RefusedError(400, "the body is cut off, or more than one gzip")
    return unpacked


def _unzstd(body: bytes, limit: int) -> bytes:
    try:
        import zstandard  # noqa: PLC0415 (an extra)
    except ImportError:
        raise RefusedError(415, "content encoding; this service has no zstd") from None
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**23).stream_reader(body) as reader:
            return bytes(reader.read(limit + 1))
    except zstandard.ZstdError:
        raise RefusedError(400, "the body is no zstd") from None
