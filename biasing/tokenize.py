"""Phrases to tokens: what somebody may say for what is written, and how the model may write that."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .numerals import readings
from .phrases import Phrase, Refused, problem_of, shortened
from .readings import in_order, said
from .vocabulary import BiasVocabulary

MAX_TOKENS = 64
"""Tokens of one phrase."""
MAX_SPELLINGS = 8
"""Spellings of one phrase, apart from plurals and letter case."""
MAX_WAYS = 8
"""Tokenisations of one spelling."""
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u0060\u00b4\uff07", "'"))
_SIGNS = {"&": " and ", "+": " plus ", "%": " percent ", "@": " at ", "°": " degrees "}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_DOTTED = re.compile(r"\b(?:[^\W\d_]\.[ ]?){2,}")
_CAPITALS = re.compile(r"\b[A-Z]{2,4}\b")


@dataclass(frozen=True)
class TokenizedPhrase:
    """A phrase in the tokens of a model."""

    phrase: Phrase
    ways: tuple[tuple[int, ...], ...]
    """Tokenisations, the likeliest of the first spelling first."""
    spellings: tuple[str, ...]
    """What may be said for it."""

    @property
    def length(self) -> int:
        """Tokens of the likeliest tokenisation: what weights are normalised by."""
        return len(self.ways[0])


@dataclass(frozen=True)
class Tokenizer:
    """Makes tokens of phrases, for one model."""

    vocabulary: BiasVocabulary
    ways: int = 2
    """Tokenisations per spelling, at most; more match when the model writes a rare word in an unusual way."""
    inflect: bool = True
    """Whether the possessive of names and the plural of other phrases count as the phrase."""

    def tokenize(self, phrase: Phrase, lexicon: frozenset[str] = frozenset()) -> TokenizedPhrase | Refused:
        """Return a phrase in tokens, or why it cannot be used.

        ``lexicon`` are words that compounds may be split into, beside those that are one token of the model.
        """
        problem = problem_of(phrase)
        if problem is None:
            spellings = self.spellings(phrase, lexicon)
            ways: dict[tuple[int, ...], None] = {}
            for spelling in spellings:
                for way in self._ways(spelling):
                    ways.setdefault(way)
            if ways and len(next(iter(ways))) <= MAX_TOKENS:
                return TokenizedPhrase(phrase, tuple(way for way in ways if len(way) <= MAX_TOKENS), tuple(spellings))
            problem = self._problem(spellings, next(iter(ways), ()))
        return Refused(phrase.line, shortened(phrase.text), problem, phrase.source)

    def tokenize_all(self, phrases: Iterable[Phrase]) -> tuple[list[TokenizedPhrase], list[Refused]]:
        """Return all phrases that can be used in tokens, and why the others cannot."""
        phrases = list(phrases)
        # names are no lexicon: Anderson is not "anders on"
        lexicon = frozenset(
            word
            for phrase in phrases
            if phrase.cls != "contact" and " " in phrase.text and len(phrase.text) <= 200
            for word in phrase.text.lower().split()
            if len(word) > 2 and word.isalpha()
        )
        used: list[TokenizedPhrase] = []
        refused: list[Refused] = []
        for phrase in phrases:
            result = self.tokenize(phrase, lexicon)
            if isinstance(result, TokenizedPhrase):
                used.append(result)
            else:
                refused.append(result)
        return used, refused

    def words(self, word: str) -> tuple[tuple[int, ...], ...]:
        """Return the tokenisations of one word of a template, as the model may write it."""
        return tuple(dict.fromkeys(self._ways(self._plain(word, " "))))

    def spellings(self, phrase: Phrase, lexicon: frozenset[str] = frozenset()) -> list[str]:
        """Return what may be said for a phrase, words with single spaces; the plainest first."""
        is_name = phrase.cls == "contact"
        text = said(in_order(phrase.text) if is_name else phrase.text, is_name=is_name)
        text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
        found: dict[str, None] = {}
        for written in _writings(text):
            for dash in (" ", "") if "-" in written.strip("- ") else (" ",):
                for spelled in self._numbers(written):
                    found.setdefault(self._plain(spelled, dash))
        found.pop("", None)
        if phrase.cls != "contact":
            for plain in list(found)[:2]:
                found.setdefault(" ".join(self._split(word, lexicon) for word in plain.split()))
        spellings = list(found)[:MAX_SPELLINGS]
        if self.inflect:
            spellings += [inflected for plain in spellings for inflected in self._inflections(plain, phrase.cls)]
        return list(dict.fromkeys(spellings))

    def _numbers(self, text: str) -> list[str]:
        """Return the text with figures as the model writes them: as they are, or in words."""
        if not re.search("[0-9]", text) or set("0123456789") <= self.vocabulary.letters:
            return [text]
        found = [""]
        for part in re.split("([0-9]+)", text):
            options = [f" {said} " for said in readings(part)] if part[:1].isdecimal() and part.isascii() else [part]
            found = [before + option for option in options for before in found][:MAX_SPELLINGS]
        return found

    def _plain(self, text: str, dash: str) -> str:
        """Return the letters and apostrophes of a text, and what else the model has tokens for, single spaces."""
        if text.isascii() and text.replace(" ", "").isalnum():
            return " ".join(text.split())
        letters = self.vocabulary.letters
        out = []
        for char in self.vocabulary.folded(text):
            if char.isalnum() or unicodedata.category(char)[0] == "M" or char in letters:
                out.append(char)
            elif char == "'":
                pass  # a model without apostrophes writes "megs"
            elif char in "-\u2010\u2011":
                out.append(dash)
            else:
                out.append(_SIGNS.get(char, " "))
        return " ".join(filter(None, (word.strip("'") for word in "".join(out).split())))

    def _split(self, word: str, lexicon: frozenset[str]) -> str:
        """Return a compound as its two words, if both are known: livingroom as living room."""
        lower = word.lower()
        known = self.vocabulary.whole_words
        if len(word) < 6 or lower in known:
            return word
        for place in range(len(word) - 3, 2, -1):
            head, tail = lower[:place], lower[place:]
            if (head in lexicon or head in known) and (tail in lexicon or tail in known):
                return f"{word[:place]} {word[place:]}"
        return word

    def _inflections(self, text: str, cls: str) -> list[str]:
        last = text[-1:].lower()
        if not ("a" <= last <= "z"):
            return []
        if cls == "contact":
            if "'" not in self.vocabulary.letters:
                return [f"{text}s"]
            return [f"{text}'s", f"{text}'"] if last == "s" else [f"{text}'s"]
        if text[-2:].lower() in ("ch", "sh") or last in "sxz":
            return [f"{text}es"] if last != "s" or text[-2:].lower() == "ss" else []
        if last == "y" and text[-2:-1].lower() not in tuple("aeiou"):
            return [f"{text[:-1]}ies"]
        return [f"{text}s"]

    def _ways(self, spelling: str) -> list[tuple[int, ...]]:
        """Return the tokenisations of a spelling; those that differ least from the likeliest first."""
        best: list[tuple[int, tuple[int, ...]]] = [(0, ())]
        for word in spelling.split():
            options = self.vocabulary.ranked(word, self.ways)
            if not options:
                return []
            if len(options) == 1:
                best = [(rank, way + options[0][1]) for rank, way in best]
            else:
                best = [(rank + more, way + tokens) for rank, way in best for more, tokens in options]
                best.sort(key=_rank)
                del best[min(MAX_WAYS, self.ways * self.vocabulary.forms) :]
        return [way for _, way in best if way]

    def _problem(self, spellings: Sequence[str], way: tuple[int, ...]) -> str:
        if way:
            return f"{len(way)} tokens; at most {MAX_TOKENS} are used, say what is distinctive"
        if not spellings:
            return "holds nothing that can be said"
        letters = self.vocabulary.letters
        missing = dict.fromkeys(
            char
            for word in spellings[0].split()
            for cased in self.vocabulary.cased(word)[:1]
            for char in cased
            if char not in letters
        )
        if missing:
            named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in list(missing)[:5])
            return f"the model has no tokens for {named}; write it as it is spoken in the model's language"
        return "the model has no tokens that spell it"


def _writings(text: str) -> list[str]:
    """Return a text with initials and LivingRooms taken apart."""
    texts = [text]
    if _CAMEL.search(text):
        texts.append(_CAMEL.sub(" ", text))
    if _DOTTED.search(text):  # J. R. Hartley: letter by letter, or as one word
        parts = [_DOTTED.sub(lambda m: f" {_spaced(m[0])} ", each) for each in texts]
        texts = parts + [_DOTTED.sub(lambda m: f" {_joined(m[0])} ", each) for each in texts]
    if _CAPITALS.search(text) and (text.upper() != text or " " not in text.strip()):  # TV, but not JOHN SMITH
        texts += [_CAPITALS.sub(lambda m: f" {_spaced(m[0])} ", each) for each in texts]
    return texts


def _rank(option: tuple[int, tuple[int, ...]]) -> int:
    return option[0]


def _spaced(text: str) -> str:
    return " ".join(_joined(text))


def _joined(text: str) -> str:
    return text.replace(".", "").replace(" ", "")
