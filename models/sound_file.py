"""Compressed audio through libsndfile (soundfile), forward only: from a file, or from a pipe as it comes."""

import contextlib
import ctypes
import os
import platform
import queue
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile

from .byte_stream import READ_BYTES, ByteStream
from .errors import AudioError
from .pcm import PLACEHOLDER
from .samples import Frames

UNKNOWN_FRAMES = 2**40
"""A header that promises more does not know."""
PIPE_SECONDS = 0.1
"""Audio of a pipe that is handed on together."""
WAITING_BLOCKS = 8
"""Blocks of a pipe that may wait."""
SHOULD_BE = re.compile(r"(?:riff|data) *: (\d+) \(should be (\d+)\)", re.IGNORECASE)
"""What libsndfile notes of a header that promises more bytes than there are."""
FAR = 1 << 62
"""Where a pipe would end."""


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file in which nothing is sought: seeking to where one is changes what an MP3 decodes to."""

    def seekable(self) -> bool:
        return False

    def forward(self, count: int) -> tuple[Frames, Exception | None]:
        """Return the next frames, none at the end, and what is broken after them."""
        out: Frames = np.full((count, self.channels), np.nan, np.float32)
        is_mpeg = self.format == "MP3"
        with quiet_mpg123() if is_mpeg else contextlib.nullcontext():
            try:
                return self.read(count, "float32", always_2d=True, out=out), None
            except Exception as error:  # noqa: BLE001 (whatever a library makes of a broken file, the file is broken)
                # what was decoded before the break is there
                broken = np.flatnonzero(np.isnan(out[:, 0]))
                why = soundfile.SoundFileError("what follows is not whole, or not MP3") if is_mpeg else error
                return out[: broken[0] if len(broken) else count], why


class SoundFileReader:
    """A regular file, as libsndfile reads it."""

    def __init__(self, path: str | Path | None, fd: int, *, trusted: bool) -> None:
        """Open a file, whose header may be ``trusted`` to know its length; raises what soundfile raises."""
        self.problem: Exception | None = None
        with quiet_mpg123():
            # by its path: what has no header (.gsm, .vox) is known by the end of its name. But .raw would be believed.
            if path is not None and not str(path).lower().endswith(".raw"):
                self._file = _Forward(os.fsencode(path))
            else:
                self._file = _Forward(fd, closefd=False)
        self.rate, self.channels = float(self._file.samplerate), int(self._file.channels)
        frames = int(self._file.frames)
        self.promised = frames if trusted and 0 < frames < UNKNOWN_FRAMES else None
        told = SHOULD_BE.search(self._file.extra_info)
        if told and self.promised and 0 < int(told[2]) < int(told[1]) < PLACEHOLDER:
            self.promised = self.promised * int(told[1]) // int(told[2])

    def read(self, count: int) -> Frames:
        """Return the next frames [n, channels], none at the end; ``problem`` says what is broken after them."""
        if self.problem is not None:
            return np.zeros((0, self.channels), np.float32)
        frames, self.problem = self._file.forward(count)
        return frames

    def stop(self) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """Close the file."""
        with quiet_mpg123():
            self._file.close()


class Bytes(Protocol):
    """Where bytes come from, one after the other; a ``ByteStream``, or a part of one."""

    name: str

    def read(self, count: int) -> bytes: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102


class PipeReader:
    """What comes through a pipe, as libsndfile reads it: in threads, since it waits where no signal is heard.

    One thread hands the bytes on through a pipe of its own, behind those that were looked at; the other decodes.
    """

    def __init__(self, stream: Bytes, *, window: bool) -> None:
        """Wait for the header.

        Args:
            stream: the bytes.
            window: whether libsndfile is to see a file of which it may look at the beginning again (FLAC: from a
                pipe it would lose the first bytes).

        Raises:
            AudioError: what comes is not what it seemed.
        """
        self._stream, self._window = stream, window
        self._blocks: queue.Queue[Frames | tuple[float, int, int] | Exception | None] = queue.Queue(WAITING_BLOCKS)
        self._over = False
        self.problem: Exception | None = None
        self._ends = None if window else os.pipe()
        self._threads = [threading.Thread(target=self._decode, name="nearword decoder", daemon=True)]
        if not window:
            self._threads.append(threading.Thread(target=self._pass_on, name="nearword bytes", daemon=True))
        for thread in self._threads:
            thread.start()
        try:
            first = self._blocks.get()
        except BaseException:
            self.close()
            raise
        if not isinstance(first, tuple):
            self.close()
            raise first if isinstance(first, Exception) else AudioError(stream.name, "there is no audio in it")
        self.rate, self.channels, frames = first
        self.promised = frames if 0 < frames < UNKNOWN_FRAMES else None
        self._rest: Frames = np.zeros((0, self.channels), np.float32)

    def read(self, count: int) -> Frames:
        """Return frames [n, channels] that are there, ``count`` at most, waiting for the first; none at the end."""
        if not len(self._rest) and not self._over:
            item = self._blocks.get()
            if isinstance(item, np.ndarray):
                self._rest = item
            else:
                self._over = True
                self.problem = item if isinstance(item, Exception) else None
        frames, self._rest = self._rest[:count], self._rest[count:]
        return frames

    def stop(self) -> None:
        """End the stream where it is, from any thread."""
        self._stream.stop()

    def join(self) -> None:
        """Wait for the threads, after the last frame was read."""
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """End the threads."""
        self._over = True
        self._stream.stop()
        while any(thread.is_alive() for thread in self._threads):
            with contextlib.suppress(queue.Empty):
                self._blocks.get(timeout=0.02)

    def _decode(self) -> None:
        problem: Exception | None = None
        source: Any = self._ends[0] if self._ends is not None else None
        try:
            if isinstance(self._stream, ByteStream) and source is None:
                source = _Window(self._stream)
            # mpg123 has nothing to say of what it has not begun to decode
            with _Forward(source) as file:
                self._blocks.put((float(file.samplerate), int(file.channels), int(file.frames)))
                count = max(1, round(file.samplerate * PIPE_SECONDS))
                while problem is None and not self._over:
                    frames, problem = file.forward(count)
                    if not len(frames):
                        break
                    self._blocks.put(frames)
        except Exception as error:  # noqa: BLE001 (whatever a library raises is told where the audio is read)
            problem = error
        finally:
            if self._ends is not None:
                with contextlib.suppress(OSError):
                    os.close(self._ends[0])
        self._blocks.put(problem)

    def _pass_on(self) -> None:
        assert self._ends is not None  # noqa: S101 (this thread is only begun with them)
        into = self._ends[1]
        try:
            while data := self._stream.read(READ_BYTES):
                while data:
                    data = data[os.write(into, data) :]
        except (OSError, AudioError):
            pass  # the decoder has ended, or what came is lost: either way there is no more
        finally:
            os.close(into)


class _Window:
    """A stream that seems a file: its beginning can be read again, and its end is far away."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._kept = stream.peek(READ_BYTES // 16)
        self._position = 0
        self._taken = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, FAR)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = len(buffer)
        if self._position < len(self._kept) and self._position < self._taken:
            data = self._kept[self._position : min(self._taken, self._position + count)]
        elif self._position == self._taken:
            try:
                data = self._stream.exactly(count)
            except AudioError:
                data = b""
            self._taken += len(data)
        else:
            return 0
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def read(self, count: int) -> bytes:
        buffer = bytearray(count)
        return bytes(buffer[: self.readinto(buffer)])


_streams_lock = threading.Lock()
_quiet = 0
_standard_error: int | None = None


@contextmanager
def quiet_mpg123() -> Iterator[None]:
    """Keep what mpg123 says of broken files off standard error: soundfile has no way to ask it to be silent.

    C's own ``stderr`` leads nowhere meanwhile; Python's ``sys.stderr`` and file descriptor 2 are as they were.
    """
    global _quiet, _standard_error  # noqa: PLW0603 (C has one stderr for the whole process)
    slot = _c_stderr()
    if slot is None:
        yield
        return
    with _streams_lock:
        if _quiet == 0:
            _standard_error = slot.value
            slot.value = _nowhere()
        _quiet += 1
    try:
        yield
    finally:
        with _streams_lock:
            _quiet -= 1
            if _quiet == 0:
                slot.value = _standard_error


def _c_stderr() -> "ctypes.c_void_p | None":
    """Return C's variable ``stderr``, which glibc and macOS let one set."""
    names = {"Darwin": "__stderrp", "Linux": "stderr" if platform.libc_ver()[0] == "glibc" else None}
    name = names.get(platform.system())
    return None if name is None else ctypes.c_void_p.in_dll(ctypes.CDLL(None), name)


def _nowhere() -> int:
    """Return a C stream that leads nowhere, always the same."""
    global _null  # noqa: PLW0603
    if _null is None:
        library = ctypes.CDLL(None)
        library.fopen.restype = ctypes.c_void_p
        _null = int(library.fopen(os.devnull.encode(), b"w"))
    return _null


_null: int | None = None
