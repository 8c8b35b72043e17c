"""A stage: one transformation of a stream's events that keeps their contract."""

from collections.abc import Callable, Sequence
from typing import Protocol

from .events import Event


class Stage(Protocol):
    """Events in, events out, in the recogniser's thread and at the moment of each: the audio has come no further.

    Belongs to one stream. Gets every event, in order, and returns what takes its place: mostly the same one, or one
    with more in it. What comes out keeps the contract (see ``events``); a ``Final`` that confirms has the understanding
    of what it confirms. Stages that wait for something outside are ``streaming.stages``.
    """

    @property
    def name(self) -> str:
        """What its time is counted under in statistics."""
        ...

    def take(self, event: Event) -> Sequence[Event]:
        """Return what takes the place of an event."""
        ...


MakeStage = Callable[[], Stage]
"""Makes the stage of a stream; called where the stream is recognised, so it may take its time."""
