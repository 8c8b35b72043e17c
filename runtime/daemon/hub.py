"""What goes on in all streams, for those who watch; and what was said lately, for those who ask later."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from ...lattice import Lattice
from ...lattice.understanding import Understanding
from ..recognition.events import Command, Event, Final, SpeculativeFinal

RECENT = 32
"""Utterances that are remembered."""
RECENT_SECONDS = 120.0
"""How long they are."""
WAITING = 256
"""Messages that wait for one watcher; then the oldest are dropped, and it is told how many."""
WATCHERS = 8


@dataclass(frozen=True)
class Utterance:
    """One that has ended."""

    stream: int
    protocol: str
    text: str
    """As it was given to the client."""
    lattice: Lattice | None
    command: Command | None
    understanding: Understanding | None
    at: float
    """By the clock of ``time.monotonic``."""


class Watcher:
    """One who watches: an async iterator of messages."""

    def __init__(self) -> None:
        self._messages: deque[dict[str, Any]] = deque()
        self._arrived = asyncio.Event()
        self._dropped = 0

    def put(self, message: dict[str, Any]) -> None:
        """Take a message; never waits."""
        if len(self._messages) >= WAITING:
            self._messages.popleft()
            self._dropped += 1
        self._messages.append(message)
        self._arrived.set()

    async def get(self) -> dict[str, Any]:
        """Return the next message; waits for one."""
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return {"type": "dropped", "messages": dropped}
        return self._messages.popleft()


class Hub:
    """Lives in the event loop."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []
        self._recent: deque[Utterance] = deque(maxlen=RECENT)

    @property
    def is_watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def watch(self) -> Watcher | None:
        """Return a new watcher; None if there are enough."""
        if len(self._watchers) >= WATCHERS:
            return None
        watcher = Watcher()
        self._watchers.append(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    def tell(self, message: dict[str, Any]) -> None:
        """Hand a message to all who watch."""
        for watcher in self._watchers:
            watcher.put(message)

    def heard(self, stream: int, protocol: str, event: Event, **more: Any) -> None:
        """Note an event of a stream."""
        if self._watchers:
            lattice = isinstance(event, SpeculativeFinal | Final)
            self.tell({"stream": stream, "protocol": protocol, **more, "event": event.to_dict(lattice=lattice)})

    def remember(self, stream: int, protocol: str, text: str, event: Final) -> None:
        """Keep what was said, for a while."""
        known = event.lattice, event.command, event.understanding
        self._recent.append(Utterance(stream, protocol, text, *known, time.monotonic()))

    def recall(self, text: str) -> Utterance | None:
        """Return the latest utterance of exactly this text, letter case and spaces apart, if it is not long ago."""
        wanted = " ".join(text.casefold().split())
        limit = time.monotonic() - RECENT_SECONDS
        for utterance in reversed(self._recent):
            if utterance.at >= limit and " ".join(utterance.text.casefold().split()) == wanted:
                return utterance
        return None
