"""OpenAI's interfaces, used by OpenAI's own client."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo import DEMO
from nearword.models import Transducer, read_audio
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.evaluation.word_errors import count_errors
from serving import Ports, served

openai = pytest.importorskip("openai")
soxr = pytest.importorskip("soxr")


def asked(engine: Engine, ask: Callable[[Any], Awaitable[Any]], key: str = "none") -> Any:
    """Use a client of a daemon."""

    async def use(ports: Ports) -> Any:
        async with openai.AsyncOpenAI(base_url=ports.base_url, api_key=key, max_retries=0) as client:
            return await ask(client)

    return served(engine, use)


@pytest.fixture(scope="module")
def all_words(bundled: Transducer) -> str:
    """What a recording says as one text."""
    from nearword.runtime.recognition.segmenter import Segmenter

    segmenter = Segmenter(bundled)
    segmenter.accept(read_audio(DEMO))
    return segmenter.finish().text


def test_a_recording_becomes_its_words(engine: Engine, all_words: str) -> None:
    answer = asked(engine, lambda c: c.audio.transcriptions.create(model="whisper-1", file=DEMO))
    assert answer.text == all_words


def test_a_real_recording_comes_out_right(engine: Engine, speech_folder: Path) -> None:
    path = next(speech_folder.glob("dev/barista/01a50d1b*.flac"))
    answer = asked(engine, lambda c: c.audio.transcriptions.create(model="any", file=path, language="en"))
    expected = "i'd like a single shot mocha with soy milk"
    assert sum(count_errors(expected, answer.text)[1:]) <= 3


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_forms_of_text(engine: Engine, all_words: str, form: str) -> None:
    answer = asked(engine, lambda c: c.audio.transcriptions.create(model="any", file=DEMO, response_format=form))
    assert all(word in answer for word in all_words.split())
    if form != "text":
        assert "00:00:" in answer
    assert answer.startswith("WEBVTT") == (form == "vtt")


def test_verbose_json_has_words_and_segments_with_times(engine: Engine, all_words: str) -> None:
    answer = asked(
        engine,
        lambda c: c.audio.transcriptions.create(
            model="any", file=DEMO, response_format="verbose_json", timestamp_granularities=["word", "segment"]
        ),
    )
    assert answer.text == all_words
    assert [word.word for word in answer.words] == all_words.split()
    assert all(0 <= word.start < word.end <= answer.duration for word in answer.words)
    assert " ".join(segment.text for segment in answer.segments) == all_words
    assert answer.segments[0].avg_logprob <= 0


def test_streamed_deltas_add_up_to_the_text(engine: Engine, all_words: str) -> None:
    async def ask(client: Any) -> list[Any]:
        stream = await client.audio.transcriptions.create(model="any", file=DEMO, stream=True)
        return [event async for event in stream]

    events = asked(engine, ask)
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == all_words
    assert "".join(event.delta for event in events[:-1]) == all_words


def test_keywords_come_back_as_they_are_written(engine: Engine) -> None:
    answer = asked(
        engine, lambda c: c.audio.transcriptions.create(model="any", file=DEMO, prompt="My Brother, ON MY WAY")
    )
    assert "My Brother" in answer.text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"file": ("x.wav", b"no audio at all")}, "x.wav"),
        ({"file": ("x.wav", b"")}, "x.wav"),
        ({"file": DEMO, "language": "de"}, "knows en"),
        ({"file": DEMO, "response_format": "diarized_json"}, "response_format"),
    ],
)
def test_what_cannot_be_done_is_told(engine: Engine, wrong: dict, says: str) -> None:
    with pytest.raises(openai.BadRequestError, match=says):
        asked(engine, lambda c: c.audio.transcriptions.create(**{"model": "any", **wrong}))


def test_too_large_a_recording_is_refused(engine_with: Callable[..., Engine]) -> None:
    engine = engine_with(max_upload=5000)
    with pytest.raises(openai.APIStatusError) as told:
        asked(engine, lambda c: c.audio.transcriptions.create(model="any", file=("a.wav", bytes(2_000_000))))
    assert told.value.status_code == 413


def test_models_are_listed(engine: Engine) -> None:
    async def ask(client: Any) -> list[str]:
        return [model.id async for model in client.models.list()]

    assert asked(engine, ask) == ["assistant-en"]


def realtime(engine: Engine, audio: bytes, detection: dict | None, count: int) -> list[Any]:
    """Append audio as voice applications do; returns the events up to the last of so many completed ones."""

    async def ask(client: Any) -> list[Any]:
        events = []
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            events.append(await connection.recv())
            await connection.session.update(
                session={
                    "type": "transcription",
                    "audio": {
                        "input": {
                            "format": {"type": "audio/pcm", "rate": 24000},
                            "transcription": {"model": "any", "language": "en"},
                            "turn_detection": detection,
                        }
                    },
                }
            )
            events.append(await connection.recv())
            for start in range(0, len(audio), 9600):
                chunk = base64.b64encode(audio[start : start + 9600]).decode()
                await connection.input_audio_buffer.append(audio=chunk)
            if detection is None:
                await connection.input_audio_buffer.commit()
            while sum(event.type.endswith("transcription.completed") for event in events) < count:
                events.append(await asyncio.wait_for(connection.recv(), 30))
        return events

    return asked(engine, ask)


@pytest.fixture(scope="module")
def at_24k(demo: bytes) -> bytes:
    samples = soxr.resample(np.frombuffer(demo, "<i2") / 32768, 16000, 24000)
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def test_a_session_tells_of_speech_and_completes_each_utterance(
    engine: Engine, at_24k: bytes, demo_texts: list[str]
) -> None:
    events = realtime(engine, at_24k, {"type": "server_vad", "silence_duration_ms": 500}, 2)
    kinds = [event.type for event in events]
    assert kinds[:2] == ["session.created", "session.updated"]
    assert not [event for event in events if event.type == "error"]
    completed = [event for event in events if event.type.endswith("transcription.completed")]
    assert len(completed) == len(demo_texts)
    wrong = sum(sum(count_errors(a, b.transcript)[1:]) for a, b in zip(demo_texts, completed, strict=True))
    assert wrong <= 2
    for one in completed:
        of_item = [event for event in events if getattr(event, "item_id", None) == one.item_id]
        order = [event.type.rsplit(".", 1)[1] for event in of_item]
        assert order[0] == "speech_started"
        assert order.index("speech_stopped") < order.index("committed") < order.index("completed")
        deltas = "".join(event.delta for event in of_item if event.type.endswith("delta"))
        assert deltas.strip() == one.transcript
    assert completed[0].item_id != completed[1].item_id


def test_without_turn_detection_the_client_ends_the_utterance(
    engine: Engine, at_24k: bytes, demo_texts: list[str]
) -> None:
    events = realtime(engine, at_24k, None, 1)
    completed = [event for event in events if event.type.endswith("transcription.completed")]
    assert len(completed) == 1
    assert len(completed[0].transcript.split()) > len(demo_texts[0].split())
    assert not [event for event in events if "speech_st" in event.type]


def test_what_is_wrong_in_a_session_is_told_and_it_goes_on(engine: Engine) -> None:
    async def ask(client: Any) -> list[Any]:
        async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            assert (await connection.recv()).type == "session.created"
            told = []
            for message in (
                {"type": "response.create", "event_id": "mine"},
                {"type": "input_audio_buffer.append", "audio": "no base64!"},
                {"type": "input_audio_buffer.commit"},
                {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {"format": 3}}}},
            ):
                await connection.send(message)
                told.append(await connection.recv())
            await connection.input_audio_buffer.clear()
            assert (await connection.recv()).type == "input_audio_buffer.cleared"
            return told

    told = asked(engine, ask)
    assert [event.type for event in told] == ["error"] * 4
    assert told[0].error.event_id == "mine"
    assert all(event.error.type == "invalid_request_error" for event in told)


def test_only_who_has_the_token_gets_in(engine_with: Callable[..., Engine], tmp_path: Path, all_words: str) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("open-sesame\nsecond\n")
    engine = engine_with(http_token_file=str(tokens))
    with pytest.raises(openai.AuthenticationError):
        asked(engine, lambda c: c.audio.transcriptions.create(model="any", file=DEMO), key="guess")
    answer = asked(engine, lambda c: c.audio.transcriptions.create(model="any", file=DEMO), key="second")
    assert answer.text == all_words
