"""Audio files to 16 kHz mono float32, whole or as a stream, in memory that does not grow with the file."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from .errors import AudioError
from .samples import SAMPLE_RATE, Frames, Resampler, Samples, check_samples, make_resampler

__all__ = [
    "SAMPLE_RATE",
    "Frames",
    "Resampler",
    "Samples",
    "audio_seconds",
    "check_samples",
    "cut_short",
    "make_resampler",
    "read_audio",
    "stream_audio",
]

FRAMES_AT_ONCE = 1024
"""Frames that are read together near the place where a file is broken: so many are lost at most."""


def stream_audio(path: str | Path, block_seconds: float = 10.0) -> Iterator[Samples]:
    """Yield a file's audio as mono 16 kHz blocks; channels are averaged.

    Reads what libsndfile reads: wav, flac, ogg, opus, mp3 and more. A file that breaks off is yielded up to there.

    Raises:
        AudioError: not there, not audio, without samples, with samples that are not finite numbers, or broken in the
            middle, after what comes before was yielded.
    """
    path = Path(path)
    file = _open(path)
    with file:
        try:
            resampler = make_resampler(file.samplerate)
        except ValueError as error:
            raise AudioError(path, str(error)) from error
        count = max(1, int(block_seconds * file.samplerate))
        position = 0
        problem: Exception | None = None
        while problem is None:
            block, problem = _read(path, file, position, count)
            if not len(block):
                break
            mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
            check_samples(mono, path, position / file.samplerate)
            position += len(block)
            yield resampler.accept(np.ascontiguousarray(mono))
        if not position and problem is None:
            claimed = file.frames / file.samplerate
            what = f"the header promises {claimed:.0f} s, but " if 0 < claimed < 1e9 else ""
            raise AudioError(path, f"{what}there is no audio in the file")
        rest = resampler.accept(np.zeros(0, np.float32), last=True)
        if len(rest):
            yield rest
        if problem is not None:
            raise AudioError(path, f"broken after {position / file.samplerate:.1f} s ({problem})") from problem


def _read(path: Path, file: "soundfile.SoundFile", position: int, count: int) -> tuple[Frames, Exception | None]:
    """Return the next ``count`` frames, or those before the place where the file is broken, and how it is."""
    try:
        return file.read(count, dtype="float32", always_2d=True), None
    except soundfile.SoundFileError as error:
        parts: list[Frames] = [np.zeros((0, file.channels), np.float32)]
        # once more with little at a time: what is read together with the break is lost
        with contextlib.suppress(soundfile.SoundFileError), _open(path) as again:
            again.seek(position)
            while len(part := again.read(FRAMES_AT_ONCE, dtype="float32", always_2d=True)):
                parts.append(part)
        return np.concatenate(parts), error


def _open(path: Path) -> "soundfile.SoundFile":
    if path.is_dir():
        raise AudioError(path, "is a folder; name an audio file")
    try:
        return soundfile.SoundFile(os.fsencode(path))
    except (soundfile.SoundFileError, OSError) as error:
        if not path.exists():
            raise AudioError(path, "no such file") from error
        if path.stat().st_size == 0:
            raise AudioError(path, "the file is empty") from error
        raise AudioError(path, "not an audio file that can be read (expected wav, flac, ogg, opus or mp3)") from error


def read_audio(path: str | Path) -> Samples:
    """Return a whole file as mono 16 kHz float32, [n]; see ``stream_audio``."""
    return np.concatenate(list(stream_audio(path, block_seconds=60.0)))


def cut_short(path: str | Path) -> tuple[float, float] | None:
    """Return the seconds that a WAV file's header promises and those that are there, if they are fewer; else None.

    Headers of streams, which promise all there can be or nothing, are not taken at their word.
    """
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            told = re.search(r"data : (\d+) \(should be (\d+)\)", file.extra_info)
            there = file.frames / file.samplerate
    except (soundfile.SoundFileError, OSError):
        return None
    promised, found = map(int, told.groups()) if told else (0, 0)
    if not 0 < found < promised < 2**31 - 2**16:
        return None
    return there * promised / found, there


def audio_seconds(path: str | Path) -> float | None:
    """Return a file's length in seconds as its header has it, or None if it cannot be told."""
    try:
        info = soundfile.info(os.fsencode(path))
    except (soundfile.SoundFileError, OSError):
        return None
    return float(info.frames) / float(info.samplerate) if 0 < info.frames < 2**60 else None
