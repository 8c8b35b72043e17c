"""Events in the order of the contract: numbered, passed through the stages, and gathered."""

import logging
from collections.abc import Sequence

from .events import AudioLost, Event, Final, FinalReason, Partial, Reset, SpeculativeFinal, SpeechStarted
from .hypothesis import UtteranceResult
from .session import Session
from .stage import Stage
from .timing import Stopwatch
from .transcript import Word

_log = logging.getLogger(__name__)


class EventWriter:
    """Writes the events of one stream; see ``events`` for what holds of them. Times are seconds of the stream."""

    def __init__(self, session: Session, stages: Sequence[Stage], stopwatch: Stopwatch) -> None:
        self._session, self._stages, self._stopwatch = session, stages, stopwatch
        self._events: list[Event] = []
        self._utterance, self._revision = 1, 0
        self.standing: SpeculativeFinal | None = None
        """The speculation that is neither confirmed nor reset."""

    def take(self) -> list[Event]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def lost(self, time: float, seconds: float, reason: str) -> None:
        """Write that audio is missing."""
        _log.warning("%.3f s of audio lost at %.2f s: %s", seconds, time, reason)
        self._write(AudioLost(self._utterance, self._revision, time, seconds, reason))

    def begin(self, time: float) -> None:
        """Write that an utterance begins."""
        self._write(SpeechStarted(self._utterance, 0, time))

    def partial(self, time: float, text: str, words: tuple[Word, ...], stable: int) -> None:
        """Write the words so far."""
        self._revision += 1
        self._write(Partial(self._utterance, self._revision, time, text, words, stable))

    def speculate(self, time: float, result: UtteranceResult) -> bool:
        """Write a result that is probably the last; returns whether there are words to speculate on."""
        self._revision += 1
        if not result.text:
            return False
        self.standing = SpeculativeFinal(
            self._utterance, self._revision, time, result.text, result.words, result.n_best, result.lattice
        )
        self._write(self.standing)
        return True

    def reset(self, time: float) -> None:
        """Take back the speculation that stands, if one does."""
        if self.standing is not None:
            revision, self.standing = self.standing.revision, None
            self._write(Reset(self._utterance, revision, time))

    def final(self, time: float, reason: FinalReason, result: UtteranceResult) -> None:
        """Write the last result of the utterance; the next one begins after it."""
        confirms = None
        if self.standing is not None and self.standing.text == result.text:
            confirms = self.standing.revision
        else:
            self.reset(time)
        self._write(
            Final(
                self._utterance,
                self._revision + 1,
                time,
                result.text,
                result.words,
                confirms,
                reason,
                result.n_best,
                result.lattice,
            )
        )
        # never the words: a log leaves the device sooner than audio
        _log.debug("utterance %d ended at %.2f s: %s, %d words", self._utterance, time, reason.value, len(result.words))
        self.standing = None
        self._utterance, self._revision = self._utterance + 1, 0

    def _write(self, event: Event) -> None:
        events = [event]
        for stage in self._stages:
            with self._stopwatch.measured(stage.name):
                try:
                    events = [after for before in events for after in stage.take(before)]
                except Exception:
                    _log.error("stage %r failed on %s", stage.name, type(event).__name__)
                    raise
        for each in events:
            self._session.heard(each)
        self._events += events
