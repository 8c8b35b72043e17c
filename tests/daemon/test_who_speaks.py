"""A daemon says who speaks, where it was told whose voices to know."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from clients import pieces
from contract import check_contract
from demo import DEMO
from nearword.models import VoiceEncoder, read_audio
from nearword.runtime import EnrolledSpeakers, Final, SpeakersError, SpeculativeFinal
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.settings import ServeSettings
from nearword.runtime.recognition.events import from_dict
from nearword.runtime.recognition.speakers import voices_of
from serving import Ports, served
from websockets.asyncio.client import connect

SETTINGS = ServeSettings(uri=("tcp://127.0.0.1:0",), http="127.0.0.1:0")


@pytest.fixture
def enrolled(bundled, tmp_path: Path) -> Path:
    encoder = VoiceEncoder(bundled)
    known = EnrolledSpeakers(encoder.identity)
    for name, voice in zip(("anna", "ben"), voices_of(bundled, encoder, [read_audio(DEMO)]), strict=True):
        known.add(name, voice)
    known.save(tmp_path / "home.json")
    return tmp_path / "home.json"


def test_events_of_json_clients_say_who_speaks(enrolled: Path, demo: bytes) -> None:
    async def use(ports: Ports) -> list[dict]:
        async with connect(ports.url("/v1/stream")) as socket:
            for piece in pieces(demo, 3200):
                await socket.send(piece)
            await socket.send(json.dumps({"type": "end"}))
            messages = [json.loads(await socket.recv())]
            while messages[-1]["type"] != "done":
                messages.append(json.loads(await socket.recv()))
            return messages[:-1]

    events = [from_dict(message) for message in served(Engine.load(replace(SETTINGS, speakers=str(enrolled))), use)]
    check_contract(events)
    results = [event for event in events if isinstance(event, SpeculativeFinal | Final) and event.text]
    assert [event.speaker.name for event in results if isinstance(event, Final)] == ["anna", "ben"]
    assert all(event.whispered < 0.5 for event in results)


def test_a_file_that_is_no_use_keeps_the_daemon_from_starting(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text("{}")
    with pytest.raises(SpeakersError, match=r"home\.json: damaged"):
        Engine.load(replace(SETTINGS, speakers=str(tmp_path / "home.json")))
