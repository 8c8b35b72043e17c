"""What belongs to one stream of audio and changes while it runs: the phrases of this turn, the turns themselves.

Options say what is wanted and are shared by any number of streams; nothing that one stream does is seen by another.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...biasing.phrases import DEFAULT_CLASS
from ...models import NearwordError, Transducer
from ..search import DEFAULT_SEARCH, BeamSearch, LiveBias, Search, SearchOptions

if TYPE_CHECKING:
    from ...biasing import Biasing, Phrase, Refused
    from ...lattice.rescoring import Masking
    from .events import Event
    from .reading import Reading

SCREEN = "screen"
"""Class of what is on display right now."""
PRIVATE_CLASSES = frozenset({"contact", DEFAULT_CLASS})
"""Classes whose words do not leave the device unless somebody chooses so: people, and lists of which nobody said what
they hold."""


class SessionError(NearwordError, RuntimeError):
    """A session cannot do what it is asked for with the options it was made with."""


class Session:
    """The changing part of a stream. May live on over several streams, as a dialogue does.

    >>> session = Session(load_model(), SearchOptions(bias=contacts))
    >>> session.show([Phrase("Bohemian Rhapsody")])       # for the next utterance
    >>> recognizer = Recognizer(session.model, session=session)

    Phrases may be edited from any thread; all else is the recogniser's to call.
    """

    def __init__(
        self,
        model: Transducer,
        options: SearchOptions = DEFAULT_SEARCH,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no turns.

        Args:
            model: that listens; may be shared.
            options: how to search; phrase lists in it are seen, and never written to.
            clock: seconds, for what lives for some seconds.
        """
        self.model = model
        self._options = options
        self._layer: LiveBias | None = None
        if isinstance(options.bias, LiveBias):
            self._layer = options.bias.layer()
            self._options = replace(options, bias=self._layer)
        self._clock = clock
        self._lock = threading.RLock()
        self._screen_turns: int | None = None
        self._screen_until: float | None = None
        self._private: tuple[int, frozenset[str], Masking] | None = None
        """Edits of the phrases, classes, and what was private then."""
        self.turns = 0
        """Utterances that have ended."""

    @property
    def options(self) -> SearchOptions:
        """How to search for this stream: its phrases are the session's own."""
        return self._options

    @property
    def phrases(self) -> "Biasing":
        """What is boosted for this stream alone, above the lists of the options.

        Raises:
            SessionError: the options' bias is a scorer of somebody's own, to which nothing can be added.
        """
        from ...biasing import Biasing  # noqa: PLC0415 (only where phrases are boosted)

        with self._lock:
            if self._layer is None and self._options.bias is None:
                from .biasing import bias_vocabulary, surprise_of  # noqa: PLC0415 (likewise)

                vocabulary = bias_vocabulary(
                    self.model.vocabulary, surprise_of(self.model), self.model.info.context_size
                )
                self._layer = Biasing(vocabulary)
                self._options = replace(self._options, bias=self._layer)
            if not isinstance(self._layer, Biasing):
                raise SessionError("phrases cannot be added to a bias scorer of one's own; give a Biasing in its place")
            return self._layer

    def show(
        self, phrases: "Iterable[Phrase]", *, turns: int | None = 1, seconds: float | None = None
    ) -> "list[Refused]":
        """Say what is on the screen, in the place of what was; returns what is not used, and why.

        It is forgotten after so many turns or seconds, whichever comes first; None is never.
        """
        with self._lock:
            refused = self.phrases.replace(SCREEN, phrases)
            self._screen_turns = turns
            self._screen_until = None if seconds is None else self._clock() + seconds
            return refused

    def heard(self, event: "Event") -> None:
        """Take note of an event of the stream: each one, in order, in the recogniser's thread."""
        from .events import Final  # noqa: PLC0415 (10 ms that recordings without events do not need)

        if isinstance(event, Final):
            self.end_turn()

    def end_turn(self) -> None:
        """Note that an utterance has ended: what was boosted for it is forgotten."""
        with self._lock:
            self.turns += 1
            if self._screen_turns is not None:
                self._screen_turns -= 1
                if self._screen_turns <= 0:
                    self._forget_screen()

    @property
    def informed_options(self) -> SearchOptions:
        """How the search that knows more goes, where there is one; see ``TwoSearches``."""
        return self._options

    @property
    def expects_letters(self) -> bool:
        """Whether the speaker was asked to spell, for the search that knows more."""
        return False

    def prefers_informed(self, search: BeamSearch, informed: "Reading", plain: "Reading") -> bool:
        """Return whether to believe what the search that knows more came to, and not what the plain one did."""
        del search
        return informed.best.total > plain.best.total

    def begin_search(self) -> Search:
        """Return a search for a new utterance.

        Raises:
            LanguageModelError: the model's own language model cannot be read.
        """
        self._look_at_clock()
        return self._options.begin(self.model)

    def refresh(self, search: Search) -> None:
        """Move a search to what is boosted now, if that is something else."""
        self._look_at_clock()
        self._options.refresh(search)

    def private(self, classes: Iterable[str] = PRIVATE_CLASSES) -> "Masking":
        """Return the words that may not leave the device: those of boosted phrases of these classes."""
        from ...lattice.rescoring import Masking  # noqa: PLC0415 (only where something leaves the device)

        wanted, layer = frozenset(cls.lower() for cls in classes), self._layer
        if layer is None:
            return Masking()
        from ...biasing import Biasing  # noqa: PLC0415 (only where phrases are boosted)

        if not isinstance(layer, Biasing):
            return Masking()
        edits = layer.edits
        if self._private is None or self._private[:2] != (edits, wanted):
            found: dict[str, list[str]] = {}
            for phrase in layer.phrases:
                if phrase.cls in wanted:
                    found.setdefault(phrase.cls, []).append(phrase.text)
            self._private = edits, wanted, Masking(found)
        return self._private[2]

    def _look_at_clock(self) -> None:
        if self._screen_until is not None and self._clock() >= self._screen_until:
            with self._lock:
                self._forget_screen()

    def _forget_screen(self) -> None:
        self._screen_turns = self._screen_until = None
        self.phrases.replace(SCREEN, ())
