"""One word is an utterance, in every protocol: "stop". And a voice in the background does not make it longer."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from clients import as_int16, home_assistant_2026_2, home_assistant_2026_11, pcm, pieces, quiet
from nearword.models import read_audio
from nearword.runtime.daemon.engine import Engine
from serving import Ports, served
from websockets.asyncio.client import connect

STOP = Path(__file__).parents[1] / "support" / "stop.flac"
"""Spoken by flite's voice rms; see ``recording`` for people's."""
Client = Callable[[Ports, bytes], Awaitable[str]]


async def newer_home_assistant(ports: Ports, audio: bytes) -> str:
    return (await home_assistant_2026_11(ports.wyoming, audio)).text or ""


async def older_home_assistant(ports: Ports, audio: bytes) -> str:
    return (await home_assistant_2026_2(ports.wyoming, audio)).text or ""


async def our_websocket(ports: Ports, audio: bytes) -> str:
    async with connect(ports.url("/v1/stream")) as client:
        for piece in pieces(audio):
            await client.send(piece)
        await client.send('{"type": "end"}')
        messages = [json.loads(await client.recv())]
        while messages[-1]["type"] != "done":
            messages.append(json.loads(await client.recv()))
    return " | ".join(one["text"] for one in messages if one["type"] == "final" and one["text"])


async def vosk(ports: Ports, audio: bytes) -> str:
    answers = []
    async with connect(ports.url("/vosk")) as client:
        for piece in pieces(audio, 4000):
            await client.send(piece)
            answers.append(json.loads(await client.recv()))
        await client.send('{"eof": 1}')
        answers.append(json.loads(await client.recv()))
    return " | ".join(one["text"] for one in answers if one.get("text"))


async def openai_file(ports: Ports, audio: bytes) -> str:
    openai = pytest.importorskip("openai")
    import io
    import wave

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(audio)
    async with openai.AsyncOpenAI(base_url=ports.base_url, api_key="none", max_retries=0) as client:
        answer = await client.audio.transcriptions.create(model="any", file=("stop.wav", out.getvalue()))
    return answer.text


async def openai_realtime(ports: Ports, audio: bytes) -> str:
    session = {"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}
    async with connect(ports.url("/v1/realtime")) as client:
        await client.send(json.dumps({"type": "session.update", "session": session}))
        for piece in pieces(audio):
            values = {"type": "input_audio_buffer.append", "audio": base64.b64encode(piece).decode()}
            await client.send(json.dumps(values))
        while True:
            message = json.loads(await client.recv())
            if message["type"].endswith("transcription.completed"):
                return message["transcript"]


ANY = pytest.mark.parametrize(
    "client", [newer_home_assistant, older_home_assistant, our_websocket, vosk, openai_file, openai_realtime]
)


@ANY
def test_one_word_is_heard(engine: Engine, client: Client) -> None:
    assert served(engine, lambda ports: client(ports, quiet(0.5) + pcm(STOP) + quiet(2))) == "stop"


@ANY
@pytest.mark.parametrize(("recording", "word"), [("00120_002", "done"), ("00000_001", "operator")])
def test_one_word_of_people_is_heard(
    engine: Engine, speech_folder: Path, client: Client, recording: str, word: str
) -> None:
    audio = quiet(0.5) + pcm(speech_folder / f"train/wuw/{recording}.opus") + quiet(2)
    assert served(engine, lambda ports: client(ports, audio)) == word


@pytest.mark.parametrize("client", [home_assistant_2026_2, home_assistant_2026_11])
@pytest.mark.parametrize("level", [0.05, 0.3, 1.0])
def test_a_television_cannot_prolong_an_utterance(
    engine_with: Callable[..., Engine], demo: bytes, client: Callable, level: float
) -> None:
    """Behind the order a voice goes on for half a minute, without a pause: the end comes by its cap."""
    engine = engine_with(max_utterance=4.0, preset="patient")
    order = read_audio(STOP)
    voice = np.frombuffer(demo[: 2 * 16000 * 2], "<i2") / np.float32(32768)
    television = level * np.tile(voice, 16)[: 30 * 16000]
    television[: len(order)] += order
    ended: list[float] = []

    async def use(ports: Ports) -> str:
        watcher = engine.hub.watch()

        async def note() -> None:
            while True:
                message = await watcher.get()
                if message.get("event", {}).get("type") == "final":
                    ended.append(message["event"]["time"])

        noting = asyncio.create_task(note())
        text = (await client(ports.wyoming, quiet(0.5) + as_int16(television), speed=8)).text
        noting.cancel()
        return text

    text = served(engine, use)
    assert text
    assert ended, "the end was decided here, not by the client"
    assert ended[0] <= 0.5 + 4.0 + 1.0
    assert len(text.split()) < 20
