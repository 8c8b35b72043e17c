"""Raw samples that come as bytes: from a socket, a pipe, standard input, any async iterator."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import IO, Any

from ...models import SAMPLE_RATE, Channel, RawDecoder, RawFormat
from ...models.samples import Samples
from .source import AudioSink

READ_BYTES = 16_384
BLOCK_SAMPLES = 8_000
"""Larger pieces are put into the sink in parts, so that the queue's bound holds."""


class RawStream:
    """Interleaved samples without a header, of any rate and kind."""

    def __init__(
        self,
        source: AsyncIterable[bytes] | asyncio.StreamReader,
        *,
        rate: float = SAMPLE_RATE,
        sample_format: str = "int16",
        channels: int = 1,
        channel: Channel = "mix",
        live: bool = False,
        name: str = "raw stream",
    ) -> None:
        """Make a source.

        Args:
            source: an async iterator of bytes, or an asyncio stream. Samples may be cut anywhere.
            rate: samples per second.
            sample_format: how samples are written, as ``models.RawFormat`` has it: ``int16``, ``float32``, ``mulaw``.
            channels: interleaved channels.
            channel: the one to hear, from 1 on, or ``mix``.
            live: it does not wait for the recogniser; the oldest audio is lost instead.
            name: for messages.

        Raises:
            AudioError: a rate, format or number of channels that is not possible.
        """
        self._decoder = RawDecoder(RawFormat(sample_format, rate, channels), channel, source=name)
        self._source = source
        self._live = live

    async def feed(self, sink: AudioSink) -> None:
        """Put the stream's audio into the sink; a cut sample at the end is dropped.

        Raises:
            AudioError: a sample is not a finite number.
        """
        async with aclosing(_pieces(self._source)) as pieces:
            async for piece in pieces:
                await self._put(sink, self._decoder.decode(piece))
        await self._put(sink, self._decoder.finish())

    async def _put(self, sink: AudioSink, samples: Samples) -> None:
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[start : start + BLOCK_SAMPLES]
            if self._live:
                sink.offer(block)
            else:
                await sink.put(block)


async def _pieces(source: AsyncIterable[bytes] | asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    if isinstance(source, asyncio.StreamReader):
        # not line by line, as iterating it would
        while data := await source.read(READ_BYTES):
            yield data
        return
    try:
        async for data in source:
            yield data
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()


async def read_pipe(file: IO[Any] | None = None) -> AsyncGenerator[bytes, None]:
    """Yield what comes through a pipe, a terminal, a socket or a file (by default standard input), as it comes.

    No thread waits in a read, so cancelling it leaves nothing behind. The file stays open.
    """
    number = (sys.stdin.buffer if file is None else file).fileno()
    copy = os.fdopen(os.dup(number), "rb", buffering=0)
    blocking = os.get_blocking(number)
    reader = asyncio.StreamReader()
    transport = None
    try:
        try:
            loop = asyncio.get_running_loop()
            loop.add_reader(copy, lambda: None)  # refuses here what the transport would refuse where nobody hears
            loop.remove_reader(copy)
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await loop.connect_read_pipe(lambda: protocol, copy)
        except (ValueError, PermissionError):
            # a regular file or /dev/null: always ready, and nothing that could be waited for
            while data := copy.read(READ_BYTES):
                yield data
                await asyncio.sleep(0)
        else:
            while data := await reader.read(READ_BYTES):
                yield data
    finally:
        if transport is None:
            copy.close()
        else:
            transport.close()
            # the loop's mark on it is seen by all who share it, the shell among them
            os.set_blocking(number, blocking)
