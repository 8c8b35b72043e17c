"""What kind of file bytes are, by what they begin with."""

from dataclasses import dataclass
from enum import Enum

from .byte_stream import READ_BYTES, ByteStream

LOOK_BYTES = 64
"""So many first bytes tell a file from raw samples."""


class Reader(str, Enum):
    """What reads a kind of file."""

    pcm = "pcm"
    """``models.pcm``, or libsndfile where the samples are written in a rare way."""
    sndfile = "sndfile"
    """libsndfile, from a file or from a pipe."""
    ffmpeg = "ffmpeg"
    """An installed ffmpeg, from a file."""
    none = "none"
    """No audio."""


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    name: str
    """As in "this is ..."."""
    reader: Reader


WAV = Kind("a WAV file", Reader.pcm)
AIFF = Kind("an AIFF file", Reader.pcm)
AU = Kind("an AU file", Reader.pcm)
CAF = Kind("a CAF file", Reader.pcm)
FLAC = Kind("a FLAC file", Reader.sndfile)
OGG = Kind("an Ogg file", Reader.sndfile)
MP3 = Kind("an MP3 file", Reader.sndfile)
AAC = Kind("an AAC file", Reader.ffmpeg)
TEXT = Kind("text", Reader.none)
_FFMPEG = Reader.ffmpeg
_NONE = Reader.none
BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"fLaC", FLAC),
    (b"OggS", OGG),
    (b".snd", AU),
    (b"dns.", AU),
    (b"caff", CAF),
    (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", Kind("a Wave64 file", Reader.sndfile)),
    *((b"\x64\xa3" + bytes((n, 0)), Kind("an IRCAM file", Reader.sndfile)) for n in (1, 2, 3, 4)),
    *((b"\0" + bytes((n,)) + b"\xa3\x64", Kind("an IRCAM file", Reader.sndfile)) for n in (1, 2, 3, 4)),
    (b"NIST_1A\n", Kind("a NIST Sphere file", Reader.sndfile)),
    (b"Creative Voice File\x1a", Kind("a VOC file", Reader.sndfile)),
    (b"\x1a\x45\xdf\xa3", Kind("a Matroska file (mkv, webm)", _FFMPEG)),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("a Windows Media file (wma)", _FFMPEG)),
    (b"#!AMR", Kind("an AMR file", _FFMPEG)),
    (b"FLV\x01", Kind("a Flash video", _FFMPEG)),
    (b"wvpk", Kind("a WavPack file", _FFMPEG)),
    (b"MAC ", Kind("a Monkey's Audio file", _FFMPEG)),
    (b"TTA1", Kind("a True Audio file", _FFMPEG)),
    (b"TTA2", Kind("a True Audio file", _FFMPEG)),
    (b"MPCK", Kind("a Musepack file", _FFMPEG)),
    (b"MP+", Kind("a Musepack file", _FFMPEG)),
    (b".RMF", Kind("a RealMedia file", _FFMPEG)),
    (b"\x0b\x77", Kind("an AC-3 file", _FFMPEG)),
    (b"\x7f\xfe\x80\x01", Kind("a DTS file", _FFMPEG)),
    (b"DSD ", Kind("a DSD file", _FFMPEG)),
    (b"\x00\x00\x01\xba", Kind("an MPEG video", _FFMPEG)),
    (b"PK\x03\x04", Kind("a zip archive", _NONE)),
    (b"\x1f\x8b\x08", Kind("a gzip archive", _NONE)),
    (b"BZh", Kind("a bzip2 archive", _NONE)),
    (b"\xfd7zXZ\0", Kind("an xz archive", _NONE)),
    (b"\x28\xb5\x2f\xfd", Kind("a zstd archive", _NONE)),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", _NONE)),
    (b"Rar!\x1a\x07", Kind("a rar archive", _NONE)),
    (b"%PDF-", Kind("a PDF document", _NONE)),
    (b"\x89PNG\r\n", Kind("a picture", _NONE)),
    (b"\xff\xd8\xff\xe0", Kind("a picture", _NONE)),
    (b"\xff\xd8\xff\xe1", Kind("a picture", _NONE)),
    (b"GIF8", Kind("a picture", _NONE)),
    (b"\x7fELF", Kind("a program", _NONE)),
    (b".SoX", Kind("a SoX file", _FFMPEG)),
    (b"XoS.", Kind("a SoX file", _FFMPEG)),
    (b"nut/multimedia container\0", Kind("a NUT file", _FFMPEG)),
    (b"MThd", Kind("a MIDI file, which holds notes", _NONE)),
    (b"SQLite format 3\0", Kind("a database", _NONE)),
)
_MPEG4 = (b"ftyp", b"moov", b"mdat", b"moof", b"wide", b"styp", b"pnot")
_FORMS = {b"AIFF": AIFF, b"AIFC": AIFF, b"8SVX": Kind("an 8SVX file", Reader.sndfile)}
_RIFFS = {b"WAVE": WAV, b"AVI ": Kind("an AVI video", _FFMPEG)}


def look(stream: ByteStream) -> Kind | None:
    """Return what a stream begins as; None: raw samples, or what is not known.

    An ID3 tag is taken: what it is about follows.
    """
    tagged = skip_tag(stream)
    head = stream.peek(LOOK_BYTES)
    if tagged and not head.startswith(b"fLaC"):
        return _synchronised(stream) or MP3
    found = next((kind for magic, kind in BEGINNINGS if head.startswith(magic)), None)
    if found is not None:
        return found
    if head[4:8] in _MPEG4:
        return Kind("an MPEG-4 file (m4a, mp4, 3gp, mov)", _FFMPEG)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _RIFFS.get(head[8:12], Kind("a RIFF file that holds no audio", _NONE))
    if head[:4] == b"FORM":
        return _FORMS.get(head[8:12], Kind("an IFF file that holds no audio", _NONE))
    return _synchronised(stream) or (TEXT if is_text(head) else None)


def skip_tag(stream: ByteStream) -> bool:
    """Take an ID3v2 tag, which may hold a picture; returns whether there was one."""
    head = stream.peek(10)
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 127:
        return False
    left = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    while left and (part := stream.read(min(left, READ_BYTES))):
        left -= len(part)
    return True


def _synchronised(stream: ByteStream) -> Kind | None:
    """Return what has no header: frames of MP3 or AAC, or packets of a transport stream, each where the last ends."""
    head = stream.peek(LOOK_BYTES)
    if head[:1] == b"\x47" and stream.peek(377)[188::188] == b"\x47\x47":
        return Kind("an MPEG transport stream", _FFMPEG)
    for kind, length_of in ((MP3, mpeg_frame), (AAC, _adts_frame)):
        length = length_of(head)
        if length:
            following = stream.peek(length + 8)[length:]
            same = len(following) >= 4 and following[0] == head[0] and (following[1] ^ head[1]) & 0xFE == 0
            if same and length_of(following):
                return kind
    return None


_BIT_RATES = {
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Thousand bits per second by version (3: MPEG-1, else 2) and layer (3: I, 2: II, 1: III)."""
_RATES = (44100, 48000, 32000)


def mpeg_frame(head: bytes) -> int:
    """Return the bytes of an MPEG audio frame (ISO 11172-3, 13818-3), 0 if it is none."""
    if len(head) < 4:
        return 0
    word = int.from_bytes(head[:4], "big")
    version, layer, rate_index, rate = word >> 19 & 3, word >> 17 & 3, word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or layer == 0 or rate_index in (0, 15) or rate == 3:
        return 0
    rates = _BIT_RATES[3, layer] if version == 3 else _BIT_RATES[2, 3 if layer == 3 else 2]
    bits, samples = rates[rate_index - 1] * 1000, _RATES[rate] >> (3 - version if version else 2)
    padding = word >> 9 & 1
    if layer == 3:
        return (12 * bits // samples + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits // samples + padding


def _adts_frame(head: bytes) -> int:
    """Return the bytes of an AAC frame in ADTS, 0 if it is none."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


def is_text(head: bytes) -> bool:
    """Whether all bytes are those of text: samples of 16 bits never are for so long."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").replace("\ufeff", "").encode("ascii", "replace").replace(b"?", b"\0")
    words = head.decode("utf-8", "ignore")
    # what is cut at the end is not held against it
    return len(words.encode()) > max(0, len(head) - 4) and all(
        c.isprintable() or c in "\ufeff\t\r\n\f\x1b" for c in words
    )
