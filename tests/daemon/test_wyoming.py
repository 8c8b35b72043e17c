"""Wyoming over real sockets, with clients shaped like Home Assistant's."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import serving
from clients import Result, heard_by_library, home_assistant_2026_2, home_assistant_2026_11, pcm, quiet
from nearword.models import SAMPLE_RATE
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.service import Daemon
from nearword.runtime.evaluation.word_errors import count_errors
from wyoming.asr import Transcribe, Transcript, TranscriptChunk
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient, AsyncTcpClient
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong

ANY = pytest.mark.parametrize("client", [home_assistant_2026_2, home_assistant_2026_11])
Client = Callable[..., Awaitable[Result]]


def served(engine: Engine, use: Callable[[int], Awaitable[object]]) -> object:
    """Run a daemon, and a client with its port."""
    return serving.served(engine, lambda ports: use(ports.wyoming))


@ANY
def test_home_assistant_gets_the_words_that_the_library_hears(
    engine: Engine, demo: bytes, demo_texts: list[str], client: Client
) -> None:
    result = served(engine, lambda port: client(port, demo, speed=8))
    assert result.text == demo_texts[0]


@ANY
def test_real_recordings_come_out_right(engine: Engine, speech_folder: Path, client: Client) -> None:
    rows = [line.split("\t") for line in (speech_folder / "dev/speechocean762.tsv").read_text().splitlines()]
    where, said = rows[0].index("path"), rows[0].index("text")
    recordings = {pcm(speech_folder / row[where]) + quiet(2.0): row[said] for row in rows[1:160:80]}

    async def all_of_them(port: int) -> list[str]:
        return [(await client(port, audio)).text for audio in recordings]

    for audio, text in zip(recordings, served(engine, all_of_them), strict=True):
        assert text == heard_by_library(engine.model, audio)[0]


def test_describe_tells_what_is_there_and_is_answered_while_decoding_goes_on(engine: Engine, demo: bytes) -> None:
    async def use(port: int) -> Info:
        async with AsyncTcpClient("127.0.0.1", port) as busy, AsyncTcpClient("127.0.0.1", port) as asking:
            await busy.write_event(AudioStart(16000, 2, 1).event())
            await busy.write_event(AudioChunk(16000, 2, 1, demo).event())
            await busy.write_event(Describe().event())
            await asking.write_event(Describe().event())
            return Info.from_event(await asking.read_event())

    info = served(engine, use)
    program = info.asr[0]
    assert program.name == "nearword"
    assert program.supports_transcript_streaming
    assert not program.requires_external_vad
    assert program.models[0].languages == ["en"]
    assert not info.intent, "there is nothing that could tell an intent"


def test_ping_is_answered_with_its_text(engine: Engine) -> None:
    async def use(port: int) -> str | None:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Ping("there?").event())
            return Pong.from_event(await client.read_event()).text

    assert served(engine, use) == "there?"


async def rest_of(client: AsyncClient) -> list[str]:
    """Return the types of what still comes: up to a transcript, and a second after it."""
    types: list[str] = []
    try:
        while (
            event := await asyncio.wait_for(client.read_event(), 1.0 if "transcript" in types else 30.0)
        ) is not None:
            types.append(event.type)
    except asyncio.TimeoutError:
        pass
    return types


def test_there_is_one_transcript_however_long_the_client_goes_on(
    engine: Engine, demo: bytes, demo_texts: list[str]
) -> None:
    async def use(port: int) -> list[str]:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Transcribe().event())
            await client.write_event(AudioStart(16000, 2, 1).event())
            for _ in range(3):  # the same words again and again
                await client.write_event(AudioChunk(16000, 2, 1, demo).event())
            await client.write_event(AudioStop().event())
            types = await rest_of(client)
            # the next utterance of this connection is heard like the first
            await client.write_event(AudioStart(16000, 2, 1).event())
            await client.write_event(AudioChunk(16000, 2, 1, demo).event())
            while not Transcript.is_type((event := await client.read_event()).type):
                pass
            assert Transcript.from_event(event).text == demo_texts[0]
            return types

    assert served(engine, use).count("transcript") == 1


def test_audio_without_a_start_is_heard(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    async def use(port: int) -> str:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(AudioChunk(16000, 2, 1, demo).event())
            await client.write_event(AudioStop().event())
            while not Transcript.is_type((event := await client.read_event()).type):
                pass
            return Transcript.from_event(event).text

    assert served(engine, use) == demo_texts[0]


@pytest.mark.parametrize("form", [(48000, 2, 2), (44100, 4, 1), (8000, 2, 1), (16000, 3, 1)])
def test_any_form_of_audio_is_heard(engine: Engine, demo: bytes, demo_texts: list[str], form: tuple) -> None:
    import numpy as np
    import soxr

    rate, width, channels = form
    samples = soxr.resample(np.frombuffer(demo, "<i2") / 32768, 16000, rate)
    whole = np.round(np.clip(samples, -1, 1) * (2 ** (8 * width - 1) - 1)).astype("<i4")
    audio = np.repeat(whole, channels).view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    result = served(engine, lambda port: home_assistant_2026_11(port, audio, form=form))
    assert sum(count_errors(demo_texts[0], result.text)[1:]) <= 2


def test_no_audio_is_no_words(engine: Engine) -> None:
    async def use(port: int) -> str:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(AudioStart(16000, 2, 1).event())
            await client.write_event(AudioStop().event())
            return Transcript.from_event(await client.read_event()).text

    assert served(engine, use) == ""


def test_who_says_nothing_gets_an_empty_transcript_without_ending_the_audio(
    engine_with: Callable[..., Engine],
) -> None:
    engine = engine_with(wait_for_speech=2.0)
    result = served(engine, lambda port: home_assistant_2026_11(port, quiet(30), speed=16))
    assert result.text == ""
    assert len(result.events) == 1


def test_a_voice_that_goes_on_is_cut(engine_with: Callable[..., Engine], demo: bytes) -> None:
    """A television: speech without a pause."""
    engine = engine_with(max_utterance=2.0, preset="patient")
    speech = demo[: 2 * 16000 * 2] * 8
    result = served(engine, lambda port: home_assistant_2026_11(port, speech, speed=4))
    assert result.text
    assert len(result.text.split()) < 12


def test_external_vad_leaves_the_end_to_the_client(
    engine_with: Callable[..., Engine], demo: bytes, demo_texts: list[str]
) -> None:
    engine = engine_with(external_vad=True)
    result = served(engine, lambda port: home_assistant_2026_11(port, demo))
    assert len(result.text.split()) > len(demo_texts[0].split()), "it is not cut where the speaker pauses"

    async def use(port: int) -> Info:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            return Info.from_event(await client.read_event())

    assert served(engine, use).asr[0].requires_external_vad


def test_sensitivity_chooses_the_preset(engine: Engine, demo: bytes) -> None:
    async def use(port: int) -> list[float]:
        ends = []
        for wanted in ("aggressive", "default", "relaxed"):
            watcher = engine.hub.watch()
            result = await home_assistant_2026_11(port, demo, request=Transcribe(vad_sensitivity=wanted))
            assert result.text
            while (message := await watcher.get()).get("event", {}).get("type") != "final":
                pass
            ends.append(message["event"]["time"])
            engine.hub.leave(watcher)
        return ends

    fast, balanced, patient = served(engine, use)
    assert fast <= balanced < patient


def test_the_chunks_together_are_the_transcript(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    result = served(engine, lambda port: home_assistant_2026_11(port, demo, speed=8))
    types = [event.type for event in result.events]
    assert types[0] == "transcript-start"
    assert types.count("transcript-start") == 1
    chunks = [TranscriptChunk.from_event(event).text for event in result.events if event.type == "transcript-chunk"]
    assert "".join(chunks) == demo_texts[0]


def test_names_of_the_request_come_back_as_they_are_written(engine: Engine, demo: bytes) -> None:
    request = Transcribe(transcript_names=["Mein Bruder", "My Brother"], transcript_terms=["ON MY WAY"])
    result = served(engine, lambda port: home_assistant_2026_11(port, demo, request=request))
    assert "My Brother" in result.text
    assert "ON MY WAY" in result.text
    plain = served(engine, lambda port: home_assistant_2026_11(port, demo))
    assert "My Brother" not in plain.text, "what one utterance boosts is forgotten after it"


def test_another_language_is_refused_at_once(engine: Engine, demo: bytes) -> None:
    result = served(engine, lambda port: home_assistant_2026_11(port, demo, request=Transcribe(language="de-DE")))
    assert "knows en" in result.error


def test_of_a_name_with_a_region_the_language_counts(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    result = served(engine, lambda port: home_assistant_2026_2(port, demo, language="en-US"))
    assert result.text == demo_texts[0]


def test_context_comes_back(engine: Engine, demo: bytes) -> None:
    request = Transcribe(context={"conversation": "7", "reply": "Whom shall I tell?"})
    result = served(engine, lambda port: home_assistant_2026_11(port, demo, request=request))
    assert Transcript.from_event(result.events[-1]).context == request.context


def test_a_recognised_text_asks_for_what_its_lattice_says(grammar_engine: Engine, demo: bytes) -> None:
    async def asked(port: int, event: object) -> object:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(event)
            return await client.read_event()

    async def use(port: int) -> None:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            assert Info.from_event(await client.read_event()).intent[0].name == "nearword"
        text = (await home_assistant_2026_11(port, demo)).text
        for event in (Transcript(text, {"conversation_id": "1"}).event(), Recognize(text.upper(), {}).event()):
            intent = Intent.from_event(await asked(port, event))
            assert intent.name == "tell"
            assert {entity.name: entity.value for entity in intent.entities} == {"who": "brother", "what": "on my way"}
        typed = Intent.from_event(await asked(port, Recognize("set an alarm for seven please").event()))
        assert typed.name == "alarm"
        other = await asked(port, Recognize("what is the weather like").event())
        assert NotRecognized.is_type(other.type)

    served(grammar_engine, use)


def test_one_connection_may_ask_while_it_sends(engine: Engine, demo: bytes) -> None:
    async def use(port: int) -> list[str]:
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(AudioStart(16000, 2, 1).event())
            half = len(demo) // 4 * 2
            await client.write_event(AudioChunk(16000, 2, 1, demo[:half]).event())
            await client.write_event(Describe().event())
            await client.write_event(AudioChunk(16000, 2, 1, demo[half:]).event())
            await client.write_event(AudioStop().event())
            return await rest_of(client)

    types = served(engine, use)
    assert "info" in types
    assert types.count("transcript") == 1


def test_a_unix_socket_speaks_it_too(engine_with: Callable[..., Engine], tmp_path: Path, demo: bytes) -> None:
    engine = engine_with(uri=(f"unix://{tmp_path}/wyoming.sock",))

    async def run() -> str:
        async with Daemon(engine), AsyncClient.from_uri(f"unix://{tmp_path}/wyoming.sock") as client:
            await client.write_event(AudioChunk(SAMPLE_RATE, 2, 1, demo).event())
            while not Transcript.is_type((event := await client.read_event()).type):
                pass
            return Transcript.from_event(event).text

    assert asyncio.run(run())


def test_a_model_of_requests_tells_intents(loaded: Engine, demo: bytes) -> None:
    from nearword.runtime.recognition.understanding_file import (
        list_understanding_models,
        load_understanding,
        resolve_understanding,
    )

    if "assistant" not in list_understanding_models():
        pytest.skip("needs a model of requests in the package")
    engine = Engine(loaded.settings, loaded.model, requests=load_understanding(resolve_understanding("assistant")))

    async def use(port: int) -> tuple[str, list[str]]:
        text = (await home_assistant_2026_11(port, demo[96000:])).text
        kinds = []
        async with AsyncTcpClient("127.0.0.1", port) as client:
            await client.write_event(Describe().event())
            assert Info.from_event(await client.read_event()).intent
            for asked in (text, "set an alarm for half past six", "colourless green ideas sleep furiously"):
                await client.write_event(Recognize(asked).event())
                event = await client.read_event()
                kinds.append(Intent.from_event(event).name if Intent.is_type(event.type) else event.type)
        return text, kinds

    text, (heard, typed, _) = served(engine, use)
    assert "alarm" in text
    assert heard == typed
    assert "alarm" in typed
