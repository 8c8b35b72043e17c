"""Waiting that cancellation does not cut short."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def uncancelled(future: "asyncio.Future[T]") -> T:
    """Return a future's result, waiting for it also when cancelled; the cancellation is raised once it is done."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not future.cancelled():
            future.exception()  # seen, so that it is not reported as never retrieved
        raise cancelled
    return future.result()
