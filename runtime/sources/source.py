"""What a source of audio is."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Protocol

import numpy.typing as npt

from ...models import SAMPLE_RATE, AudioConverter, Channel
from ...models.samples import Samples


class AudioSink(Protocol):
    """Where a source puts its audio: the bounded queue before the recogniser."""

    def offer(self, samples: Samples) -> None:
        """Take live audio, [n], 16 kHz mono float32, from any thread, at once.

        If the recogniser is behind, the oldest audio is dropped for it and told as ``AudioLost``. The array belongs
        to the sink from here on.
        """
        ...

    def lost(self, seconds: float, reason: str) -> None:
        """Say, from any thread, that audio is missing at this place."""
        ...

    async def put(self, samples: Samples) -> None:
        """Take audio that can wait: returns when there is room. Cancelled, it has taken nothing."""
        ...


class AudioSource(Protocol):
    """Audio from somewhere. One use: feed once."""

    async def feed(self, sink: AudioSink) -> None:
        """Put all audio into the sink; returns at the end of the audio.

        Cancellation stops it: it closes what it opened and lets the ``CancelledError`` through.
        """
        ...


class Blocks:
    """Any async iterator of arrays, as a source: [n] or [n, channels], of any integer or floating-point type."""

    def __init__(
        self,
        blocks: AsyncIterable[npt.ArrayLike],
        *,
        rate: float = SAMPLE_RATE,
        channel: Channel = "mix",
        live: bool = False,
    ) -> None:
        """Make a source.

        Args:
            blocks: what gives the arrays.
            rate: samples per second.
            channel: the one to hear, from 1 on, or ``mix``.
            live: it does not wait for the recogniser; the oldest audio is lost instead.

        Raises:
            AudioError: no such rate or channel.
        """
        self._converter = AudioConverter(rate, channel)
        self._blocks = blocks
        self._live = live

    async def feed(self, sink: AudioSink) -> None:
        """Put the iterator's arrays into the sink; a live one never waits. A generator is closed at the end.

        Raises:
            AudioError: what came is no audio.
        """
        try:
            async for block in self._blocks:
                await self._put(sink, self._converter.accept(block))
            await self._put(sink, self._converter.finish())
        finally:
            if isinstance(self._blocks, AsyncGenerator):
                await self._blocks.aclose()

    async def _put(self, sink: AudioSink, samples: Samples) -> None:
        if self._live:
            sink.offer(samples)
        else:
            await sink.put(samples)
