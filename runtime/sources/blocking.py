"""A source of audio for code without an event loop: its blocks, one after the other."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

from ...models.samples import Samples
from .source import AudioSource

MOST_WAITING = 200
"""Blocks that may wait to be taken: four seconds of a microphone."""
Lost = Callable[[float, str], object]


class _Queue:
    """A sink that one thread fills and another empties."""

    def __init__(self, lost: Lost | None) -> None:
        self._blocks: queue.Queue[Samples | BaseException | None] = queue.Queue(MOST_WAITING)
        self._lost = lost
        self.closed = False

    def offer(self, samples: Samples) -> None:
        try:
            self._blocks.put_nowait(samples)
        except queue.Full:
            self.lost(len(samples) / 16000, "nobody takes the audio")

    def lost(self, seconds: float, reason: str) -> None:
        if self._lost is not None:
            self._lost(seconds, reason)

    async def put(self, samples: Samples) -> None:
        await asyncio.sleep(0)  # a source that has always more is to hear that it is cancelled
        while not self.closed:
            try:
                self._blocks.put_nowait(samples)
            except queue.Full:
                await asyncio.sleep(0.01)
            else:
                return

    def end(self, error: BaseException | None) -> None:
        while not self.closed:
            try:
                self._blocks.put(error, timeout=0.1)
            except queue.Full:
                continue
            return

    def take(self) -> Samples | BaseException | None:
        return self._blocks.get()


def blocks_of(source: AudioSource, *, lost: Lost | None = None) -> Iterator[Samples]:
    """Yield the audio of a source, [n] at 16 kHz mono float32 each, as it comes; a thread waits for it.

    >>> with contextlib.closing(blocks_of(Microphone())) as blocks:
    ...     for samples in blocks:
    ...         recognizer.accept(samples)

    Closed or left, it ends the source. Where nobody takes live audio in time, the newest is lost.

    Args:
        source: such as ``Microphone``, ``AudioFile``.
        lost: is told in the source's thread of audio that is missing, in seconds, and why;
            ``Recognizer.lost`` is to be called by whoever calls ``accept``.

    Raises:
        NearwordError: what the source raises, after the audio before it.
    """
    sink = _Queue(lost)
    loop = asyncio.new_event_loop()
    task = loop.create_task(source.feed(sink))

    def run() -> None:
        error: BaseException | None = None
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseException as raised:  # noqa: BLE001 (told to who takes the blocks)
            error = raised
        finally:
            loop.close()
        sink.end(error)

    thread = threading.Thread(target=run, name="nearword blocks", daemon=True)
    thread.start()
    try:
        while (block := sink.take()) is not None:
            if isinstance(block, BaseException):
                raise block
            yield block
    finally:
        sink.closed = True
        if not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it may have just ended
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
