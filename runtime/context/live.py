"""Contexts computed while the device speaks, by a thread of their own: there in time, or not at all.

Nothing here is ever waited for. A search asks what is ready; what is late, or went wrong, is none, and the event of the
utterance says so.
"""

import atexit
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from typing_extensions import Self

from .compute import Computed
from .inputs import ContextInput
from .session import SessionContext
from .store import ContextStore
from .tables import EventKind, EventRow
from .weights import Source

LATE = "late"
"""Reason where the context was not ready in time."""
NOTHING = "nothing"
"""Reason where there was nothing that a context could be made of."""
EXIT_SECONDS = 3.0
"""How long the end of the program waits for what is being computed."""
PENDING_EVENTS = 64
"""Events that wait to be stored; with more the oldest are lost."""
_STORED = {
    Source.heard: EventKind.heard,
    Source.reply: EventKind.reply,
    Source.screen: EventKind.screen,
}


class Computes(Protocol):
    """What makes a context of what was said, asked and shown, such as ``ContextModel``."""

    def compute(self, given: ContextInput) -> Computed:
        """Return the context."""


@dataclass(frozen=True)
class Ready:
    """What stands ready for an utterance."""

    computed: Computed | None
    reason: str = ""
    """Why there is none: ``late``, ``nothing``, or what went wrong; ``unfit`` where there is one that was not used."""
    milliseconds: float = 0.0
    """By the clock, from the change to the result."""


NONE_READY = Ready(None, NOTHING)


class LiveContext:
    """Keeps the context of a session computed. Safe to be called from any thread; ``close`` ends its own.

    >>> with LiveContext(context, ContextModel(model)) as live:
    ...     context.reply("Which room?")          # at once; computed while it is spoken
    ...     live.take().computed                   # for the search: what is ready, at once
    """

    def __init__(
        self,
        context: SessionContext,
        model: Computes,
        *,
        store: ContextStore | None = None,
        interaction: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Begin to follow ``context``.

        Args:
            context: of the session.
            model: computes.
            store: where what was said is kept for others; with one, a context is made of what lies there, and only of
                interactions in which speech is expected.
            interaction: name of the interaction in the store, for programs that share it; by default one of its own.
            clock: seconds.
            failed: told what goes wrong in the thread.
        """
        self._context, self._model, self._store, self._clock = context, model, store, clock
        self._interaction = interaction or uuid.uuid4().hex
        self._failed = failed
        self._changed = threading.Condition()
        self._changed_at: float | None = None
        self._deadline: float | None = None
        self._events: deque[tuple[EventKind, tuple[str, ...], str]] = deque(maxlen=PENDING_EVENTS)
        self._revision = -1
        self._ready = NONE_READY
        self._finished_at = 0.0
        self._closed = False
        # a daemon: a disk that hangs must not keep the program from ending
        self._thread = threading.Thread(target=self._run, name="nearword context", daemon=True)
        self._thread.start()
        # a thread that is still in a graph when the interpreter goes takes the whole process down
        atexit.register(self._at_exit)
        context.subscribe(self._note)
        if context.snapshot():
            self._note(Source.entities, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def context(self) -> SessionContext:
        """What is followed."""
        return self._context

    def take(self) -> Ready:
        """Return what is ready for an utterance that begins now; at once."""
        self._context.prune()
        with self._changed:
            if self._revision == self._context.revision:
                late = self._deadline is not None and self._finished_at > self._deadline
                return replace(self._ready, computed=None, reason=LATE) if late else self._ready
            self._changed.notify_all()  # something has outlived its seconds
            return NONE_READY if self._changed_at is None else Ready(None, LATE)

    def wait(self, seconds: float) -> bool:
        """Wait until all that was said is computed, for demonstrations and tests; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._revision == self._context.revision, seconds)

    def close(self) -> None:
        """End the thread, unless something holds it up; the store stays its owner's to close."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(0.1)
        if not self._thread.is_alive():
            atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        self.close()
        self._thread.join(EXIT_SECONDS)

    def _note(self, source: Source, opens_in: float | None) -> None:
        now = self._clock()
        with self._changed:
            self._changed_at = now
            if source in (Source.heard, Source.reply):
                self._deadline = None if opens_in is None else now + opens_in
            if self._store is not None:
                self._remember(source)
            self._changed.notify_all()

    def _remember(self, source: Source) -> None:
        given = self._context.snapshot()
        if source is Source.heard and given.heard:
            self._events.append((EventKind.heard, given.heard[-1:], ""))
        elif source is Source.screen:
            self._events.append((EventKind.screen, given.screen, ""))
        elif source is Source.reply and given.reply:
            self._events.append((EventKind.reply, (given.reply,), ""))
            self._events.append((EventKind.expect_speech, (), given.act.value if given.act else ""))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._revision != self._context.revision)
                if self._closed:
                    return
                revision, began = self._context.revision, self._changed_at or self._clock()
            ready = self._compute()
            with self._changed:
                self._revision, self._finished_at = revision, self._clock()
                self._ready = replace(ready, milliseconds=round(1e3 * (self._finished_at - began), 1))
                self._changed.notify_all()

    def _compute(self) -> Ready:
        try:
            given = self._context.snapshot()
            if self._store is not None:
                given = self._stored(self._store, given)
            return Ready(self._model.compute(given)) if given else NONE_READY
        except Exception as error:  # noqa: BLE001 (whatever it is: recognition goes on without)
            if self._failed is not None:
                self._failed(error)
            return Ready(None, f"{type(error).__name__}: {error}")

    def _stored(self, store: ContextStore, given: ContextInput) -> ContextInput:
        """Write what has happened, and return what the store knows now; nothing unless speech is expected."""
        row: EventRow | None = None
        while self._events:
            kind, texts, act = self._events[0]
            if kind is EventKind.heard:  # what was said before it, and shown, is over
                store.delete(self._interaction)
            row = store.write(self._interaction, kind, texts, act=act)
            self._events.popleft()
        row = row or store.row(self._interaction)
        if row is None or EventKind.expect_speech not in row.events:
            return ContextInput()
        texts_of = store.read(row).texts
        reply = texts_of.get(EventKind.reply, ())
        return replace(
            given,
            reply=reply[0] if reply and given.reply else given.reply,
            screen=texts_of.get(EventKind.screen, ()),
            heard=tuple(dict.fromkeys((*texts_of.get(EventKind.heard, ()), *given.heard))),
        )
