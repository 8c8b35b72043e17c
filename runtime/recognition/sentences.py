"""At the end of an utterance: how probable what may have been said is as a whole sentence.

While the search runs, an n-gram counts that knows the last few word pieces. A small transformer (``lm.onnx`` of a
model's folder) knows the sentence from its beginning; it scores every word of the lattice in one run.
"""

import threading
from collections.abc import Callable
from functools import cached_property
from weakref import WeakKeyDictionary

from ...lattice import Lattice
from ...lattice.rescoring.sentences import SentenceWeights, rescore_sentences
from ...models import Transducer
from ...models.sentence_model import FILE, SentenceModel
from ..search import SearchOptions
from ..search.language import Fusion, own_language
from .word_pieces import piece_encoder

WEIGHTS = SentenceWeights(language=0.3, token_bonus=0.5)
"""How much it counts: least errors on the dev sets."""

_known: WeakKeyDictionary[Transducer, "Sentences"] = WeakKeyDictionary()
_lock = threading.Lock()


class Sentences:
    """What a model's language model of whole sentences does to lattices; shared by all streams of a model."""

    def __init__(self, model: Transducer) -> None:
        self._folder, self._vocabulary = model.info.folder, model.vocabulary

    @classmethod
    def of(cls, model: Transducer, options: SearchOptions) -> "Sentences | None":
        """Return what ``options`` ask for; None without, or where the model has none."""
        if not options.sentences or options.beam.max_active == 1 or not is_own(model, options):
            return None
        with _lock:
            if model not in _known:
                if not (model.info.folder / FILE).is_file():
                    return None
                _known[model] = cls(model)
            return _known[model]

    @cached_property
    def network(self) -> SentenceModel:
        """The network, loaded when it is first asked for.

        Raises:
            ModelFileError: its file cannot be used.
        """
        return SentenceModel(self._folder / FILE, len(self._vocabulary))

    @cached_property
    def tokenize(self) -> Callable[[str], list[int]]:
        """What splits words into pieces.

        Raises:
            ModelFileError: there is no ``bpe.model``.
        """
        return piece_encoder(self._vocabulary, self._folder)

    def prepare(self) -> None:
        """Load what is needed, before anybody waits for it."""
        _ = self.network, self.tokenize

    def rescore(self, lattice: Lattice) -> Lattice:
        """Return a lattice whose language scores know whole sentences."""
        if not lattice.num_arcs:
            return lattice
        return rescore_sentences(lattice, self.network, self.tokenize, WEIGHTS)


def is_own(model: Transducer, options: SearchOptions) -> bool:
    """Return whether the language model of a search is that of the model's folder, at whatever weight."""
    if not isinstance(options.language, Fusion):
        return options.language == "own"
    own = own_language(model)
    return own is not None and options.language.language is own.language
