"""What the daemon boosts: lists from files, names of a Home Assistant, and what a client says for its own stream."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...biasing import Biasing, ClassSettings, Phrase, Refused, Tokenizer, read_source
from ...models import Transducer
from ..recognition.biasing import bias_vocabulary, surprise_of
from .spelling import Spelling

NAME, TERM = "name", "term"
"""Classes of what a client says for one utterance: names of things, and other words of the domain."""
TERM_STRENGTH = 0.7
"""Strength of terms relative to that of names."""
MOST_OWN = 2_000
"""Phrases of one stream; beyond them names come first."""
KEPT = 4
"""Lists of clients that are kept ready: most say the same with every utterance."""


@dataclass(frozen=True)
class Boosted:
    """What one stream boosts, and how names are spelled in it."""

    biasing: Biasing | None = None
    """None where nothing is boosted."""
    spelling: Spelling = field(default_factory=Spelling)


class PhraseBook:
    """All that is boosted. Its methods take their time: they belong into a thread; any thread may call them."""

    def __init__(self, model: Transducer, strength: float = 0.5) -> None:
        self._vocabulary = bias_vocabulary(model.vocabulary, surprise_of(model), model.info.context_size)
        self._plain = Tokenizer(self._vocabulary, inflect=False)
        self._strength = strength
        self._files: tuple[str, ...] = ()
        self._names: tuple[Phrase, ...] = ()
        self._lock = threading.Lock()
        self._own: OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], Boosted] = OrderedDict()
        self.shared = Boosted(Biasing(self._vocabulary))
        """What streams boost that say nothing themselves."""

    def load(self, files: Sequence[str], strength: float) -> list[Refused]:
        """Read the lists of files, in the place of those before; returns what is not used, and why.

        Raises:
            BiasingError: a file cannot be read; all is as before then.
        """
        with self._lock:
            before = self._files, self._strength
            self._files, self._strength = tuple(files), strength
            try:
                return self._rebuild()
            except BaseException:
                self._files, self._strength = before
                raise

    def name(self, names: Iterable[Phrase]) -> list[Refused]:
        """Boost these names, in the place of those before; they come out as they are written."""
        with self._lock:
            names = tuple(names)
            if names == self._names:
                return []
            self._names = names
            return self._rebuild()

    def own(self, names: Sequence[str], terms: Sequence[str] = ()) -> Boosted:
        """Return what a stream boosts that has names and terms of its own, beside all else; names first, if too many.

        Streams that say the same share it.
        """
        key = tuple(names)[:MOST_OWN], tuple(terms)[: max(0, MOST_OWN - len(names))]
        if not any(key):
            return self.shared
        with self._lock:
            if key in self._own:
                self._own.move_to_end(key)
                return self._own[key]
            biasing = None if self.shared.biasing is None else self.shared.biasing.layer()
            own, weaker = [Phrase(text, NAME) for text in key[0]], [Phrase(text, TERM) for text in key[1]]
            if biasing is not None:
                biasing.set_class(TERM, ClassSettings(self._strength * TERM_STRENGTH))
                biasing.add_all([*own, *weaker])
            boosted = self._own[key] = Boosted(biasing, self.spelling([*own, *weaker]))
            if len(self._own) > KEPT:
                self._own.popitem(last=False)
            return boosted

    def spelling(self, phrases: Iterable[Phrase] = ()) -> Spelling:
        """Return how names are spelled for a stream that has these of its own: they come first."""
        return Spelling([*phrases, *self._names], self._plain)

    def _rebuild(self) -> list[Refused]:
        biasing = Biasing(self._vocabulary, settings=ClassSettings(self._strength))
        refused: list[Refused] = []
        for file in self._files:
            refused += biasing.load(read_source(file))
        refused += biasing.add_all(self._names)
        self.shared = Boosted(biasing, self.spelling())
        self._own.clear()
        return refused
