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
from ..search import DEFAULT_SEARCH, Search, SearchOptions
from ..search.beam import BeamSearch
from ..search.language import Fusion
from .acts import Act
from .compute import Computed, ContextModel
from .inputs import ContextInput
from .language import ContextLanguage
from .live import NONE_READY, LiveContext, Ready
from .session import NEXT_TURN, UNTIL_REPLACED, Life, SessionContext
from .store import ContextStore

if TYPE_CHECKING:
    from ...lattice.rescoring import Masking

MASKED = "context"
"""Class of the placeholders that stand for words of the context where something leaves the device."""
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
        self._boosted: Biasing | None = None
        self._classes: set[str] = set()
        own = self._options.bias
        if own is None or isinstance(own, Biasing):
            self._boosted = self.phrases.layer()
            self._options = replace(self._options, bias=self._boosted)
        self._model = ContextModel(model) if context_model is None else context_model
        self._turn_lock = threading.Lock()
        self._speaking = False
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
    def expects_letters(self) -> bool:
        """Whether the speaker was asked to spell."""
        computed = self._taken.computed
        return computed is not None and computed.act is Act.spell

    @property
    def used(self) -> Ready:
        """The context of the utterance that is under way, or was last; why there is none."""
        return self._taken

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
        search = super().begin_search()
        self._speaking = False
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
        super().refresh(search)

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
        """Let a search without words go by what is ready."""
        ready = self._live.take()
        if ready is self._taken or (ready.computed is None and self._taken.computed is None):
            self._taken = ready
            return
        if isinstance(search, BeamSearch):
            language = search.language
            base = language.base if isinstance(language, ContextLanguage) else language
            if isinstance(base, Fusion):
                if ready.computed is not None:
                    search.relanguage(self._model.language(ready.computed, base))
                else:
                    search.relanguage(base)
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
        self._options.phrases(self.model)
        SecondPass.of(self.model, self._options)


def _told(error: Exception) -> None:
    _log.warning("no context: %s: %s", type(error).__name__, error)
