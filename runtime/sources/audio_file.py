"""A recording as a source."""

import asyncio
import time
from pathlib import Path

from ...models import SAMPLE_RATE, stream_audio
from .source import AudioSink

BLOCK_SECONDS = 0.1


class AudioFile:
    """A file that libsndfile reads: as fast as the recogniser goes, or in real time."""

    def __init__(self, path: str | Path, *, real_time: bool = False) -> None:
        self.path = Path(path)
        self.real_time = real_time

    async def feed(self, sink: AudioSink) -> None:
        """Put the file's audio into the sink.

        Raises:
            AudioError: the file cannot be used; names it.
        """
        began, position = time.monotonic(), 0
        for block in stream_audio(self.path, block_seconds=BLOCK_SECONDS):
            position += len(block)
            if self.real_time:
                await asyncio.sleep(began + position / SAMPLE_RATE - time.monotonic())
            await sink.put(block)
