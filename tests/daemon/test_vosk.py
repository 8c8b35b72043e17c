"""The Vosk server's protocol, with a client that works as that server's own examples do."""

import json
from pathlib import Path

import pytest
from clients import heard_by_library, pcm, pieces, quiet
from nearword.runtime.daemon.engine import Engine
from serving import Ports, served
from websockets.asyncio.client import connect


async def vosk_client(ports: Ports, audio: bytes, config: dict) -> list[dict]:
    """Send a chunk, wait for its answer, and so on; then the end."""
    answers = []
    async with connect(ports.url("/vosk")) as socket:
        await socket.send(json.dumps({"config": {"sample_rate": 16000, **config}}))
        for piece in pieces(audio, 4000):
            await socket.send(piece)
            answers.append(json.loads(await socket.recv()))
        await socket.send('{"eof" : 1}')
        answers.append(json.loads(await socket.recv()))
    return answers


def test_every_chunk_has_one_answer_and_the_results_are_the_words(
    engine: Engine, demo: bytes, demo_texts: list[str]
) -> None:
    answers = served(engine, lambda ports: vosk_client(ports, demo, {"words": 1}))
    results = [answer for answer in answers if "partial" not in answer]
    assert [answer["text"] for answer in results if answer["text"]] == demo_texts
    word = results[0]["result"][0]
    assert word["word"] == demo_texts[0].split()[0]
    assert 0 <= word["start"] < word["end"]
    assert 0 <= word["conf"] <= 1
    partials = [answer["partial"] for answer in answers if "partial" in answer]
    assert any(partials)
    assert all(demo_texts[0].startswith(partial[:4]) for partial in partials[:4] if partial)


def test_a_real_recording_comes_out_right(engine: Engine, speech_folder: Path) -> None:
    audio = pcm(next(speech_folder.glob("dev/barista/01a50d1b*.flac"))) + quiet(1.0)
    answers = served(engine, lambda ports: vosk_client(ports, audio, {}))
    texts = [answer["text"] for answer in answers if answer.get("text")]
    assert texts == heard_by_library(engine.model, audio)


def test_alternatives_are_given_where_they_are_wanted(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    answers = served(engine, lambda ports: vosk_client(ports, demo, {"max_alternatives": 3, "words": False}))
    found = next(answer for answer in answers if "alternatives" in answer)["alternatives"]
    assert 1 <= len(found) <= 3
    assert found[0]["text"] == demo_texts[0]
    assert "result" not in found[0]


def test_phrases_may_be_given(engine: Engine, demo: bytes, demo_texts: list[str]) -> None:
    answers = served(engine, lambda ports: vosk_client(ports, demo, {"phrase_list": ["my brother", "[unk]"]}))
    assert any(answer.get("text") for answer in answers)


@pytest.mark.parametrize("message", ["{", "[]", '{"config": 3}', '{"config": {"sample_rate": "x"}}', '{"hello": 1}'])
def test_what_is_no_message_ends_the_connection_with_a_reason(engine: Engine, message: str) -> None:
    async def use(ports: Ports) -> dict:
        async with connect(ports.url("/vosk")) as socket:
            await socket.send(message)
            return json.loads(await socket.recv())

    assert served(engine, use)["type"] == "error"
