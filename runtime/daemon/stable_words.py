"""Words that will not change any more, each once: what a protocol whose deltas add up can send."""

from ..recognition.events import Final, Partial
from .streams import Stream


class StableWords:
    """Of one stream; put together, all that is new makes the text."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._ended: list[str] = []
        self._sent = 0

    @property
    def text(self) -> str:
        """The words of the utterances that have ended, names as they are written."""
        return self._stream.boosted.spelling.text(self._ended)

    def new_of(self, event: Partial | Final) -> str:
        """Return what an event adds, with the space before it; empty if nothing.

        Words that may yet become a name are held back until the end of their utterance.
        """
        if isinstance(event, Final):
            self._ended += [word.text for word in event.words]
            words, open_end = self._ended, False
        else:
            words, open_end = [*self._ended, *(word.text for word in event.words[: event.stable])], True
        spelled, _ = self._stream.boosted.spelling.spelled(words, open_end=open_end)
        new = spelled[self._sent :]
        space = " " if self._sent and new else ""
        self._sent += len(new)
        return space + " ".join(new)
