"""Ogg as it is (RFC 3533): links one after the other, of which libsndfile hears the first alone, and pages.

Radio streams begin a new link with every song; files are made by ``cat``.
"""

from typing import TYPE_CHECKING

from .byte_stream import ByteStream
from .errors import AudioError
from .samples import Frames

if TYPE_CHECKING:
    from .sound_file import PipeReader

HEAD_BYTES = 27
FIRST, LAST = 2, 4
"""Flags of the first page of a link, and of its last."""


def is_one_link(stream: ByteStream) -> bool:
    """Whether a regular file holds a single link, and all of it up to its last page."""
    place, begun, flags = 0, False, 0
    while head := stream.glance(place, HEAD_BYTES + 255):
        if len(head) < HEAD_BYTES or head[:4] != b"OggS" or (head[5] & FIRST and begun):
            return False
        flags, segments = head[5], head[26]
        begun |= not flags & FIRST
        place += HEAD_BYTES + segments + sum(head[HEAD_BYTES : HEAD_BYTES + segments])
    return bool(flags & LAST) and place <= (stream.size or 0) - stream.taken


class OggLink:
    """The bytes of one link of a stream, read as a ``ByteStream`` is."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream, self.name = stream, stream.name
        self._left = 0
        """Bytes of this page that are not read yet."""
        self._begun = self._over = False
        self.is_whole = False
        """Whether the last page that was read says that it is the last."""

    def read(self, count: int) -> bytes:
        """Return at most ``count`` bytes, none at the end of the link; raises as ``ByteStream.read``."""
        if not self._left and not self._over:
            self._left = self._next_page()
        data = self._stream.read(min(count, self._left)) if self._left else b""
        self._left -= len(data)
        self.is_whole &= bool(data) or not self._left
        return data

    def _next_page(self) -> int:
        """Return the bytes of the next page, none if it is of the next link."""
        head = self._stream.peek(HEAD_BYTES)
        if len(head) < HEAD_BYTES or head[:4] != b"OggS":
            # a page was lost, or no page follows: libsndfile knows what to make of it
            self._over = not head
            self.is_whole &= not head
            return len(head)
        if head[5] & FIRST and self._begun:
            self._over = True
            return 0
        self._begun |= not head[5] & FIRST
        self.is_whole = bool(head[5] & LAST)
        segments = head[26]
        return HEAD_BYTES + segments + sum(self._stream.peek(HEAD_BYTES + segments)[HEAD_BYTES:])

    def stop(self) -> None:
        """End the stream where it is, from any thread."""
        self._stream.stop()


def _reader_of(link: OggLink) -> "PipeReader":
    from .sound_file import PipeReader  # noqa: PLC0415 (only where there is Ogg)

    return PipeReader(link, window=False)


class OggReader:
    """All links of an Ogg stream, one after the other, as libsndfile reads them."""

    def __init__(self, stream: ByteStream) -> None:
        """Wait for the header; raises as ``PipeReader``."""
        self._stream, self._link = stream, OggLink(stream)
        self._reader = _reader_of(self._link)
        self.rate, self.channels = self._reader.rate, self._reader.channels
        self.promised: int | None = None
        self.problem: Exception | None = None

    @property
    def is_whole(self) -> bool:
        """Whether what was read ends where a link says that it ends."""
        return self._link.is_whole

    def read(self, count: int) -> Frames:
        """Return frames [n, channels] that are there, ``count`` at most, waiting for the first; none at the end."""
        frames = self._reader.read(count)
        while not len(frames) and self.problem is None:
            self.problem = self._reader.problem
            if self.problem is not None or not self._goes_on():
                break
            frames = self._reader.read(count)
        return frames

    def _goes_on(self) -> bool:
        """Begin the next link, if there is one."""
        self._reader.join()
        while self._link.read(1 << 16):  # what libsndfile had no use for
            pass
        if not self._stream.peek(1):
            return False
        self._link = OggLink(self._stream)
        try:
            reader = _reader_of(self._link)
        except Exception:  # noqa: BLE001 (whatever libsndfile makes of it, what came before is whole)
            if self._link.is_whole:
                self.problem = AudioError(self._stream.name, "what follows is no Ogg that can be read")
            return False
        self._reader = reader
        if (reader.rate, reader.channels) == (self.rate, self.channels):
            return True
        self.problem = AudioError(
            self._stream.name,
            f"it goes on with {reader.channels} channels at {reader.rate:g} Hz, not {self.channels} at {self.rate:g}",
        )
        return False

    def stop(self) -> None:
        """End the stream where it is, from any thread."""
        self._stream.stop()

    def close(self) -> None:
        """End the threads."""
        self._reader.close()
