"""Raw samples as they come over a socket: any rate, width and number of channels to 16 kHz mono."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...models.samples import AudioConverter, Samples
from .errors import ProtocolError

MAX_CHANNELS = 32
"""More channels are no microphone."""
ENCODINGS = ("int", "float", "ulaw", "alaw")


@dataclass(frozen=True)
class PcmFormat:
    """How raw samples are written.

    Raises:
        ProtocolError: a value is out of range; names it.
    """

    rate: int = 16_000
    """Samples per second, 1,000 to 768,000."""
    width: int = 2
    """Bytes per sample: 1 (unsigned), 2, 3 or 4 (signed, little-endian); floats have 4 or 8, G.711 has 1."""
    channels: int = 1
    """Interleaved channels; they are averaged."""
    encoding: str = "int"
    """One of ``ENCODINGS``: integers, floats in [-1, 1], or G.711."""

    def __post_init__(self) -> None:
        for name, low, high in (("rate", 1_000, 768_000), ("channels", 1, MAX_CHANNELS)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ProtocolError(f"{name} is {value!r:.40}: expected {low} to {high}")
        widths = {"int": (1, 2, 3, 4), "float": (4, 8), "ulaw": (1,), "alaw": (1,)}.get(str(self.encoding))
        if widths is None:
            raise ProtocolError(f"encoding is {self.encoding!r:.40}: expected one of {', '.join(ENCODINGS)}")
        if isinstance(self.width, bool) or self.width not in widths:
            raise ProtocolError(f"width is {self.width!r:.40}: expected {' or '.join(map(str, widths))} bytes")


class PcmDecoder:
    """Bytes of one format, cut anywhere, to samples."""

    def __init__(self, form: PcmFormat, name: str = "audio") -> None:
        self.format = form
        self._converter = AudioConverter(form.rate, source=name)
        self._rest = b""

    def decode(self, data: bytes) -> Samples:
        """Return the samples [n], 16 kHz mono float32 in [-1, 1], that are complete now.

        Raises:
            AudioError: a float sample is no number, or far outside of [-1, 1].
        """
        form = self.format
        size = form.width * form.channels
        data = self._rest + data
        whole = len(data) // size * size
        self._rest = data[whole:]
        return self._converter.accept(_values(data[:whole], form).reshape(-1, form.channels))

    def finish(self) -> Samples:
        """Return what is held back yet; a sample that was cut is dropped."""
        self._rest = b""
        return self._converter.finish()


def _values(data: bytes, form: PcmFormat) -> npt.NDArray[np.generic]:
    """Return interleaved values, integers in the full scale of their type."""
    if form.encoding == "float":
        return np.frombuffer(data, f"<f{form.width}")
    if form.encoding in _TABLES:
        return _TABLES[form.encoding][np.frombuffer(data, np.uint8)]
    if form.width == 1:
        return np.frombuffer(data, np.uint8)
    if form.width == 3:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return padded.reshape(-1).view("<i4")
    return np.frombuffer(data, f"<i{form.width}")


def _ulaw_table() -> Samples:
    """Return the 256 values of G.711 mu-law, in [-1, 1]."""
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = (((code & 15).astype(np.int32) << 3) + 132 << ((code >> 4) & 7).astype(np.int32)) - 132
    return np.asarray(np.where(code & 128, -magnitude, magnitude) / 32768, np.float32)


def _alaw_table() -> Samples:
    """Return the 256 values of G.711 A-law, in [-1, 1]."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, mantissa + 264 << np.maximum(exponent - 1, 0))
    return np.asarray(np.where(code & 128, magnitude, -magnitude) / 32768, np.float32)


_TABLES = {"ulaw": _ulaw_table(), "alaw": _alaw_table()}
