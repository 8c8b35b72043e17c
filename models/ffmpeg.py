"""What libsndfile does not read (m4a, mp4, webm, mkv, wma, amr and more), through an ffmpeg that is installed.

Found when it is needed, rather than an extra: its libraries as a Python package are larger than all of nearword, while
systems have the program, keep it safe by their updates, and a broken file breaks a process of its own.
"""

import re
import shutil
import subprocess
import tempfile

import numpy as np

from .byte_stream import ByteStream
from .containers import Kind
from .errors import AudioError
from .pcm import read_header
from .pcm_reader import PcmReader
from .samples import Frames

CONVERT = "ffmpeg -i {file} -ar 16000 -ac 1 out.wav"
"""What makes a file that is read from one that is not."""

BROKEN = re.compile(
    r"partial file|prematurely|truncat|exhausted|error while decoding|invalid data|corrupt", re.IGNORECASE
)
"""What ffmpeg says of a file that it reads only in part."""


class FfmpegReader:
    """The first track of sound of a file."""

    def __init__(self, path: str, kind: Kind) -> None:
        """Begin.

        Raises:
            AudioError: ffmpeg is not installed, or there is no sound in the file.
        """
        program = shutil.which("ffmpeg")
        if program is None:
            raise AudioError(
                path,
                f"is {kind.name}, which needs ffmpeg: install it (apt install ffmpeg), or convert the file where it is:"
                f" {CONVERT.format(file='FILE')}",
            )
        # the header of an AU file says rate and channels, and is no trouble in a pipe. No other file, nor an
        # address, is opened for what one says.
        command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-i", f"file:{path}"]
        command += ["-map", "0:a:0", "-f", "au", "-c:a", "pcm_f32be", "-"]
        self._path, self._kind = path, kind
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed in ``close``)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C is for us: what was heard until then is whole
        )
        assert self._process.stdout is not None  # noqa: S101 (asked for above)
        self._stream = ByteStream(self._process.stdout.fileno(), path)
        self.promised: int | None = None
        self.problem: Exception | None = None
        try:
            self._reader = self._begin()
        except BaseException:
            self.close()
            raise
        self.rate, self.channels = self._reader.rate, self._reader.channels

    def _begin(self) -> PcmReader:
        header = read_header(self._stream) if self._stream.peek(1) else None
        if header is None:
            raise AudioError(self._path, f"is {self._kind.name} in which ffmpeg finds no audio ({self._complaint()})")
        return PcmReader(self._stream, header)

    def read(self, count: int) -> Frames:
        """Return the next frames [n, channels], none at the end; ``problem`` says what is broken after them."""
        frames: Frames = self._reader.read(count) if self.problem is None else np.zeros((0, self.channels), np.float32)
        if not len(frames) and self.problem is None:
            complaint = self._complaint()
            if self._process.returncode or BROKEN.search(complaint):
                self.problem = AudioError(self._path, complaint)
        return frames

    def _complaint(self) -> str:
        """Return what ffmpeg said, in one line."""
        self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").replace(f"file:{self._path}", "").splitlines()
        told = [re.sub(r"^\[[^]]*\]", "", line).strip(" :") for line in lines]
        first = next((line for line in told if BROKEN.search(line)), None) or next(
            (line for line in told if line), None
        )
        return first[:160] if first else f"it ended with {self._process.returncode}"

    def stop(self) -> None:
        """End it where it is, from any thread."""
        self._stream.stop()

    def close(self) -> None:
        """End ffmpeg."""
        self._process.kill()
        self._process.wait()
        self._stream.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()
