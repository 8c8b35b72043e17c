import asyncio
import os
import socket
import sys
import threading
import types
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import AudioError, read_audio
from nearword.runtime.sources import (
    AudioFile,
    Device,
    Microphone,
    MicrophoneError,
    RawStream,
    choose_device,
    list_devices,
    read_pipe,
)


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []
        self.offered = 0

    def offer(self, samples: np.ndarray) -> None:
        self.offered += 1
        self.blocks.append(samples)

    def lost(self, seconds: float, reason: str) -> None:
        raise AssertionError(reason)

    async def put(self, samples: np.ndarray) -> None:
        await asyncio.sleep(0)
        self.blocks.append(samples)

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, np.float32), *self.blocks])


def heard(source: object, *, sink: Sink | None = None) -> np.ndarray:
    sink = sink or Sink()
    asyncio.run(source.feed(sink))
    return sink.samples


async def pieces(data: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
    yield data[start:]


def test_a_file_is_heard_as_it_is_read(tmp_path: Path) -> None:
    np.testing.assert_array_equal(heard(AudioFile(DEMO)), read_audio(DEMO))
    with pytest.raises(AudioError, match="no such file"):
        heard(AudioFile(tmp_path / "none.wav"))


def test_real_time_takes_the_time_of_the_audio(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(4800), 16000)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await AudioFile(tmp_path / "short.wav", real_time=True).feed(Sink())
        return loop.time() - began

    assert asyncio.run(run()) >= 0.29


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 4001), max_size=8),
    sample_format=st.sampled_from(("int16", "float32")),
    channels=st.integers(1, 3),
)
def test_raw_samples_may_be_cut_anywhere(sizes: list[int], sample_format: str, channels: int) -> None:
    samples = np.random.default_rng(1).uniform(-0.9, 0.9, (3000, channels)).astype(np.float32)
    if sample_format == "int16":
        samples = (samples * 32768).round().astype(np.int16)
        expected = (samples / np.float32(32768)).mean(axis=1)
    else:
        expected = samples.mean(axis=1)
    source = RawStream(pieces(samples.tobytes() + b"\x01", sizes), sample_format=sample_format, channels=channels)
    np.testing.assert_allclose(heard(source), expected, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_any_rate_becomes_16_khz(rate: int) -> None:
    seconds = np.arange(2 * rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 440 * seconds) * 32767).astype("<i2")
    samples = heard(RawStream(pieces(tone.tobytes(), [999, 12345]), rate=rate))
    assert len(samples) == pytest.approx(32000, abs=2)
    middle = samples[4000:28000]
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)[4000:28000]
    np.testing.assert_allclose(middle, expected, atol=2e-3)


def test_a_live_stream_is_offered_and_a_large_piece_comes_in_parts() -> None:
    sink = Sink()
    heard(RawStream(pieces(bytes(2 * 100_000), []), live=True), sink=sink)
    assert sink.offered == len(sink.blocks) > 10
    assert len(sink.samples) == 100_000


def test_samples_that_are_no_numbers_are_refused() -> None:
    data = np.asarray([0.1, np.inf], np.float32).tobytes()
    with pytest.raises(AudioError, match="radio"):
        heard(RawStream(pieces(data, []), sample_format="float32", name="radio"))


@pytest.mark.parametrize("options", [{"sample_format": "int12"}, {"rate": 5}, {"channels": 0}])
def test_a_stream_that_cannot_be_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        RawStream(pieces(b"", []), **options)


def test_a_socket_is_heard() -> None:
    samples = np.arange(-8000, 8000, dtype="<i2")

    async def run() -> Sink:
        server_end, client_end = socket.socketpair()

        def send() -> None:
            with client_end:
                client_end.sendall(samples.tobytes())

        thread = threading.Thread(target=send)
        thread.start()
        reader, writer = await asyncio.open_connection(sock=server_end)
        sink = Sink()
        await RawStream(reader).feed(sink)
        writer.close()
        thread.join()
        return sink

    np.testing.assert_allclose(asyncio.run(run()).samples, samples / 32768)


def test_a_pipe_and_a_regular_file_are_heard(tmp_path: Path) -> None:
    samples = np.arange(-30000, 30000, dtype="<i2")
    (tmp_path / "raw").write_bytes(samples.tobytes())

    async def run(file) -> Sink:
        sink = Sink()
        await RawStream(read_pipe(file)).feed(sink)
        return sink

    with (tmp_path / "raw").open("rb") as file:
        np.testing.assert_allclose(asyncio.run(run(file)).samples, samples / 32768)
    with Path(os.devnull).open("rb") as file:
        assert len(asyncio.run(asyncio.wait_for(run(file), 10)).samples) == 0
    out, into = os.pipe()
    with os.fdopen(out, "rb") as file, os.fdopen(into, "wb") as writer:
        thread = threading.Thread(target=lambda: (writer.write(samples.tobytes()), writer.close()))
        thread.start()
        np.testing.assert_allclose(asyncio.run(run(file)).samples, samples / 32768)
        thread.join()
        assert os.get_blocking(file.fileno())


def test_a_pipe_in_which_nothing_comes_can_be_left() -> None:
    async def run(file) -> None:
        task = asyncio.create_task(RawStream(read_pipe(file)).feed(Sink()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    out, into = os.pipe()
    with os.fdopen(out, "rb") as file, os.fdopen(into, "wb"):
        asyncio.run(run(file))


DEVICES = [
    Device(0, "Built-in Microphone", 2, 44100.0, is_default=False),
    Device(3, "USB Headset", 1, 48000.0, is_default=True),
    Device(4, "USB Headset (2)", 1, 48000.0, is_default=False),
]


@pytest.mark.parametrize(
    ("wanted", "index"), [(None, 3), (0, 0), ("4", 4), ("built", 0), ("usb headset", 3), ("(2)", 4)]
)
def test_a_device_is_chosen_by_index_or_name(wanted: int | str | None, index: int) -> None:
    assert choose_device(DEVICES, wanted).index == index


@pytest.mark.parametrize(("wanted", "told"), [("radio", "'Built-in Microphone'"), (7, "0 'Built"), ("usb", "several")])
def test_a_device_that_is_not_there_is_told_with_those_that_are(wanted: int | str, told: str) -> None:
    with pytest.raises(MicrophoneError, match=told.replace("(", r"\(")) as caught:
        choose_device(DEVICES, wanted)
    assert "\n" not in str(caught.value)


def test_no_device_at_all_is_told() -> None:
    with pytest.raises(MicrophoneError, match="no audio input device"):
        choose_device([], None)


def test_without_portaudio_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(MicrophoneError, match="apt install libportaudio2"):
        list_devices()
    with pytest.raises(MicrophoneError, match="libportaudio2"):
        heard(Microphone())


def test_without_sounddevice_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MicrophoneError, match="pip install sounddevice"):
        heard(Microphone())


class FakePortAudio(types.ModuleType):
    """A sound system whose one device takes 44.1 kHz stereo only, comes and goes."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.default = types.SimpleNamespace(device=[0, 0])
        self.there = True
        self.streams: list[FakePortAudio.Stream] = []
        outer = self

        class InputStream:
            def __init__(self, *, samplerate, blocksize, device, channels, dtype, latency, callback) -> None:
                if (samplerate, channels) != (44100, 2):
                    raise FakePortAudio.PortAudioError("Invalid sample rate")
                self.callback, self.blocksize, self.active, self.closed = callback, blocksize, False, False
                outer.streams.append(self)

            def start(self) -> None:
                self.active = True

            def say(self, value: float) -> None:
                self.callback(np.full((self.blocksize, 2), value, np.float32), self.blocksize, None, None)

            def abort(self, ignore_errors: bool = True) -> None:
                self.active = False

            def close(self, ignore_errors: bool = True) -> None:
                self.closed = True

        self.InputStream = InputStream

    def query_devices(self) -> list[dict[str, object]]:
        device = {"name": "Desk", "max_input_channels": 2, "default_samplerate": 44100.0}
        return [device] if self.there else []

    def _terminate(self) -> None:
        assert all(stream.closed for stream in self.streams)

    def _initialize(self) -> None:
        pass


def test_a_device_that_goes_is_waited_for_and_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", system)
    monkeypatch.setattr("nearword.runtime.sources.microphone.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("nearword.runtime.sources.microphone.RETRY_SECONDS", 0.02)

    class Told(Sink):
        def __init__(self) -> None:
            super().__init__()
            self.gaps: list[tuple[float, str]] = []

        def lost(self, seconds: float, reason: str) -> None:
            self.gaps.append((seconds, reason))

    async def run() -> Told:
        sink = Told()
        threads = set(threading.enumerate())
        task = asyncio.create_task(Microphone("desk").feed(sink))
        while not system.streams:
            await asyncio.sleep(0.005)
        for _ in range(100):
            system.streams[0].say(0.5)
        system.there = False
        system.streams[0].active = False
        await asyncio.sleep(0.2)
        assert system.streams[0].closed
        system.there = True
        while len(system.streams) < 2:
            await asyncio.sleep(0.005)
        for _ in range(50):
            system.streams[1].say(0.25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert system.streams[1].closed
        assert set(threading.enumerate()) == threads
        return sink

    sink = asyncio.run(run())
    assert {reason for _, reason in sink.gaps} <= {"the device is gone"}
    assert len(sink.samples) == pytest.approx(150 * 320, abs=700)
    assert sink.samples[16000] == pytest.approx(0.5, abs=0.01)
    assert sink.samples[-2000] == pytest.approx(0.25, abs=0.01)
