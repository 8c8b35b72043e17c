"""A session that knows the dialogue: what is said, asked and shown reaches the searches of its stream."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...biasing import Biasing, ClassSettings
from ...models import Transducer
from ..recognition.events import Event, Final
from ..recognition.second_pass import SecondPass
from ..recognition.session import PRIVATE_CLASSES, Session
from ..search import DEFAULT_SEARCH, BeamSearch, Search, SearchOptions, TwoSearches
from ..search.language import Fusion
from .acts import Act
from .choice import accepts, evidence
from .compute import Computed, ContextModel
from .inputs import ContextInput
from .live import NONE_READY, LiveContext, Ready
from .session import NEXT_TURN, UNTIL_REPLACED, Life, SessionContext
from .store import ContextStore

if TYPE_CHECKING:
    from ...lattice.rescoring import Masking
    from ..recognition.reading import Reading

MASKED = "context"
"""Class of the placeholders that stand for words of the context where something leaves the device."""
UNFIT = "unfit"
"""Reason where what was said is no answer to what came before."""
OUTSIDE = 0.25
"""Share of the strength that phrases of a context keep where no template has their class."""
_log = logging.getLogger("nearword.context")


class ContextSession(Session):
    """A ``Session`` with the context of a dialogue.

    >>> session = ContextSession(load_model())
    >>> recognizer = Recognizer(session.model, session=session)
    >>> session.reply("Do you mean Meg Jones or Meg Bauer?", act="clarify")     # "bauer" is no power now

    What is said, asked and shown may come from any thread; it is computed in one of its own and used by the next
    utterance, if it is ready before that has a word. ``close`` ends the thread.
    """

    def __init__(
        self,
        model: Transducer,
        options: SearchOptions = DEFAULT_SEARCH,
        *,
        context_model: ContextModel | None = None,
        store: ContextStore | None = None,
        interaction: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with no turns.

        Args:
            model: that listens; may be shared.
            options: how to search.
            context_model: what computes contexts, to share between the sessions of one model.
            store: where what was said is kept for other processes, for a short time and encrypted.
            interaction: its name there; by default one of its own.
            clock: seconds, for what lives for some seconds.

        Raises:
            LanguageModelError: the model's own language model cannot be read.
        """
        super().__init__(model, options, clock=clock)
        self._classes: set[str] = set()
        bias = self._options.bias
        self._boosted = self.phrases.layer() if bias is None or isinstance(bias, Biasing) else None
        self._informed = self._options if self._boosted is None else replace(self._options, bias=self._boosted)
        self._model = ContextModel(model) if context_model is None else context_model
        self._turn_lock = threading.Lock()
        self._speaking = self._declined = False
        self._taken = NONE_READY
        self._before: Computed | None = None
        """Of the utterance before."""
        self.context = SessionContext(clock=clock)
        """What came before."""
        self._live = LiveContext(self.context, self, store=store, interaction=interaction, clock=clock, failed=_told)

    def reply(
        self, text: str, act: Act | str | None = None, *, life: Life = NEXT_TURN, opens_in: float | None = None
    ) -> None:
        """Note what the device says, and what it asks for; see ``SessionContext.reply``."""
        self.context.reply(text, act, life=life, opens_in=opens_in)

    def screen(self, lines: Iterable[str], *, life: Life = NEXT_TURN) -> None:
        """Note what is on the display, in the place of what was."""
        self.context.screen(lines, life=life)

    def entities(self, cls: str, entries: Iterable[str], *, life: Life = UNTIL_REPLACED) -> None:
        """Note the entries of a class that services brought up, in the place of what was."""
        self.context.entities(cls, entries, life=life)

    def device(self, name: str = "", *, room: str = "", life: Life = UNTIL_REPLACED) -> None:
        """Note which device is spoken to, and where it is."""
        self.context.device(name, room=room, life=life)

    @property
    def informed_options(self) -> SearchOptions:
        """How the search that goes by the context does so: what it boosts beside what others do."""
        return self._informed

    @property
    def expects_letters(self) -> bool:
        """Whether the speaker was asked to spell."""
        computed = self._taken.computed
        return computed is not None and computed.act is Act.spell

    @property
    def used(self) -> Ready:
        """The context of the utterance that is under way, or was last; why there is none, or why it was not used."""
        return replace(self._taken, reason=UNFIT) if self._declined else self._taken

    def prefers_informed(self, search: BeamSearch, informed: "Reading", plain: "Reading") -> bool:
        """Return whether an utterance goes by its context: see ``choice``."""
        computed = self._taken.computed
        self._declined = computed is None or not accepts(computed.weights.choice, evidence(search, informed, plain))
        return not self._declined

    def wait(self, seconds: float) -> bool:
        """Wait until all that was said is computed; returns whether it is. Recognition itself never does."""
        return self._live.wait(seconds)

    def close(self) -> None:
        """End the thread that computes."""
        self._live.close()

    def compute(self, given: ContextInput) -> Computed:
        """Compute a context and boost its phrases; called in the thread that computes."""
        computed = self._model.compute(given)
        with self._turn_lock:
            if not self._speaking:
                self._boost(computed)
        return computed

    def heard(self, event: Event) -> None:
        """Take note of an event of the stream: each one, in order, in the recogniser's thread."""
        super().heard(event)
        if isinstance(event, Final):
            self._speaking = False
            self.context.heard(event)

    def begin_search(self) -> Search:
        """Return a search for a new utterance."""
        search: Search = super().begin_search()
        if isinstance(search, BeamSearch) and isinstance(search.language, Fusion):
            search = TwoSearches(search)
        self._speaking = self._declined = False
        self._before = self._taken.computed or self._before
        self._taken = NONE_READY
        self._use(search)
        return search

    def refresh(self, search: Search) -> None:
        """Move a search to what is boosted now, and to the context that is ready now if it has no word yet."""
        if not self._speaking:
            if search.tokens:
                self._speaking = True
            else:
                self._use(search)
        if not isinstance(search, TwoSearches):
            super().refresh(search)
            return
        super().refresh(search.plain)
        if search.informed is not None:
            self._informed.refresh(search.informed)

    def private(self, classes: Iterable[str] = PRIVATE_CLASSES) -> "Masking":
        """Return the words that may not leave the device: also all that the context brought."""
        from ...lattice.rescoring import Masking  # noqa: PLC0415 (only where something leaves the device)

        masking, given = super().private(classes), self.context.snapshot()
        texts = [*given.screen, *(text for entries in given.entities.values() for text in entries)]
        # results of the utterance before may be on their way still
        computed = [one for one in (self._taken.computed, self._before) if one is not None]
        texts += [given.device, given.room, *(text for one in computed for text in one.private)]
        words = [text for text in dict.fromkeys(texts) if text]
        return Masking({**masking.classes, MASKED: words}) if words else masking

    def _use(self, search: Search) -> None:
        """Let a search without words have another beside it that goes by what is ready."""
        ready = self._live.take()
        if ready is not self._taken and isinstance(search, TwoSearches):
            base, informed = search.plain.language, None
            if ready.computed is not None and isinstance(base, Fusion):
                informed = search.plain.fork()
                informed.rebias(self._informed.phrases(self.model))
                informed.relanguage(self._model.language(ready.computed, base))
            search.inform(informed)
        self._taken = ready

    def _boost(self, computed: Computed) -> None:
        """Boost the phrases of a context in the place of those before, and do here all of it that takes time."""
        layer = self._boosted
        if layer is None:
            return
        for cls in self._classes - computed.phrases.keys():
            layer.replace(cls, ())
        self._classes = set(computed.phrases)
        elsewhere = self.phrases
        known = {phrase.cls for phrase in elsewhere.phrases} if self._classes else set()
        for cls, phrases in computed.phrases.items():
            if cls not in known:  # somebody else's list keeps its own strength
                strength = computed.weights.strength
                layer.set_class(cls, ClassSettings(strength, outside=OUTSIDE))
            layer.replace(cls, phrases)
        templated = elsewhere.templated
        layer.set_templates(
            [text for cls, texts in computed.templates.items() if cls not in templated for text in texts]
        )
        self._informed.phrases(self.model)
        SecondPass.of(self.model, self._informed)


def _told(error: Exception) -> None:
    _log.warning("no context: %s: %s", type(error).__name__, error)
