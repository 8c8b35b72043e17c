"""The door: whatever a program holds as audio, to what is heard inside.

Every class that takes audio takes it through ``AudioConverter``: numpy arrays (or what converts to one without a
copy of its elements: ``array.array``, torch tensors on the CPU, memory views) of

- floating-point samples in [-1, 1], or integers by the scale of their own type: int16 from -32768 to 32767, uint8
  around 128, int32 from -2^31;
- shape (n,), or (n, channels), of which one channel is taken or all are mixed;
- any rate from 1 to 768 kHz.

All else is one ``AudioError`` that says what came and what was expected.
"""

from collections.abc import Sized
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from .errors import AudioError

SAMPLE_RATE = 16000
"""Samples per second of everything inside nearword."""
MOST_CHANNELS = 256
"""More columns than any microphone array has: rows and columns were exchanged."""
LOUDEST = 100.0
"""40 dB above full scale is no recording, but integers that were made floats without their scale."""
MIX_SECONDS = 0.02
"""Mixing decides on frames so long, counted from the first sample, so that pieces of any size give the same."""
MEMORY_SECONDS = 0.4
"""Time over which channels are compared."""
CANCELLED = 0.15
"""A mix with so little of the power that unrelated channels would leave in it has lost what they hold."""

Samples = npt.NDArray[np.float32]
"""Mono audio, [n], float32 in [-1, 1], at ``SAMPLE_RATE``."""
Frames = npt.NDArray[np.float32]
"""Audio of several channels, [n, channels]."""
Channel: TypeAlias = int | Literal["mix"]
"""One channel by its number, from 1 on (1 is the left), or all of them mixed."""


class Resampler(Protocol):
    """Samples [n] or [n, channels] at one rate to ``SAMPLE_RATE``, block by block."""

    def accept(self, samples: npt.NDArray[np.float32], *, last: bool = False) -> npt.NDArray[np.float32]:
        """Return what can be told of the output so far; everything that is left if ``last``."""
        ...


class _Same:
    def accept(self, samples: npt.NDArray[np.float32], *, last: bool = False) -> npt.NDArray[np.float32]:
        del last
        return samples


class _Soxr:
    def __init__(self, rate: float, channels: int) -> None:
        import soxr  # noqa: PLC0415 (20 ms that 16 kHz audio never needs)

        self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, channels, dtype="float32")

    def accept(self, samples: npt.NDArray[np.float32], *, last: bool = False) -> npt.NDArray[np.float32]:
        return np.asarray(self._stream.resample_chunk(samples, last=last), np.float32)


def make_resampler(rate: float, channels: int = 1) -> Resampler:
    """Return a streaming resampler (soxr, high quality) from ``rate`` samples per second to ``SAMPLE_RATE``.

    Of one channel it takes and gives [n], of more [n, channels].

    Raises:
        ValueError: ``rate`` is not between 1,000 and 768,000.
    """
    if not 1_000 <= rate <= 768_000:
        raise ValueError(f"sample rate {rate:g} Hz: expected 1000 to 768000")
    return _Same() if rate == SAMPLE_RATE else _Soxr(rate, channels)


def to_frames(audio: object, source: str = "audio", start: float = 0.0) -> Frames:
    """Return audio of any integer or floating-point type, (n,) or (n, channels), as float32 [n, channels].

    Args:
        audio: the array; it is not written to, and may be returned as it is.
        source: what messages name.
        start: second of the stream at which the array begins, for messages.

    Raises:
        AudioError: not such an array, or samples that are NaN, infinite or far outside of [-1, 1].
    """
    is_bytes = isinstance(audio, (str, bytes, bytearray)) or (isinstance(audio, memoryview) and audio.format in "Bbc")
    if is_bytes or not isinstance(audio, (np.ndarray, np.generic, Sized)):
        told = "; bytes become one by np.frombuffer(data, np.int16)" if is_bytes and not isinstance(audio, str) else ""
        raise AudioError(
            source, f"expected an array of samples, (n,) or (n, channels), not {type(audio).__name__}{told}"
        )
    try:
        array = np.asarray(audio)
    except Exception as error:
        raise AudioError(source, f"expected an array of samples; {type(audio).__name__} is none ({error})") from error
    if array.dtype.kind not in "fiu" or (array.dtype.kind in "iu" and isinstance(audio, (list, tuple))):
        what = f"{type(audio).__name__} of {array.dtype}" if isinstance(audio, (list, tuple)) else array.dtype
        raise AudioError(source, f"samples of type {what}: expected float32 in [-1, 1], or an array of an integer type")
    if array.ndim not in (1, 2) or (array.ndim == 2 and not 1 <= array.shape[1] <= MOST_CHANNELS):
        turned = "; turn it round (.T)" if array.ndim == 2 and 1 <= array.shape[0] <= MOST_CHANNELS else ""
        raise AudioError(source, f"samples of shape {array.shape}: expected (n,) or (n, channels){turned}")
    frames = _scaled(array)
    if array.dtype.kind == "f":
        check_samples(frames, source, start)
    return frames[:, None] if frames.ndim == 1 else frames


def _scaled(array: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Return samples as float32, integers by the scale of their type."""
    if array.dtype == np.float32:
        return np.ascontiguousarray(array, np.float32)
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # beyond float32 is infinite, which is told
            return np.ascontiguousarray(array, np.float32)
    bits = 8 * array.dtype.itemsize
    exact = np.float32 if bits <= 16 else np.float64
    middle = 2.0 ** (bits - 1) if array.dtype.kind == "u" else 0.0
    return np.asarray((array.astype(exact) - exact(middle)) * exact(2.0 ** (1 - bits)), np.float32)


def check_samples(samples: npt.NDArray[np.float32], source: object, start: float = 0.0) -> None:
    """Raise ``AudioError`` if a sample is no sound; ``start`` is the block's place in seconds."""
    flat = samples.reshape(-1)
    # one dot product: NaN, infinity and numbers out of all scale survive a sum of squares
    if np.dot(flat, flat) <= LOUDEST * LOUDEST:
        return
    if not np.isfinite(flat).all():
        raise AudioError(
            str(source), f"has samples that are not finite numbers, in the block at {start:.1f} s; convert it anew"
        )
    loudest = float(np.abs(flat).max())
    if loudest > LOUDEST:
        raise AudioError(
            str(source),
            f"has samples up to {loudest:.0f}, in the block at {start:.1f} s: expected floating-point numbers in"
            " [-1, 1], or integers as an integer type",
        )


class AudioConverter:
    """One stream of audio of any type, layout and rate, block by block, to mono float32 at ``SAMPLE_RATE``.

    The pieces in which audio comes change nothing of what comes out, all told.
    """

    def __init__(self, rate: float = SAMPLE_RATE, channel: Channel = "mix", *, source: str = "audio") -> None:
        """Begin a stream.

        Args:
            rate: samples per second of what will come.
            channel: the one to take, from 1 on, or ``mix``: the mean of all; where channels cancel each other (one
                of a pair wired the wrong way round), the loudest is taken.
            source: what messages name.

        Raises:
            AudioError: no such rate or channel.
        """
        check_channel(channel, source)
        try:
            self._resampler = make_resampler(rate)
        except (ValueError, TypeError) as error:
            raise AudioError(source, f"{error}") from error
        self._rate, self._channel, self._source = rate, channel, source
        self._mixer: Mixer | None = None
        self._channels = self._taken = 0

    def accept(self, audio: object) -> Samples:
        """Take a block as ``to_frames`` does; return the samples [n] that are due.

        Raises:
            AudioError: as ``to_frames``, or other channels than before; nothing was taken then.
        """
        # what is right already is not looked at twice: live audio comes 50 times a second
        frames = to_frames(audio, self._source, self._taken / self._rate)
        channels = frames.shape[1]
        if self._taken and channels != self._channels:
            raise AudioError(self._source, f"{channels} channels after {self._channels}: expected as many as before")
        if self._channel != "mix" and self._channel > channels:
            raise AudioError(self._source, no_channel(self._channel, channels))
        self._channels = channels
        self._taken += len(frames)
        return self._resampler.accept(np.ascontiguousarray(self._mono(frames)))

    def finish(self) -> Samples:
        """End the stream; return the samples that were held back."""
        rest = self._mixer.finish() if self._mixer else np.zeros(0, np.float32)
        return self._resampler.accept(rest, last=True)

    def _mono(self, frames: Frames) -> Samples:
        if frames.shape[1] == 1:
            return frames[:, 0]
        if self._channel != "mix":
            return frames[:, self._channel - 1]
        if self._mixer is None:
            self._mixer = Mixer(self._rate)
        return self._mixer.accept(frames)


def to_samples(audio: object, rate: float = SAMPLE_RATE, channel: Channel = "mix", *, source: str = "audio") -> Samples:
    """Return a whole recording as mono float32 at ``SAMPLE_RATE``, [n]; see ``AudioConverter``."""
    converter = AudioConverter(rate, channel, source=source)
    first = converter.accept(audio)
    rest = converter.finish()
    return np.concatenate([first, rest]) if len(rest) else first


def check_channel(channel: object, source: str = "audio") -> None:
    """Raise ``AudioError`` for what is neither a number from 1 on nor ``mix``."""
    number = isinstance(channel, int) and not isinstance(channel, bool) and channel >= 1
    if not number and channel != "mix":
        raise AudioError(source, f"channel {channel!r}: expected a number from 1 (the left) on, or 'mix'")


def no_channel(channel: int, channels: int) -> str:
    """Return what is told where a channel is wanted that is not there."""
    there = "only one channel is there" if channels == 1 else f"there are {channels} channels"
    return f"no channel {channel}: {there}"


class Mixer:
    """Several channels to one: their mean, or the loudest of them where the mean cancels what they hold."""

    def __init__(self, rate: float) -> None:
        self._frame = max(1, round(rate * MIX_SECONDS))
        self._lag = max(1, round(rate / 4000))
        self._forget = float(np.exp(-MIX_SECONDS / MEMORY_SECONDS))
        self._rest: Frames | None = None
        self._powers: npt.NDArray[np.float64] = np.zeros(1)
        """Of each channel, the latest frames counting most."""
        self._mixed = 0.0

    def accept(self, frames: Frames) -> Samples:
        """Take frames [n, channels]; return samples [n'] of all whole frames of the grid."""
        if self._rest is not None and len(self._rest):
            frames = np.concatenate([self._rest, frames])
        whole = len(frames) // self._frame * self._frame
        self._rest = frames[whole:].copy()
        return self._mix(frames[:whole], self._frame)

    def finish(self) -> Samples:
        """Return what is left of a frame."""
        rest, self._rest = self._rest, None
        return self._mix(rest, len(rest)) if rest is not None and len(rest) else np.zeros(0, np.float32)

    def _mix(self, frames: Frames, size: int) -> Samples:
        mixed: Samples = frames.mean(axis=1, dtype=np.float32)
        if not len(frames):
            return mixed
        powers = self._voice_power(frames.reshape(-1, size, frames.shape[1]))
        left = self._voice_power(mixed.reshape(-1, size, 1))[:, 0]
        for number, (power, power_left) in enumerate(zip(powers, left, strict=True)):
            self._powers = self._powers * self._forget + power
            self._mixed = self._mixed * self._forget + float(power_left)
            # the mean of unrelated channels has the mean of their powers, divided by their number
            if self._mixed < CANCELLED * float(self._powers.mean()) / frames.shape[1]:
                place = slice(number * size, (number + 1) * size)
                mixed[place] = frames[place, int(self._powers.argmax())]
        return mixed

    def _voice_power(self, cut: Frames) -> npt.NDArray[np.float64]:
        """Return the power of frames [frames, samples, channels] around 2 kHz, with neither offset nor hum."""
        bent = cut[:, self._lag :] - cut[:, : -self._lag]
        powers: npt.NDArray[np.float64] = np.einsum("fsc,fsc->fc", bent, bent, dtype=np.float64)
        return powers
