"""A microphone, through PortAudio (sounddevice), which is imported only when a device is used."""

import asyncio
import threading
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ...models import SAMPLE_RATE, NearwordError
from ...models.audio import Resampler, Samples, make_resampler
from .source import AudioSink

BLOCK_SECONDS = 0.02
GONE_SECONDS = 1.0
"""A device that has given nothing for so long is taken for gone."""
RETRY_SECONDS = 0.5
DEVICE_GONE = "the device is gone"
OVERFLOW = "the audio system had no room"

_open_streams = 0
_library = threading.Lock()
"""PortAudio is one for the whole process: its device list is made anew only while no stream is open."""


class MicrophoneError(NearwordError, OSError):
    """No PortAudio, no such device, or it cannot be opened."""


@dataclass(frozen=True)
class Device:
    """An input device."""

    index: int
    name: str
    channels: int
    """Most input channels."""
    rate: float
    """Samples per second that it likes best."""
    is_default: bool


def _sounddevice() -> ModuleType:
    try:
        import sounddevice  # noqa: PLC0415 (loads PortAudio, which a server has not)
    except ImportError as error:
        raise MicrophoneError(
            "the microphone needs the Python package sounddevice; run: pip install sounddevice"
        ) from error
    except OSError as error:
        raise MicrophoneError(
            "the microphone needs the PortAudio library; on Debian or Raspberry Pi OS run: apt install libportaudio2"
        ) from error
    module: ModuleType = sounddevice
    return module


def list_devices() -> list[Device]:
    """Return the input devices.

    Raises:
        MicrophoneError: PortAudio is missing, or fails.
    """
    sounddevice = _sounddevice()
    try:
        found = list(sounddevice.query_devices())
        default = sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"PortAudio cannot list the devices: {_reason(error)}") from error
    return [
        Device(index, str(d["name"]), int(d["max_input_channels"]), float(d["default_samplerate"]), index == default)
        for index, d in enumerate(found)
        if d["max_input_channels"] > 0
    ]


def choose_device(devices: list[Device], wanted: int | str | None) -> Device:
    """Return the device of an index or a part of a name (any case); None is the default one.

    Raises:
        MicrophoneError: there is none, or several of that name.
    """
    names = ", ".join(f"{d.index} {d.name!r}" for d in devices)
    if not devices:
        raise MicrophoneError(
            "no microphone: the system has no audio input device; connect one, or see your sound settings"
        )
    if wanted is None:
        return next((d for d in devices if d.is_default), devices[0])
    if isinstance(wanted, int) or wanted.isdecimal():
        found = [d for d in devices if d.index == int(wanted)]
    else:
        exact = [d for d in devices if d.name.lower() == wanted.lower()]
        found = exact or [d for d in devices if wanted.lower() in d.name.lower()]
    if not found:
        raise MicrophoneError(f"no input device {str(wanted)!r}: expected an index or a part of a name of: {names}")
    if len(found) > 1:
        several = ", ".join(f"{d.index} {d.name!r}" for d in found)
        raise MicrophoneError(f"input device {wanted!r} fits several: {several}; give the index")
    return found[0]


class Microphone:
    """Live audio from an input device; a device that goes away is waited for.

    While it is gone, ``AudioLost`` is told when that is noticed, and again for the rest when it is back.
    """

    def __init__(self, device: int | str | None = None) -> None:
        """Choose a device by index or by part of its name; None is the system's default."""
        self.device = device

    async def feed(self, sink: AudioSink) -> None:
        """Put what the device hears into the sink, until cancelled.

        Raises:
            MicrophoneError: PortAudio or the device is missing at the start, or cannot be opened.
        """
        capture = _Capture(sink)
        capture.open(self.device)
        try:
            while True:
                await asyncio.sleep(GONE_SECONDS / 4)
                if capture.is_gone:
                    capture.close()
                    capture.tell_gone()
                    await self._return(capture)
        finally:
            capture.close()

    async def _return(self, capture: "_Capture") -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                capture.open(self.device, anew=True)
            except MicrophoneError:
                continue
            return


class _Capture:
    """One open stream at a time, and the count of what it missed."""

    def __init__(self, sink: AudioSink) -> None:
        self._sink = sink
        self._stream: Any = None
        self._resampler: Resampler | None = None
        self._heard_until = 0.0
        self._opened = 0.0
        self._missing = False

    @property
    def is_gone(self) -> bool:
        """Whether the stream has ended, or gives nothing."""
        quiet = time.monotonic() - max(self._heard_until, self._opened) > GONE_SECONDS
        return quiet or not self._stream.active

    def tell_gone(self) -> None:
        """Tell what is missing since the last sound."""
        now = time.monotonic()
        if self._heard_until:
            self._sink.lost(max(0.0, now - self._heard_until), DEVICE_GONE)
            self._missing = True
        self._heard_until = now

    def open(self, wanted: int | str | None, *, anew: bool = False) -> None:
        sounddevice = _sounddevice()
        with _library:
            global _open_streams  # noqa: PLW0603 (PortAudio's state is global too)
            if anew and not _open_streams:
                # PortAudio lists the devices once; a device that came back is only seen after this
                sounddevice._terminate()  # noqa: SLF001
                sounddevice._initialize()  # noqa: SLF001
            device = choose_device(list_devices(), wanted)
            stream = self._open_device(sounddevice, device)
            try:
                stream.start()
            except sounddevice.PortAudioError as error:
                stream.close(ignore_errors=True)
                raise MicrophoneError(f"input device {device.name!r} cannot be started: {_reason(error)}") from error
            self._stream = stream
            self._opened = time.monotonic()
            _open_streams += 1

    def _open_device(self, sounddevice: ModuleType, device: Device) -> Any:
        # 16 kHz mono if it can, else what it likes best
        choices = [(float(SAMPLE_RATE), 1), (device.rate, 1), (device.rate, device.channels)]
        failure: Exception | None = None
        for rate, channels in choices:
            self._resampler = make_resampler(rate)
            try:
                return sounddevice.InputStream(
                    samplerate=rate,
                    blocksize=round(rate * BLOCK_SECONDS),
                    device=device.index,
                    channels=channels,
                    dtype="float32",
                    latency="low",
                    callback=self._heard,
                )
            except sounddevice.PortAudioError as error:
                failure = error
        raise MicrophoneError(f"input device {device.name!r} cannot be opened: {_reason(failure)}") from failure

    def _heard(self, samples: Samples, frames: int, times: object, status: Any) -> None:
        """Take a block [frames, channels], in PortAudio's thread."""
        del frames, times
        now = time.monotonic()
        if self._missing:
            self._missing = False
            self._sink.lost(max(0.0, now - self._heard_until - BLOCK_SECONDS), DEVICE_GONE)
        elif status.input_overflow:
            # how much PortAudio does not say: time since the last block, less this one
            self._sink.lost(max(BLOCK_SECONDS, now - self._heard_until - BLOCK_SECONDS), OVERFLOW)
        self._heard_until = now
        mono = samples[:, 0].copy() if samples.shape[1] == 1 else samples.mean(axis=1)
        if self._resampler is not None:
            self._sink.offer(self._resampler.accept(mono))

    def close(self) -> None:
        """Close the stream; errors of a device that is gone are no news."""
        global _open_streams  # noqa: PLW0603
        stream, self._stream = self._stream, None
        if stream is None:
            return
        with _library:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)
            _open_streams -= 1


def _reason(error: object) -> str:
    return str(error).replace("\n", " ").removeprefix("Error querying device ").strip()[:160]
