"""Stages that wait for something outside, in the event loop: what they are, and how they are put in a row."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import TypeAlias

from ..recognition.events import Event
from ..recognition.stage import Stage

AsyncStage: TypeAlias = Callable[[AsyncIterable[Event]], AsyncGenerator[Event, None]]
"""Events in, events out, keeping the contract. A generator that owns its tasks: they end with it (``aclose``)."""


def as_async(stage: Stage) -> AsyncStage:
    """Return a stage of the recogniser's thread as one that may stand behind those that wait; it must be quick."""

    async def passed(events: AsyncIterable[Event]) -> AsyncGenerator[Event, None]:
        async for event in events:
            for after in stage.take(event):
                yield after

    return passed


async def staged(events: AsyncIterable[Event], *stages: AsyncStage) -> AsyncGenerator[Event, None]:
    """Yield events after they have passed all stages, the first one first.

    Closed, it closes the stages, the last one first; ``events`` stays the caller's.

    >>> async with aclosing(staged(pipeline.run(source), RescoringStage(rescorer, session.private))) as events:
    ...     async for event in events:
    ...         print(event)
    """
    generators: list[AsyncGenerator[Event, None]] = []
    passed = events
    for stage in stages:
        generators.append(stage(passed))
        passed = generators[-1]
    try:
        async for event in passed:
            yield event
    finally:
        for generator in reversed(generators):
            await generator.aclose()
