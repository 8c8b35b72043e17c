"""The bounded queue between a source of audio and the worker thread."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

from ...models import SAMPLE_RATE, to_samples
from ...models.samples import Samples

TOO_SLOW = "the recogniser is too slow"


@dataclass(frozen=True)
class Gap:
    """A place where audio is missing."""

    seconds: float
    reason: str


@dataclass(frozen=True)
class AudioQueueStatistics:
    """What went through the queue."""

    seconds_in: float
    """Audio put in, the dropped included."""
    seconds_waiting: float
    """Audio in the queue now."""
    seconds_waiting_most: float
    """The most that ever waited."""
    seconds_lost: float
    """Dropped here, or told as lost by the source."""


class AudioQueue:
    """Many threads may put, one takes. Holds at most ``limit_seconds`` of audio.

    Made in the event loop, whose tasks ``put`` into it; ``offer``, ``lost`` and ``close`` are for any thread.
    """

    def __init__(self, limit_seconds: float) -> None:
        self._limit = int(limit_seconds * SAMPLE_RATE)
        self._items: deque[Samples | Gap] = deque()
        self._changed = threading.Condition()
        self._loop = asyncio.get_running_loop()
        self._room: asyncio.Future[None] | None = None
        self._closed = False
        self._waiting = self._waiting_most = self._in = 0
        self._lost = 0.0

    def offer(self, samples: Samples) -> None:
        """Take live audio; drops the oldest if it does not fit.

        Raises:
            AudioError: what is no audio.
        """
        samples = to_samples(samples)
        with self._changed:
            self._append(samples)
            dropped = 0
            while self._waiting > self._limit and self._items:
                item = self._items.popleft()
                if isinstance(item, Gap):
                    # goes on in the gap that is made here, at the same place
                    self._lost -= item.seconds
                    dropped += round(item.seconds * SAMPLE_RATE)
                else:
                    self._waiting -= len(item)
                    dropped += len(item)
            if dropped:
                head = self._items[0] if self._items else None
                before = head.seconds if isinstance(head, Gap) else 0.0
                if isinstance(head, Gap):
                    self._items.popleft()
                self._items.appendleft(Gap(before + dropped / SAMPLE_RATE, TOO_SLOW))
                self._lost += dropped / SAMPLE_RATE

    async def put(self, samples: Samples) -> None:
        """Take audio when there is room for it, or nothing waits.

        Raises:
            AudioError: what is no audio.
        """
        samples = to_samples(samples)
        while True:
            with self._changed:
                if self._closed or not self._items or self._waiting + len(samples) <= self._limit:
                    self._append(samples)
                    return
                if self._room is None or self._room.done():
                    self._room = self._loop.create_future()
                room = self._room
            # several may wait for the same room; each looks again
            await asyncio.shield(room)

    def lost(self, seconds: float, reason: str) -> None:
        """Mark a gap at the end of what is queued."""
        with self._changed:
            if self._closed:
                return
            last = self._items[-1] if self._items else None
            if isinstance(last, Gap) and last.reason == reason:
                self._items.pop()
                self._items.append(Gap(last.seconds + seconds, reason))
            else:
                self._items.append(Gap(seconds, reason))
            self._lost += seconds
            self._changed.notify()

    def close(self, *, at_once: bool = False) -> None:
        """Take no more; ``get`` ends after what is queued, or at once."""
        with self._changed:
            self._closed = True
            if at_once:
                self._items.clear()
                self._waiting = 0
            self._changed.notify()
            room, self._room = self._room, None
        if room is not None:
            self._loop.call_soon_threadsafe(_wake, room)

    def get(self) -> Samples | Gap | None:
        """Return the next item, in the worker thread; waits for one. None says that the queue is closed and empty."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if not self._items:
                return None
            item = self._items.popleft()
            if not isinstance(item, Gap):
                self._waiting -= len(item)
            room, self._room = self._room, None
        if room is not None:
            self._loop.call_soon_threadsafe(_wake, room)
        return item

    @property
    def statistics(self) -> AudioQueueStatistics:
        """What went through so far."""
        with self._changed:
            return AudioQueueStatistics(
                self._in / SAMPLE_RATE,
                self._waiting / SAMPLE_RATE,
                self._waiting_most / SAMPLE_RATE,
                self._lost,
            )

    def _append(self, samples: Samples) -> None:
        if self._closed or not len(samples):
            return
        self._items.append(samples)
        self._in += len(samples)
        self._waiting += len(samples)
        self._waiting_most = max(self._waiting_most, min(self._waiting, self._limit))
        self._changed.notify()


def _wake(room: "asyncio.Future[None]") -> None:
    if not room.done():
        room.set_result(None)
