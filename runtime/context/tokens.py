"""Words and phrases of a context in the tokens of a model, and how rare they are."""

from ...biasing import Phrase, Tokenizer
from ...lattice.language import NgramModel
from ...models import Transducer
from ..recognition.biasing import bias_vocabulary
from .network import Ways

MOST_WORDS = 20_000
"""That are remembered."""
MAX_CHARACTERS = 200
"""Of a phrase; the rest is left out."""
WAYS_PER_WORD, WAYS_PER_PHRASE = 2, 4
"""Tokenisations that are used, the likeliest."""


class ContextTokens:
    """Tokenisations, remembered. Safe to share."""

    def __init__(self, model: Transducer, general: NgramModel | None) -> None:
        """Prepare for a model, and for its own language model, by which words are rare."""
        self._tokenizer = Tokenizer(bias_vocabulary(model.vocabulary), inflect=False)
        self._general = general
        self._words: dict[str, Ways] = {}
        self._rare: dict[str, float] = {}

    def word(self, word: str) -> Ways:
        """Return the tokenisations of a word, the likeliest first; none if the model cannot write it."""
        if word not in self._words:
            if len(self._words) > MOST_WORDS:
                self._words.clear()
            self._words[word] = self._tokenizer.words(word)
        return self._words[word]

    def phrase(self, text: str) -> Ways:
        """Return the tokenisations of a phrase as it is spoken; none if the model cannot write a word of it."""
        if not text.split():
            return ()
        ways: list[tuple[int, ...]] = [()]
        spellings = self._tokenizer.spellings(Phrase(text[:MAX_CHARACTERS], "contact"))
        for word in spellings[0].split() if spellings else ():
            options = self.word(word)
            if not options:
                return ()
            ways = [(*way, *option) for option in options[:WAYS_PER_WORD] for way in ways][:WAYS_PER_PHRASE]
        return [way for way in ways if way]

    def rarity(self, word: str) -> float:
        """Return the log-probability of a word in general speech; 0 without a language model."""
        if self._general is None:
            return 0.0
        if word not in self._rare:
            ways = self.word(word)
            total, state = 0.0, 0
            for token in ways[0] if ways else ():
                score, state = self._general.follow(state, token)
                total += score
            self._rare[word] = total
        return self._rare[word]
