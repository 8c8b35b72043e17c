"""Samples that are not compressed, from bytes as they come."""

from .byte_stream import READ_BYTES, ByteStream
from .pcm import PcmHeader, decode
from .samples import Frames


class PcmReader:
    """The samples behind a header, or a stream that has none."""

    def __init__(self, stream: ByteStream, header: PcmHeader) -> None:
        """Begin at the first sample."""
        self._stream, self._form = stream, header.form
        self._left = header.data_bytes
        self._rest = b""
        self.rate, self.channels = header.form.rate, header.form.channels
        self.promised = None if header.data_bytes is None else header.data_bytes // header.form.frame_bytes
        self.problem: Exception | None = None

    def read(self, count: int) -> Frames:
        """Return frames [n, channels] that are there, ``count`` at most, waiting for the first; none at the end.

        What is left of a frame at the end is dropped.
        """
        size = self._form.frame_bytes
        data = self._rest
        whole = 0
        while not whole:
            wanted = min(count * size - len(data), READ_BYTES if not self._stream.is_regular else count * size)
            if self._left is not None:
                wanted = min(wanted, self._left)
            part = self._stream.read(wanted) if wanted > 0 else b""
            if not part:
                break
            if self._left is not None:
                self._left -= len(part)
            data += part
            whole = len(data) // size * size
        self._rest = data[whole:]
        return decode(data[:whole], self._form)

    def stop(self) -> None:
        """End the stream where it is, from any thread."""
        self._stream.stop()

    def close(self) -> None:
        """Leave the stream, which is another's to close."""
