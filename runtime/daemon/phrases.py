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
        self._version = 0
        self._own: OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], tuple[int, Boosted]] = OrderedDict()
        self.shared = Boosted()
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

    def own(self, names: Sequence[str], terms: Sequence[str] = (), *, kept: bool = True) -> Boosted:
        """Return what a stream boosts that has names and terms of its own, beside all else.

        ``kept`` says that streams which say the same may share it; one that is going to change it gets its own.
        """
        key = tuple(names)[:MOST_OWN], tuple(terms)[: max(0, MOST_OWN - len(names))]
        if kept and not any(key):
            return self.shared
        with self._lock:
            version, boosted = self._own.get(key, (-1, Boosted()))
            if kept and version == self._version:
                self._own.move_to_end(key)
                return boosted
            boosted = self._built(*key)[0]
            if kept:
                self._own[key] = self._version, boosted
                if len(self._own) > KEPT:
                    self._own.popitem(last=False)
            return boosted

    def respelled(self, boosted: Boosted, phrases: Iterable[Phrase]) -> Boosted:
        """Return the same with these names spelled as they are written, before those of the daemon."""
        return Boosted(boosted.biasing, Spelling([*phrases, *self._names], self._plain))

    def _rebuild(self) -> list[Refused]:
        self.shared, refused = self._built((), ())
        self._version += 1
        self._own.clear()
        return refused

    def _built(self, names: Sequence[str], terms: Sequence[str]) -> tuple[Boosted, list[Refused]]:
        biasing = Biasing(self._vocabulary, settings=ClassSettings(self._strength))
        refused: list[Refused] = []
        for file in self._files:
            refused += biasing.load(read_source(file))
        own = [Phrase(text, NAME) for text in names]
        weaker = [Phrase(text, TERM) for text in terms]
        if weaker:
            biasing.set_class(TERM, ClassSettings(self._strength * TERM_STRENGTH))
        refused += biasing.add_all([*self._names, *own, *weaker])
        return Boosted(biasing, Spelling([*own, *self._names, *weaker], self._plain)), refused
