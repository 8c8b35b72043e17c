"""What came of the context, in the events."""

from collections.abc import Sequence
from dataclasses import replace

from ..recognition.events import ContextUse, Event, Final
from .context_session import ContextSession


class ContextStage:
    """A ``Stage`` that says in each ``Final`` which context was used, or why none was."""

    name = "context"

    def __init__(self, session: ContextSession) -> None:
        self._session = session

    def take(self, event: Event) -> Sequence[Event]:
        """Return the event; a final one with its ``context``."""
        if not isinstance(event, Final):
            return (event,)
        used = self._session.used
        computed = used.computed
        use = ContextUse(
            () if computed is None else computed.sources,
            "" if computed is None else computed.act.value,
            used.reason,
            used.milliseconds,
        )
        return (replace(event, context=use),)
