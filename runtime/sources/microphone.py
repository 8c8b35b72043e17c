"""A microphone as a source: live, and patient with a device that goes away."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

from ...models import SAMPLE_RATE, AudioConverter, Channel
from ...models.samples import Samples, check_channel, no_channel
from ..streaming.waiting import uncancelled
from .devices import Device, MicrophoneError, choose_device, import_sounddevice, list_devices, reason
from .source import AudioSink

BLOCK_SECONDS = 0.02
LOOK_SECONDS = 0.25
"""How often the stream is looked after."""
GONE_SECONDS = 2.5
"""A device that has given nothing for so long is taken for gone; just opened, it has twice as long."""
LATE_SECONDS = 0.5
"""Audio that is so much behind the clock, while more comes, is lost and not just late."""
RETRY_SECONDS = 0.5
"""How often a device that is gone is tried again."""
DRIFT = 0.002
"""Seconds per look that the clocks of device and computer may go apart."""
DEVICE_GONE = "the device is gone"
DEVICE_PAUSED = "the device gave nothing for a while"

_open_streams = 0
_library = threading.Lock()
"""PortAudio is one for the whole process: its device list is made anew only while no stream is open."""


class Microphone:
    """Live audio from an input device; a device that goes away is waited for.

    While it is gone, ``AudioLost`` is told when that is noticed, and again for the rest when it is back. A device
    that was chosen by name or as the default is looked for anew by the same rule.
    """

    def __init__(self, device: int | str | None = None, *, channel: Channel = "mix") -> None:
        """Choose a device by index or by part of its name; None is the system's default.

        Args:
            device: which one.
            channel: of a device with several the one to hear, from 1 on, or ``mix``: what the system makes of them
                for programs that want one.

        Raises:
            AudioError: no such channel.
        """
        check_channel(channel, "microphone")
        self.device = device
        self._channel: Channel = channel

    async def feed(self, sink: AudioSink) -> None:
        """Put what the device hears into the sink, until cancelled.

        Raises:
            MicrophoneError: PortAudio or the device is missing at the start, or cannot be opened.
        """
        capture = _Capture(sink, self._channel)
        # opening and closing a device can take a second, which the event loop has not
        executor = ThreadPoolExecutor(1, "nearword microphone")
        loop = asyncio.get_running_loop()

        async def call(work: Callable[[], None]) -> None:
            await uncancelled(loop.run_in_executor(executor, work))

        try:
            await call(lambda: capture.open(self.device))
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if not capture.look():
                    await call(capture.close)
                    await self._reopen(capture, call)
        finally:
            try:
                await call(capture.close)
            finally:
                executor.shutdown()

    async def _reopen(self, capture: "_Capture", call: "Callable[[Callable[[], None]], Any]") -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            try:
                await call(lambda: capture.open(self.device, anew=True))
            except MicrophoneError:
                continue
            return


class _Capture:
    """One open stream at a time, and the account of what came against the clock.

    PortAudio does not say how much it lost, and a sound server that moves a stream to another device says nothing.
    """

    def __init__(self, sink: AudioSink, channel: Channel) -> None:
        self._sink = sink
        self._channel: Channel = channel
        self._stream: Any = None
        self._converter = AudioConverter(SAMPLE_RATE, channel, source="microphone")
        self._rate = float(SAMPLE_RATE)
        self._lock = threading.Lock()
        self._began: float | None = None
        self._accounted = 0.0
        """Seconds heard or told as lost since it began."""
        self._usual = 0.0
        """How far behind the clock the audio usually is."""
        self._opened = self._heard_at = 0.0
        self._is_new = self._was_late = False

    def look(self) -> bool:
        """Look after the stream; returns False if the device is gone."""
        now = time.monotonic()
        with self._lock:
            quiet = now - self._heard_at if self._heard_at > self._opened else (now - self._opened) / 2
            missing = self._missing(now)
            if quiet > GONE_SECONDS or not self._stream.active:
                self._tell(missing, DEVICE_GONE)
                return False
            late = missing > LATE_SECONDS and quiet < LOOK_SECONDS / 2
            if late and self._was_late:
                self._tell(missing, DEVICE_PAUSED)
            elif quiet < LOOK_SECONDS / 2:
                self._usual += min(DRIFT, max(-DRIFT, missing))
            self._was_late = late
        return True

    def _missing(self, now: float) -> float:
        return 0.0 if self._began is None else now - self._began - self._accounted - self._usual

    def _tell(self, seconds: float, why: str) -> None:
        if seconds > 0:
            self._accounted += seconds
            self._sink.lost(seconds, why)

    def _heard(self, samples: Samples, frames: int, times: object, status: object) -> None:
        """Take a block [frames, channels], in PortAudio's thread."""
        del times, status
        now, seconds = time.monotonic(), frames / self._rate
        with self._lock:
            if self._began is None:
                self._began = now - seconds
            if self._is_new:
                self._is_new = False
                self._tell(self._missing(now) - seconds, DEVICE_GONE)
            self._heard_at = now
            self._accounted += seconds
        # the block is PortAudio's again when this returns
        self._sink.offer(self._converter.accept(samples.copy()))

    def open(self, wanted: int | str | None, *, anew: bool = False) -> None:
        """Open the device; ``anew`` if it was open before."""
        global _open_streams  # noqa: PLW0603 (PortAudio's state is global too)
        sounddevice = import_sounddevice()
        with _library:
            if anew and not _open_streams:
                # PortAudio lists the devices once; one that came back is only seen after this
                sounddevice._terminate()  # noqa: SLF001
                sounddevice._initialize()  # noqa: SLF001
            device = choose_device(list_devices(), wanted)
            stream = self._open_device(sounddevice, device)
            self._opened, self._is_new = time.monotonic(), anew
            try:
                stream.start()
            except sounddevice.PortAudioError as error:
                stream.close(ignore_errors=True)
                raise MicrophoneError(f"input device {device.name!r} cannot be started: {reason(error)}") from error
            self._stream = stream
            _open_streams += 1

    def _open_device(self, sounddevice: ModuleType, device: Device) -> Any:
        # 16 kHz mono if it can, else what it likes best
        failure: Exception | None = None
        if self._channel != "mix" and self._channel > device.channels:
            raise MicrophoneError(f"input device {device.name!r}: {no_channel(self._channel, device.channels)}")
        all_of = device.channels
        wanted = [(float(SAMPLE_RATE), 1), (device.rate, 1), (device.rate, all_of)]
        if self._channel != "mix":
            wanted = [(float(SAMPLE_RATE), all_of), (device.rate, all_of)]
        for rate, channels in wanted:
            self._rate, self._converter = rate, AudioConverter(rate, self._channel, source="microphone")
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
        raise MicrophoneError(f"input device {device.name!r} cannot be opened: {reason(failure)}") from failure

    def close(self) -> None:
        """Close the stream, if one is open; errors of a device that is gone are no news."""
        global _open_streams  # noqa: PLW0603
        stream, self._stream = self._stream, None
        if stream is not None:
            with _library:
                stream.abort(ignore_errors=True)
                stream.close(ignore_errors=True)
                _open_streams -= 1
