"""What an embedding program reads in its log; and that it reads nothing unless it asks, and never words."""

import asyncio
import logging
import subprocess
import sys

import pytest
from demo import DEMO
from nearword.models import Transducer, read_audio
from nearword.runtime import Final, Pipeline, Recognizer, load_model


def test_loading_streams_and_lost_audio_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "nearword")
    model = load_model()

    async def main() -> list[str]:
        async with Pipeline(model) as pipeline, pipeline.run(DEMO) as stream:
            return [event.text async for event in stream if isinstance(event, Final)]

    texts = asyncio.run(main())
    recognizer = Recognizer(model)
    recognizer.accept(read_audio(DEMO)[:16000])
    recognizer.lost(0.25, "the device is gone")
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert any(level == "INFO" and message.startswith("model assistant-en loaded") for level, message in told)
    assert ("INFO", "stream begun") in told
    assert any(level == "INFO" and message.startswith("stream ended after") for level, message in told)
    assert any(
        level == "WARNING" and "0.250 s of audio lost at 1.00 s: the device" in message for level, message in told
    )
    assert sum(level == "DEBUG" and message.startswith("utterance") for level, message in told) == len(texts)
    assert all(text and text not in message for text in texts for _, message in told), "words do not belong in a log"


def test_a_stage_that_fails_is_named(bundled: Transducer, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        name = "translation"

        def take(self, event: object) -> list[object]:
            raise ZeroDivisionError(str(event))

    recognizer = Recognizer(bundled, stages=[Broken()])
    with pytest.raises(ZeroDivisionError):
        recognizer.accept(read_audio(DEMO))
    assert [record.getMessage() for record in caplog.records] == ["stage 'translation' failed on SpeechStarted"]


def test_without_a_handler_nothing_is_printed() -> None:
    program = (
        "import numpy as np\n"
        "from nearword.runtime import Recognizer, load_model\n"
        "Recognizer(load_model()).lost(0.2, 'gone')\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (result.stdout, result.stderr) == ("", "")
