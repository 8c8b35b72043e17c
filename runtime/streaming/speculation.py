"""Work that starts before the speaker has certainly finished, and acts only once they have."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...models import NearwordError
from ..recognition.events import Event, Final, Reset, SpeculativeFinal

T = TypeVar("T")
GRACE_SECONDS = 1.0
"""How long cancelled handlers are waited for at the end."""
MOST_LEFT = 8
"""While so many withdrawn handlers ignore their cancellation, no new one is started on speculation."""
_log = logging.getLogger(__name__)


class WithdrawnError(NearwordError):
    """The speculation a handler works on was wrong; what it has done so far counts for nothing."""


class Gate:
    """What a handler passes before it does anything that cannot be undone."""

    def __init__(self) -> None:
        self._final: asyncio.Future[Final] = asyncio.get_running_loop().create_future()

    @property
    def is_open(self) -> bool:
        """Whether the words are certain."""
        return self._final.done() and self._final.exception() is None

    async def wait(self) -> Final:
        """Wait until the words are certain; returns the confirming ``Final``, whose text is the handler's own.

        Raises:
            WithdrawnError: they were wrong. A handler that lives on after its cancellation still ends here.
        """
        return await asyncio.shield(self._final)

    def _open(self, final: Final) -> None:
        if not self._final.done():
            self._final.set_result(final)

    def _withdraw(self) -> None:
        if not self._final.done():
            self._final.set_exception(WithdrawnError("the speculation was withdrawn"))
            self._final.exception()  # seen: no handler need wait for it


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What the handler made of an utterance."""

    final: Final
    """The utterance."""
    value: T | None
    """What the handler returned; None if it failed."""
    error: BaseException | None
    """What the handler raised."""
    speculated: bool
    """Whether it had begun before the ``Final``."""

    def result(self) -> T:
        """Return what the handler returned, or raise what it raised."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


Handler = Callable[[SpeculativeFinal | Final, Gate], Awaitable[T]]
"""Gets the words and the gate to pass before acting."""


async def speculate(
    events: AsyncIterable[Event], handler: Handler[T], *, grace: float = GRACE_SECONDS
) -> AsyncGenerator[Event | Outcome[T], None]:
    """Run ``handler`` as early as possible on each utterance; yields the events, and an ``Outcome`` per utterance.

    The handler starts as a task on ``SpeculativeFinal``, is cancelled on ``Reset``, and its outcome is yielded after
    the ``Final`` that confirms it, as soon as it is there; without a confirmed speculation it starts on the ``Final``.
    Utterances without words have no outcome. Events go on while handlers work: one that takes its time, raises, or
    ignores its cancellation stops nothing. At the end of the events the last outcomes are waited for.

    >>> async def answer(words, gate):
    ...     reply = await think(words.text)    # may be for nothing
    ...     await gate.wait()                  # from here on it is certain
    ...     await say(reply)
    >>> async for item in speculate(pipeline.run(source), answer):
    ...     print(item)

    Close it (``contextlib.aclosing``) if you leave it early: handlers are cancelled then, and waited for ``grace``
    seconds at most.
    """
    work: _Work[T] = _Work(handler)
    iterator = aiter(events)
    following: asyncio.Task[Event | None] | None = None
    failure: Exception | None = None
    ended = False
    try:
        while not ended or work.certain:
            if following is None and not ended:
                following = asyncio.create_task(_next(iterator), name="nearword speculate")
            waiting = {task for task in (following, *work.certain) if task is not None}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for outcome in work.take_outcomes():
                yield outcome
            if following is None or not following.done():
                continue
            done, following = following, None
            try:
                event = done.result()
            except Exception as error:  # noqa: BLE001 (raised again below, after the last outcomes)
                event, failure = None, error
            if event is None:
                ended = True
                work.withdraw()
                continue
            work.take(event)
            yield event
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        await work.close(grace)
    if failure is not None:
        raise failure


async def _next(iterator: AsyncIterator[Event]) -> Event | None:
    return await anext(iterator, None)


class _Work(Generic[T]):
    """The handlers' tasks: at most one on speculation, those that are certain, those withdrawn but still running."""

    def __init__(self, handler: Handler[T]) -> None:
        self._handler = handler
        self._standing: tuple[SpeculativeFinal, asyncio.Task[T], Gate] | None = None
        self.certain: dict[asyncio.Task[T], tuple[Final, bool]] = {}
        self._left: set[asyncio.Task[T]] = set()

    def take(self, event: Event) -> None:
        if isinstance(event, SpeculativeFinal):
            self.withdraw()
            if len(self._left) < MOST_LEFT:
                gate = Gate()
                self._standing = event, self._start(event, gate), gate
        elif isinstance(event, Reset):
            self.withdraw()
        elif isinstance(event, Final):
            self._finish(event)

    def _start(self, event: SpeculativeFinal | Final, gate: Gate) -> "asyncio.Task[T]":
        async def run() -> T:
            return await self._handler(event, gate)

        return asyncio.create_task(run(), name=f"nearword handler {event.utterance}.{event.revision}")

    def _finish(self, final: Final) -> None:
        standing, self._standing = self._standing, None
        if standing is not None and final.confirms == standing[0].revision:
            _, task, gate = standing
            gate._open(final)  # noqa: SLF001 (only here are gates opened)
            self.certain[task] = final, True
            return
        if standing is not None:
            self._drop(standing[1], standing[2])
        if final.text:
            gate = Gate()
            gate._open(final)  # noqa: SLF001
            self.certain[self._start(final, gate)] = final, False

    def withdraw(self) -> None:
        standing, self._standing = self._standing, None
        if standing is not None:
            self._drop(standing[1], standing[2])

    def _drop(self, task: "asyncio.Task[T]", gate: Gate) -> None:
        gate._withdraw()  # noqa: SLF001
        task.cancel()
        self._left.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: "asyncio.Task[T]") -> None:
        self._left.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, WithdrawnError):
            _log.debug("a withdrawn handler failed", exc_info=error)

    def take_outcomes(self) -> list[Outcome[T]]:
        outcomes = []
        for task in [task for task in self.certain if task.done()]:
            final, speculated = self.certain.pop(task)
            if task.cancelled():
                error: BaseException | None = asyncio.CancelledError("the handler was cancelled")
            else:
                error = task.exception()
            outcomes.append(Outcome(final, None if error else task.result(), error, speculated))
        return outcomes

    async def close(self, grace: float) -> None:
        """Cancel what runs, and wait for it, but not for ever."""
        self.withdraw()
        for task in self.certain:
            task.cancel()
        running = {task for task in (*self.certain, *self._left) if not task.done()}
        if running:
            _, stubborn = await asyncio.wait(running, timeout=grace)
            for task in stubborn:
                _log.warning("%s ignores its cancellation and is left behind", task.get_name())
        for task in self.certain:
            if task.done() and not task.cancelled():
                task.exception()
