"""Files of all kinds with the same short sound, made here, and pipes to hear them from."""

import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
SOUND = np.round(6000 * np.sin(np.arange(9600) / 9) * np.linspace(0.2, 1, 9600)).astype(np.int16)
"""0.6 s, 16 kHz mono."""
DATA = SOUND.astype("<i2").tobytes()
PCM = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
LIST = b"LIST" + struct.pack("<I", 12) + b"INFOISFT" + bytes(4)
HAS_FFMPEG = shutil.which("ffmpeg") is not None


def wav(
    size: int = len(DATA),
    riff: int | None = None,
    *,
    form: bytes = PCM,
    before: bytes = b"",
    data: bytes = DATA,
    after: bytes = b"",
) -> bytes:
    """A WAV file with what its header says of its length."""
    head = b"RIFF" + struct.pack("<I", min(36 + size, 0xFFFFFFFF) if riff is None else riff) + b"WAVE"
    return (
        head + b"fmt " + struct.pack("<I", len(form)) + form + before + b"data" + struct.pack("<I", size) + data + after
    )


def rf64(size: int = len(DATA), after: bytes = b"") -> bytes:
    ds64 = struct.pack("<IQQQI", 28, size + 72, size, size // 2, 0)
    head = b"RF64\xff\xff\xff\xffWAVEds64" + ds64 + b"fmt " + struct.pack("<I", 16) + PCM
    return head + b"data\xff\xff\xff\xff" + DATA + after


def aiff(frames: int = len(SOUND), size: int = len(DATA) + 8) -> bytes:
    common = struct.pack(">IhIh", 18, 1, frames, 16) + struct.pack(">HQ", 16383 + 13, RATE << 50)
    sound = b"SSND" + struct.pack(">III", size, 0, 0) + SOUND.astype(">i2").tobytes()
    return b"FORM" + struct.pack(">I", min(size + 38, 0xFFFFFFFF)) + b"AIFFCOMM" + common + sound


def au(size: int = len(DATA)) -> bytes:
    return struct.pack(">4s5I", b".snd", 24, size, 3, RATE, 1) + SOUND.astype(">i2").tobytes()


def caf(size: int = len(DATA) + 4, after: bytes = b"") -> bytes:
    form = struct.pack(">d4s5I", RATE, b"lpcm", 0, 2, 1, 1, 16)
    head = b"caff\0\1\0\0desc" + struct.pack(">q", 32) + form + b"data" + struct.pack(">qI", size, 0)
    return head + SOUND.astype(">i2").tobytes() + after


def extensible(tag: int, width: int, *, channels: int = 1) -> bytes:
    """The description of WAVE_FORMAT_EXTENSIBLE."""
    block = channels * width
    head = struct.pack("<HHIIHHHHI", 0xFFFE, channels, RATE, RATE * block, block, 8 * width, 22, 8 * width, 4)
    return head + struct.pack("<H", tag) + bytes.fromhex("000000001000800000aa00389b71")


EXACT = {
    "wav": wav(),
    "wav of a stream, 0": wav(0, 0),
    "wav of a stream, 0 and 36": wav(0, 36),
    "wav of a stream, -1": wav(0xFFFFFFFF),
    "wav of a stream, 2 GB": wav(0x7FFFFFFF),
    "wav of arecord": wav(0x80000000),
    "wav of sox": wav(0x7FFFFFDB),
    "wav with chunks before and after": wav(before=LIST, after=LIST),
    "wav with a large chunk before": wav(before=b"JUNK" + struct.pack("<I", 200_000) + bytes(200_000)),
    "extensible wav": wav(form=extensible(1, 2)),
    "wav of 32 bits": wav(2 * len(DATA), form=extensible(1, 4), data=(SOUND.astype("<i4") << 16).tobytes()),
    "wav of floats": wav(
        2 * len(DATA), form=extensible(3, 4), data=(SOUND / np.float32(32768)).astype("<f4").tobytes()
    ),
    "wav of doubles": wav(4 * len(DATA), form=extensible(3, 8), data=(SOUND / 32768).astype("<f8").tobytes()),
    "rf64": rf64(after=LIST),
    "rf64 of a stream": rf64(0),
    "aiff": aiff(),
    "aiff of a stream, 0": aiff(0, 0),
    "aiff of a stream, 8": aiff(0, 8),
    "aiff of a stream, -1": aiff(0xFFFFFFFF, 0xFFFFFFFF),
    "aiff of sox": aiff(0x3F800000, 0x7F000008),
    "au": au(),
    "au of a stream": au(0xFFFFFFFF),
    "au of 0": au(0),
    "caf": caf(after=b"info" + struct.pack(">q", 4) + bytes(4)),
    "caf of a stream": caf(-1),
}
"""Files that hold the sound as it is."""


def written(folder: Path, form: str, subtype: str | None = None) -> bytes:
    """The sound as libsndfile writes it."""
    path = folder / f"written.{form}.{subtype}"
    soundfile.write(path, SOUND / 32768, RATE, format=form, subtype=subtype)
    return path.read_bytes()


def encoded(folder: Path, *arguments: str) -> bytes:
    """The sound as ffmpeg writes it; the last argument is the file's name."""
    (folder / "sound.wav").write_bytes(wav())
    *options, name = arguments
    command = ["ffmpeg", "-y", "-v", "error", "-i", folder / "sound.wav", *options, folder / name]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return (folder / name).read_bytes()


@contextmanager
def piped(data: bytes, piece: int = 1 << 16) -> Iterator[int]:
    """A pipe in which data come piece by piece: its end to read from."""
    out, into = os.pipe()

    def write() -> None:
        try:
            for start in range(0, len(data), piece):
                os.write(into, data[start : start + piece])
        except BrokenPipeError:
            pass
        finally:
            os.close(into)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield out
    finally:
        os.close(out)
        thread.join()
