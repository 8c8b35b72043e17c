"""Understanding by a grammar as a stage: every result says what the utterance asks for."""

from collections.abc import Sequence
from dataclasses import replace

from .decode_loop import DecodeLoop
from .events import Command, Event, Final, SpeculativeFinal, SpeechStarted
from .grammar import GrammarSearches, GrammarUnderstanding
from .understanding_stage import understanding_of_command


class GrammarStage:
    """Gives ``SpeculativeFinal`` and ``Final`` a ``command`` and its ``understanding``, by searches of the audio.

    What a confirmed speculation asks for is not looked at again: the final result asks for the same.
    """

    name = "grammar"

    def __init__(self, loop: DecodeLoop, grammar: GrammarUnderstanding) -> None:
        """Begin a stream; utterances are searched for commands from their beginning on."""
        self._loop, self._grammar = loop, grammar
        self._searches: GrammarSearches | None = None
        self._speculated: tuple[int, Command] | None = None
        """Revision and command of the latest speculative result."""

    def take(self, event: Event) -> Sequence[Event]:
        """Return the event, a result with what it asks for."""
        if isinstance(event, SpeechStarted):
            self._searches, self._speculated = self._grammar.searches(), None
            self._loop.follow(self._searches)
        elif isinstance(event, SpeculativeFinal):
            command = self._command(event)
            self._speculated = event.revision, command
            return (replace(event, command=command, understanding=understanding_of_command(command)),)
        elif isinstance(event, Final):
            standing = self._speculated
            known = standing is not None and standing[0] == event.confirms
            command = standing[1] if standing is not None and known else self._command(event)
            if self._searches is not None:
                self._loop.unfollow(self._searches)
            self._searches = None
            return (replace(event, command=command, understanding=understanding_of_command(command)),)
        return (event,)

    def _command(self, event: SpeculativeFinal | Final) -> Command:
        if self._searches is None or not event.text:
            return Command(accepted=False)
        return self._searches.understood(self._loop.encoder.completion).command
