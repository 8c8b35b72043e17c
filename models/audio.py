"""Audio files, pipes and devices to 16 kHz float32, whole or as a stream, in memory that does not grow with them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from typing_extensions import Self

from .byte_stream import ByteStream
from .containers import FLAC, MP3, OGG, TEXT, Kind, look, mpeg_frame
from .containers import Reader as Route
from .errors import AudioError
from .ogg import OggReader, is_one_link
from .pcm import PcmHeader, RawFormat, read_header
from .pcm_reader import PcmReader
from .samples import (
    AudioConverter,
    Channel,
    Frames,
    Samples,
    check_channel,
    make_resampler,
    to_frames,
)

__all__ = [
    "AudioStream",
    "audio_seconds",
    "read_audio",
    "stream_audio",
]

MISSING_SECONDS = 0.1
"""Audio that a header promises beyond what is there, from which a recording counts as cut short."""
RAW_NAMES = (".raw", ".pcm", ".s16", ".sln", ".s16le")
PIPE = "ffmpeg -i FILE -f wav - | nearword transcribe -"
"""What makes a stream that is read from one that is not."""


class FrameReader(Protocol):
    """What reads one kind of file, forward."""

    rate: float
    channels: int
    promised: int | None
    """Frames that the header promises, if it does."""
    problem: Exception | None
    """What is broken after the frames that were read."""

    def read(self, count: int) -> Frames: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class AudioStream:
    """The audio of a file, a pipe or a device as blocks, 16 kHz float32 in [-1, 1].

    An iterator. What it reads, by content and not by name:

    - WAV (RF64, extensible, 8 to 64 bits, A-law, mu-law, ADPCM), AIFF, AU, CAF, FLAC, Ogg (Vorbis, Opus), MP3 and what
      else libsndfile reads, from a file; the named ones also from a pipe, as they come;
    - m4a, mp4, webm, mkv, wma, amr and more from a file, where ffmpeg is installed;
    - raw samples: from a pipe, and from a file if ``raw`` says how they are written.
    """

    def __init__(
        self,
        source: str | Path | int,
        block_seconds: float = 10.0,
        *,
        channel: Channel | Literal["each"] = "mix",
        raw: RawFormat | None = None,
        name: str | None = None,
    ) -> None:
        """Open it; nothing is read before the first block.

        Args:
            source: a path, or the number of an open file descriptor (0 is standard input).
            block_seconds: audio of a block at most; a pipe gives what there is.
            channel: the one to hear, from 1 (the left) on; ``mix``; or ``each``: blocks are [n, channels] then.
            raw: how samples without a header are written. By default those of a pipe are taken for 16-bit
                little-endian mono at 16 kHz, and those of a file are refused.
            name: for messages; by default the path.

        Raises:
            AudioError: not there, or not to be opened; no such channel.
        """
        if channel != "each":
            check_channel(channel, name or str(source))
        self._stream = ByteStream(source, name)
        self.name = self._stream.name
        self._channel, self._raw = channel, raw
        self._block_seconds = block_seconds
        self._reader: FrameReader | None = None
        self._converter: AudioConverter | _Each | None = None
        self._position = 0
        self._ended = False
        self._broken: AudioError | None = None
        self.cut_short: str | None = None
        """At the end: what of the recording is missing, if that can be told."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Samples:
        """Return the next block, [n], or [n, channels] of ``each``.

        Raises:
            AudioError: not audio, without samples, with samples that are not finite numbers, or broken in the middle,
                after what comes before was returned.
            StopIteration: the audio has ended.
        """
        if self._ended:
            broken, self._broken = self._broken, None
            if broken is not None:
                raise broken
            raise StopIteration
        try:
            if self._reader is None or self._converter is None:
                self._reader, self._converter = self._begin()
            reader, converter = self._reader, self._converter
            frames = reader.read(max(1, int(self._block_seconds * reader.rate)))
            if len(frames):
                self._position += len(frames)
                return converter.accept(frames)
            self._ended = True
            rest = converter.finish()
            self._look_back(reader)
        except BaseException:
            self._ended = True
            self.close()
            raise
        self.close()
        return rest if len(rest) else next(self)

    def _begin(self) -> "tuple[FrameReader, AudioConverter | _Each]":
        reader = open_reader(self._stream, self._raw)
        try:
            if self._channel == "each":
                return reader, _Each(reader.rate, reader.channels, self.name)
            return reader, AudioConverter(reader.rate, self._channel, source=self.name)
        except BaseException:
            reader.close()
            raise

    def _look_back(self, reader: FrameReader) -> None:
        """Say at the end what was not as it should be."""
        found = self._position / reader.rate
        promised = (reader.promised or 0) / reader.rate
        if reader.problem is not None:
            why = " ".join(str(reader.problem).removeprefix(f"{self.name}: ").split())
            self._broken = AudioError(self.name, f"broken after {found:.1f} s ({why})")
        elif not self._position:
            what = f"the header promises {promised:.0f} s, but " if promised else ""
            raise AudioError(self.name, f"{what}there is no audio in the file")
        elif promised - found >= MISSING_SECONDS:
            self.cut_short = f"its header promises {promised:.1f} s, {found:.1f} s are there"
        elif isinstance(reader, OggReader) and not reader.is_whole:
            self.cut_short = f"it breaks off after {found:.1f} s"

    @property
    def is_regular(self) -> bool:
        """Whether it is a file, all of which is there; not a pipe or a device, which is waited for."""
        return self._stream.is_regular

    def stop(self) -> None:
        """Let the audio end where it is, from any thread: who waits for more of a pipe waits no longer."""
        self._stream.stop()

    def close(self) -> None:
        """Close what was opened; not while another thread iterates."""
        self._ended = True
        if self._reader is not None:
            self._reader.close()
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class _Each:
    """All channels to ``SAMPLE_RATE``, [n, channels]."""

    def __init__(self, rate: float, channels: int, source: str) -> None:
        self._resampler = make_resampler(rate, channels)
        self._rate, self._channels, self._source = rate, channels, source
        self._taken = 0

    def accept(self, audio: Frames) -> Frames:
        frames = to_frames(audio, self._source, self._taken / self._rate)
        self._taken += len(frames)
        return self._resample(frames)

    def finish(self) -> Frames:
        return self._resample(np.zeros((0, self._channels), np.float32), last=True)

    def _resample(self, frames: Frames, *, last: bool = False) -> Frames:
        alone = self._channels == 1
        out = self._resampler.accept(np.ascontiguousarray(frames[:, 0] if alone else frames), last=last)
        return out.reshape(-1, self._channels)


def open_reader(stream: ByteStream, raw: RawFormat | None) -> FrameReader:
    """Return what reads a stream, by what it begins with.

    Raises:
        AudioError: nothing does.
    """
    if not stream.peek(1):
        raise AudioError(stream.name, "the file is empty" if stream.is_regular else "no audio came")
    kind = look(stream)
    if kind is not None and kind.reader is Route.pcm and (header := read_header(stream)) is not None:
        return PcmReader(stream, header)
    headerless = kind is None or (kind is TEXT and raw is not None and raw.frame_bytes == raw.channels)
    if headerless and (raw is not None or not stream.is_regular):
        return PcmReader(stream, PcmHeader(raw or RawFormat(), None))
    return _open_regular(stream, kind) if stream.is_regular else _open_pipe(stream, kind)


def _open_pipe(stream: ByteStream, kind: Kind | None) -> FrameReader:
    from .sound_file import PipeReader  # noqa: PLC0415 (WAV, raw samples and microphones do without libsndfile)

    if kind is None or kind.reader in (Route.ffmpeg, Route.none):
        what = kind.name if kind else "no audio"
        raise AudioError(stream.name, f"this is {what}, which cannot be heard from a pipe; convert it: {PIPE}")
    try:
        return OggReader(stream) if kind is OGG else PipeReader(stream, window=kind is FLAC)
    except AudioError:
        raise
    except Exception as error:
        raise AudioError(
            stream.name, f"this is {kind.name} that cannot be read from a pipe; convert it: {PIPE}"
        ) from error


def _open_regular(stream: ByteStream, kind: Kind | None) -> FrameReader:
    from .sound_file import PipeReader, SoundFileReader  # noqa: PLC0415

    path = stream.name
    if kind is None and path.lower().endswith(RAW_NAMES):
        raise AudioError(
            path, "has no header: say how its samples are written, as --sample-format int16 --rate 16000 --channels 1"
        )
    if kind is not None and kind.reader is Route.none:
        raise AudioError(path, f"not an audio file, but {kind.name}")
    failure: Exception | None = None
    if kind is None or kind.reader is not Route.ffmpeg:
        try:
            if kind is MP3 and not _tells_length(stream):
                # libsndfile would guess the length from the first frames, and end there
                return PipeReader(stream, window=False)
            if kind is OGG and not is_one_link(stream):
                return OggReader(stream)
            if kind is FLAC and stream.taken:
                return PipeReader(stream, window=True)  # behind a tag
            # of a kind that was guessed the length is too
            return SoundFileReader(stream.path, stream.rewound(), trusted=kind is not None)
        except Exception as error:  # noqa: BLE001 (libsndfile and its wrapper raise of many kinds; the file is at fault)
            failure = error
    if kind is None:
        raise AudioError(path, "not an audio file that can be read (expected wav, flac, ogg, opus or mp3)") from failure
    from .ffmpeg import FfmpegReader  # noqa: PLC0415 (seldom needed)

    return FfmpegReader(path, kind)


def _tells_length(stream: ByteStream) -> bool:
    """Whether an MP3 begins with a frame that says how many follow (Xing, Info or VBRI), and says it of all.

    Where files were put together, what the first one says is taken away: libsndfile would end with it.
    """
    first = stream.peek(256)
    place = max(first.find(b"Xing"), first.find(b"Info"))
    if place < 0:
        return b"VBRI" in first
    flags, _, told = (int.from_bytes(first[place + n : place + n + 4], "big") for n in (4, 8, 12))
    behind = stream.glance(told, 4) if flags & 3 == 3 else b""
    if not (behind.startswith(b"ID3") or mpeg_frame(behind)):
        return True
    stream.exactly(mpeg_frame(first))
    return False


def stream_audio(
    path: str | Path, block_seconds: float = 10.0, *, channel: Channel = "mix", raw: RawFormat | None = None
) -> Iterator[Samples]:
    """Yield a file's audio as mono 16 kHz blocks, [n]; see ``AudioStream`` for what is read, and for the arguments.

    A file that breaks off is yielded up to there.

    Raises:
        AudioError: not there, not audio, without samples, with samples that are not finite numbers, or broken in the
            middle, after what comes before was yielded.
    """
    with AudioStream(path, block_seconds, channel=channel, raw=raw) as stream:
        yield from stream


def read_audio(path: str | Path, *, channel: Channel = "mix", raw: RawFormat | None = None) -> Samples:
    """Return a whole file as mono 16 kHz float32, [n]; see ``stream_audio``."""
    return np.concatenate(list(stream_audio(path, block_seconds=60.0, channel=channel, raw=raw)))


def audio_seconds(path: str | Path) -> float | None:
    """Return a file's length in seconds as its header has it, or None if it cannot be told without reading it."""
    with contextlib.suppress(AudioError, OSError), ByteStream(path) as stream:
        if not stream.is_regular:
            return None
        kind = look(stream)
        if kind is not None and kind.reader in (Route.ffmpeg, Route.none):
            return None
        reader = open_reader(stream, None)
        try:
            return reader.promised / reader.rate if reader.promised else None
        finally:
            reader.close()
    return None
