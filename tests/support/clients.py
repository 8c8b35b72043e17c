"""Clients as people have them: Home Assistant's of two releases, one that only listens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nearword.models import RawDecoder, RawFormat, Transducer, read_audio
from nearword.runtime import Final, Recognizer
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event

CHUNK = 1024
"""Samples of a chunk, as satellites send them."""


def pcm(path: Path) -> bytes:
    """Return a recording as 16 kHz mono 16-bit."""
    return as_int16(read_audio(path))


def as_int16(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def pieces(audio: bytes, samples: int = CHUNK) -> Iterator[bytes]:
    for start in range(0, len(audio), 2 * samples):
        yield audio[start : start + 2 * samples]


async def stream_of(audio: bytes, *, speed: float = 0.0) -> AsyncIterator[bytes]:
    """Yield chunks; with a speed of 1 in real time, with 0 at once."""
    loop = asyncio.get_running_loop()
    begun, sent = loop.time(), 0
    for piece in pieces(audio):
        yield piece
        sent += len(piece) // 2
        if speed:
            await asyncio.sleep(max(0.0, begun + sent / 16000 / speed - loop.time()))
        else:
            await asyncio.sleep(0)


@dataclass
class Result:
    text: str | None = None
    error: str | None = None
    events: list[Event] = field(default_factory=list)
    at: float = 0.0
    """When the transcript came, by the loop's clock."""


async def home_assistant_2026_2(port: int, audio: bytes, *, speed: float = 0.0, language: str = "en") -> Result:
    """Send everything, and read only after audio-stop."""
    result = Result()
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Transcribe(language=language).event())
        await client.write_event(AudioStart(16000, 2, 1).event())
        async for piece in stream_of(audio, speed=speed):
            await client.write_event(AudioChunk(16000, 2, 1, piece).event())
        await client.write_event(AudioStop().event())
        while (event := await client.read_event()) is not None:
            result.events.append(event)
            if Transcript.is_type(event.type):
                result.text = Transcript.from_event(event).text
                result.at = asyncio.get_running_loop().time()
                break
    return result


async def home_assistant_2026_11(
    port: int, audio: bytes, *, speed: float = 0.0, request: Transcribe | None = None, form: tuple = (16000, 2, 1)
) -> Result:
    """Read while sending; the first transcript or error is taken, and the upload is given up."""
    result = Result()
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event((request or Transcribe(language="en")).event())
        await client.write_event(AudioStart(*form).event())

        async def upload() -> None:
            async for piece in stream_of(audio, speed=speed):
                await client.write_event(AudioChunk(*form, piece).event())
            await client.write_event(AudioStop().event())

        async def receive() -> None:
            while (event := await client.read_event()) is not None:
                result.events.append(event)
                if Error.is_type(event.type):
                    result.error = Error.from_event(event).text
                    return
                if Transcript.is_type(event.type):
                    result.text = Transcript.from_event(event).text
                    result.at = asyncio.get_running_loop().time()
                    return

        tasks = [asyncio.create_task(upload()), asyncio.create_task(receive())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[1] not in done:
                tasks[0].result()
                await tasks[1]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return result


def quiet(seconds: float) -> bytes:
    """Return silence as a microphone gives it."""
    return as_int16(np.random.default_rng(1).normal(0, 2e-4, int(16000 * seconds)).astype(np.float32))


def heard_by_library(model: Transducer, audio: bytes) -> list[str]:
    recognizer = Recognizer(model)
    samples = RawDecoder(RawFormat()).decode(audio)
    events = [*recognizer.accept(samples), *recognizer.finish()]
    return [event.text for event in events if isinstance(event, Final) and event.text]
