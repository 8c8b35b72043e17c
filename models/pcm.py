"""Samples as bytes, and the headers of the files that hold them as they are: WAV, AIFF, AU and CAF.

libsndfile reads these too, but not all of them from a pipe (CAF, RF64), and where a header was written before the
length was known it takes a placeholder for a length, or for no audio at all. Here such a stream goes on until it ends.
"""

import re
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .byte_stream import ByteStream
from .errors import AudioError
from .samples import MOST_CHANNELS, SAMPLE_RATE, Frames

ENCODINGS = ("int8", "uint8", "int16", "int24", "int32", "float32", "float64", "alaw", "mulaw")
"""How samples are written, little-endian; ``be`` at the end says big-endian."""
PLACEHOLDER = 0x7F000000
"""A length of so many bytes, or more, in 32 bits was written before the length was known."""
NO_SAMPLES = "there is no audio in the file: it ends within its header"
AFTER_SAMPLES = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"JUNK", b"fact", b"cue ", b"NAME", b"ANNO")
"""What follows where there are truly no samples."""
HEADER_BYTES = 1 << 20
"""What may come before the description of the samples."""
_NAME = re.compile(r"(s|u|f|int|uint|float)(8|16|24|32|64)(le|be)?")
_KINDS = {"s": "int", "u": "uint", "f": "float"}


@dataclass(frozen=True)
class RawFormat:
    """How raw samples are written, which bytes do not say of themselves."""

    encoding: str = "int16"
    """One of ``ENCODINGS``; ``be`` at its end says big-endian. Names such as s16le, S16_LE, f32be, u8, ulaw do too."""
    rate: float = SAMPLE_RATE
    """Samples per second."""
    channels: int = 1
    """Interleaved."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", find_encoding(self.encoding))
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise AudioError("raw audio", f"{self.channels} channels: expected 1 to {MOST_CHANNELS}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return sample_bytes(self.encoding) * self.channels


@dataclass(frozen=True)
class PcmHeader:
    """What the header of a file says of its samples."""

    form: RawFormat
    data_bytes: int | None
    """Bytes of samples that follow; None: until the end."""


def find_encoding(name: str) -> str:
    """Return the encoding that a name stands for in ffmpeg, sox, ALSA or numpy.

    Raises:
        AudioError: none.
    """
    if name in ("S24_LE", "S24_BE"):
        raise AudioError("raw audio", f"sample format {name}: ALSA has 4 bytes for it; record as S24_3LE or S32_LE")
    plain = re.sub(r"[^a-z0-9]", "", str(name).lower()).removeprefix("pcm")
    if plain in ("alaw", "mulaw", "ulaw"):
        return "alaw" if plain == "alaw" else "mulaw"
    plain = {"floatle": "f32", "floatbe": "f32be", "s243le": "s24", "s243be": "s24be"}.get(plain, plain)
    found = _NAME.fullmatch(plain)
    encoding = f"{_KINDS.get(found[1], found[1])}{found[2]}" if found else ""
    if found is None or encoding not in ENCODINGS:
        raise AudioError(
            "raw audio", f"sample format {name!r}: expected {', '.join(ENCODINGS)}, or big-endian: int16be"
        )
    return encoding + ("be" if found[3] == "be" and found[2] != "8" else "")


def sample_bytes(encoding: str) -> int:
    """Return the bytes of one sample."""
    found = re.search(r"\d+", encoding)
    return int(found[0]) // 8 if found else 1


def decode(data: bytes, form: RawFormat) -> Frames:
    """Return whole frames as float32 [n, channels]; integers by the scale of their type."""
    big = form.encoding.endswith("be")
    name = form.encoding.removesuffix("be")
    if name in ("alaw", "mulaw"):
        values: npt.NDArray[np.float32] = _companding(name)[np.frombuffer(data, np.uint8)]
    elif name == "uint8":
        values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    elif name == "int24":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        three = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide[:, 1:] = three[:, ::-1] if big else three
        values = wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    else:
        dtype = np.dtype(f"{'>' if big else '<'}{name[0]}{sample_bytes(name)}")
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.frombuffer(data, dtype).astype(np.float32)
        if name[0] == "i":
            values /= np.float32(2.0 ** (8 * dtype.itemsize - 1))
    return values.reshape(-1, form.channels)


@lru_cache
def _companding(name: str) -> npt.NDArray[np.float32]:
    """Return the values of the 256 codes of ITU-T G.711."""
    codes = np.arange(256)
    if name == "mulaw":
        flipped = ~codes & 0xFF
        exponent, mantissa = flipped >> 4 & 7, flipped & 15
        size = ((mantissa << 3) + 132 << exponent) - 132
    else:
        flipped = codes ^ 0x55
        exponent, mantissa = flipped >> 4 & 7, flipped & 15
        size = np.where(exponent == 0, (mantissa << 4) + 8, (mantissa << 4) + 264 << np.maximum(exponent - 1, 0))
    negative = flipped & 0x80 if name == "mulaw" else ~flipped & 0x80
    return (np.where(negative, -size, size) / 32768).astype(np.float32)


def read_header(stream: ByteStream) -> PcmHeader | None:
    """Take the header of a WAV, AIFF, AU or CAF file from a stream, so that its samples come next.

    Returns None, and takes nothing, where the samples are written in a way that ``decode`` does not know.

    Raises:
        AudioError: it ends before its samples begin.
    """
    magic = stream.peek(12)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and magic[8:] == b"WAVE":
        return _Wav(stream, big=magic[:4] == b"RIFX").read()
    if magic[:4] == b"FORM" and magic[8:] in (b"AIFF", b"AIFC"):
        return _Aiff(stream, big=True).read()
    if magic[:4] == b"caff":
        return _Caf(stream, big=True).read()
    return _read_au(stream) if magic[:4] in (b".snd", b"dns.") else None


def _read_au(stream: ByteStream) -> PcmHeader | None:
    head = stream.peek(24)
    if len(head) < 24:
        raise AudioError(stream.name, "ends within its header")
    big = head[:4] == b".snd"
    offset, size, code, rate, channels = struct.unpack(f"{'>' if big else '<'}5I", head[4:])
    known = {1: "mulaw", 2: "int8", 3: "int16", 4: "int24", 5: "int32", 6: "float32", 7: "float64", 27: "alaw"}
    form = _make(known.get(code), rate, channels, big=big)
    if form is None:
        return None
    _skip(stream, max(24, offset))
    return PcmHeader(form, None if size == 0 or size >= PLACEHOLDER else size)


def _make(encoding: str | None, rate: float, channels: int, *, big: bool) -> RawFormat | None:
    if encoding is None or not 1_000 <= rate <= 768_000 or not 1 <= channels <= MOST_CHANNELS:
        return None
    return RawFormat(encoding + ("be" if big and sample_bytes(encoding) > 1 else ""), rate, channels)


def _skip(stream: ByteStream, count: int) -> None:
    while count > 0:
        part = stream.read(min(count, 1 << 16))
        if not part:
            raise AudioError(stream.name, NO_SAMPLES)
        count -= len(part)


class _Chunks(ABC):
    """The chunks of a file, one after the other, up to the samples."""

    start = 12
    """Where the first one begins."""
    samples: bytes
    """Name of the one that holds them."""
    length = "I"
    """Type of a chunk's length."""
    lead = 0
    """Bytes in the chunk of the samples before them."""

    def __init__(self, stream: ByteStream, *, big: bool) -> None:
        self._stream, self._big = stream, big
        self._order = ">" if big else "<"
        self._form: RawFormat | None = None
        self._data_bytes: int | None = None

    def read(self) -> PcmHeader | None:
        """Return what the header says, as ``read_header`` does."""
        position, stream = self.start, self._stream
        # up to the description nothing is taken: another reader may have to begin anew
        while self._form is None:
            if position > HEADER_BYTES:
                raise AudioError(stream.name, "its header does not say how the samples are written")
            name, size = self._chunk(stream.peek(position + self._head_bytes)[position:])
            position += self._head_bytes
            seen = stream.peek(position + min(size, 256))[position:]
            if len(seen) < min(size, 16):
                raise AudioError(stream.name, NO_SAMPLES)
            if name == self.samples or not self.describe(name, seen):
                return None
            position += self._padded(size)
        _skip(stream, position)
        while True:
            name, size = self._chunk(stream.exactly(self._head_bytes))
            if name == self.samples:
                _skip(stream, self.lead)
                return self._sized(size)
            _skip(stream, self._padded(size))

    @property
    def _head_bytes(self) -> int:
        return 4 + struct.calcsize(self.length)

    def _chunk(self, head: bytes) -> tuple[bytes, int]:
        if len(head) < self._head_bytes:
            raise AudioError(self._stream.name, NO_SAMPLES)
        return head[:4], max(0, int(struct.unpack(self._order + self.length, head[4:])[0]))

    def _padded(self, size: int) -> int:
        return size + (size & 1 if self.length == "I" else 0)

    @abstractmethod
    def describe(self, name: bytes, body: bytes) -> bool:
        """Look at a chunk; False if it says that the samples are not for us."""

    def _sized(self, size: int) -> PcmHeader:
        """Return the header with the length of the samples, where it is none that was written before it was known."""
        assert self._form is not None  # noqa: S101 (``read`` has looked)
        stream = self._stream
        known = self.lead < size < PLACEHOLDER or stream.peek(4) in AFTER_SAMPLES
        known = known or (size >= PLACEHOLDER and (stream.size or 0) >= stream.taken + size - self.lead)
        return PcmHeader(self._form, max(0, size - self.lead) if known else None)


class _Wav(_Chunks):
    samples = b"data"

    def describe(self, name: bytes, body: bytes) -> bool:
        order = self._order
        if name == b"ds64" and len(body) >= 16:
            self._data_bytes = struct.unpack(order + "Q", body[8:16])[0]
        if name != b"fmt ":
            return True
        if len(body) < 16:
            return False
        tag, channels, rate, _, block, bits = struct.unpack(order + "HHIIHH", body[:16])
        if tag == 0xFFFE and len(body) >= 26:
            tag = struct.unpack(order + "H", body[24:26])[0]
        width = block // channels if channels else 0
        encoding = None
        if tag == 1 and width in (1, 2, 3, 4) and 8 * width - 8 < bits <= 8 * width:
            encoding = "uint8" if width == 1 else f"int{8 * width}"
        elif tag == 3 and width in (4, 8):
            encoding = f"float{8 * width}"
        elif tag in (6, 7) and width == 1:
            encoding = "alaw" if tag == 6 else "mulaw"
        self._form = _make(encoding, rate, channels, big=self._big)
        return self._form is not None

    def _sized(self, size: int) -> PcmHeader:
        found = super()._sized(size)
        if size == 0xFFFFFFFF and self._data_bytes and self._data_bytes < 1 << 60:
            return replace(found, data_bytes=self._data_bytes)
        return found


class _Aiff(_Chunks):
    samples = b"SSND"
    lead = 8

    def describe(self, name: bytes, body: bytes) -> bool:
        if name != b"COMM":
            return True
        if len(body) < 18:
            return False
        channels, _, bits, exponent, mantissa = struct.unpack(">HIHHQ", body[:18])
        rate = mantissa * 2.0 ** (exponent - 16383 - 63) if exponent < 16500 else 0.0
        width, coding = -(-bits // 8), body[18:22]
        whole = f"int{8 * width}" if 1 <= width <= 4 else None
        kinds = {
            b"": (whole, True), b"NONE": (whole, True), b"twos": (whole, True), b"sowt": (whole, False),
            b"in24": ("int24", True), b"in32": ("int32", True), b"42ni": ("int24", False), b"23ni": ("int32", False),
            b"raw ": ("uint8" if width == 1 else None, True),
            b"fl32": ("float32", True), b"fl64": ("float64", True), b"alaw": ("alaw", True), b"ulaw": ("mulaw", True),
        }  # fmt: skip
        known = b"" if self._stream.peeked[8:12] == b"AIFF" else coding if coding in kinds else coding.lower()
        encoding, big = kinds.get(known, (None, True))
        self._form = _make(encoding, rate, channels, big=big)
        return self._form is not None


class _Caf(_Chunks):
    samples = b"data"
    start = 8
    length = "q"
    lead = 4

    def describe(self, name: bytes, body: bytes) -> bool:
        if name != b"desc":
            return True
        if len(body) < 32:
            return False
        rate, coding, flags, packet, per_packet, channels, bits = struct.unpack(">d4s5I", body[:32])
        width = packet // channels if channels and per_packet == 1 else 0
        encoding = None
        if coding == b"lpcm" and width in (1, 2, 3, 4, 8) and 8 * width - 8 < bits <= 8 * width:
            encoding = f"{'float' if flags & 1 else 'int'}{8 * width}"
        elif coding in (b"alaw", b"ulaw") and width == 1:
            encoding = "alaw" if coding == b"alaw" else "mulaw"
        self._form = _make(encoding if encoding in ENCODINGS else None, rate, channels, big=not flags & 2)
        return self._form is not None

    def _sized(self, size: int) -> PcmHeader:
        assert self._form is not None  # noqa: S101
        return PcmHeader(self._form, size - self.lead if self.lead < size < 1 << 60 else None)
