"""A recording, or a pipe, as a source."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...models import SAMPLE_RATE, AudioStream, Channel, RawFormat
from ..streaming.waiting import uncancelled
from .source import AudioSink

BLOCK_SECONDS = 0.1


class AudioFile:
    """A file, as fast as the recogniser goes or in real time; or a pipe, as it comes.

    What is read is what ``models.AudioStream`` reads. It is read in a thread: a pipe may keep one waiting.
    """

    def __init__(
        self,
        path: str | Path | int,
        *,
        real_time: bool = False,
        channel: Channel = "mix",
        raw: RawFormat | None = None,
        name: str | None = None,
    ) -> None:
        """Describe a source; nothing is opened before it feeds.

        Args:
            path: the file, a named pipe, or the number of an open file descriptor (0 is standard input).
            real_time: give a file's audio at the speed of speech.
            channel: the one to hear, from 1 (the left) on, or ``mix``.
            raw: how samples without a header are written.
            name: for messages; by default the path.
        """
        self.path = path if isinstance(path, int) else Path(path)
        self.real_time = real_time
        self._channel: Channel = channel
        self._raw = raw
        self._name = name

    async def feed(self, sink: AudioSink) -> None:
        """Put the audio into the sink.

        Raises:
            AudioError: it cannot be used; names it.
        """
        audio = AudioStream(self.path, BLOCK_SECONDS, channel=self._channel, raw=self._raw, name=self._name)
        slow = self.real_time and audio.is_regular
        loop, began, position = asyncio.get_running_loop(), time.monotonic(), 0
        executor = ThreadPoolExecutor(1, "nearword file")
        try:
            while (block := await loop.run_in_executor(executor, next, audio, None)) is not None:
                position += len(block)
                if slow:
                    await asyncio.sleep(began + position / SAMPLE_RATE - time.monotonic())
                await sink.put(block)
        finally:
            audio.stop()
            try:
                await uncancelled(loop.run_in_executor(executor, audio.close))
            finally:
                executor.shutdown()
