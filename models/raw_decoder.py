"""Raw samples that are handed over as bytes, piece by piece."""

from .pcm import RawFormat, decode
from .samples import AudioConverter, Channel, Samples


class RawDecoder:
    """Bytes of one format, cut anywhere, to mono float32 at ``SAMPLE_RATE``."""

    def __init__(self, form: RawFormat, channel: Channel = "mix", *, source: str = "raw audio") -> None:
        """Begin a stream.

        Args:
            form: how the samples are written.
            channel: the one to hear, from 1 on, or ``mix``.
            source: what messages name.

        Raises:
            AudioError: a rate or channel that is not possible.
        """
        self.format = form
        """How the samples are written."""
        self._converter = AudioConverter(form.rate, channel, source=source)
        self._rest = b""

    def decode(self, data: bytes) -> Samples:
        """Return the samples [n] that are complete now.

        Raises:
            AudioError: a float sample is not a finite number, or far outside of [-1, 1].
        """
        size = self.format.frame_bytes
        data = self._rest + data
        whole = len(data) // size * size
        self._rest = data[whole:]
        return self._converter.accept(decode(data[:whole], self.format))

    def finish(self) -> Samples:
        """End the stream; return the samples that were held back. One that was cut is dropped."""
        self._rest = b""
        return self._converter.finish()
