"""Names and terms in free text: by the lists there are, by capital letters, and by rarity."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

MAX_WORDS = 5
"""Words of a term."""
LISTED, CAPITAL, RARE = 1.0, 0.8, 0.3
"""What a term is worth by how it was found: on a list, by its capital letters, by its rarity."""
RARE_LOG_PROB = -9.5
"""Log-probability per word of the n-gram's own below which a word is rare (natural logarithm)."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*|[.!?,;:\"()]")
_JOINING = frozenset(["of", "the", "and", "de", "van", "von", "la", "di", "der"])
_NO_TERM = frozenset(
    "i i'm i'll i've i'd ok okay yes no which what when where who how why do did does is are was can could would "
    "should shall will may have has please sorry here there the a an and or you your it this that these those in on "
    "at to for me my we us our want mean found set turn play call send say choose pick read more".split()
)
"""Words that begin a device's sentences with a capital letter, and are no names there."""


@dataclass(frozen=True)
class Term:
    """A name or term."""

    text: str
    """As it stands in the text."""
    value: float = LISTED
    """How much speaks for its being said, relative to the others; above 0."""
    cls: str = ""
    """Class of the list it is on; empty for none."""


def find_terms(
    text: str, lists: Mapping[str, Collection[str]] | None = None, rarity: Callable[[str], float] | None = None
) -> list[Term]:
    """Return the terms of a text, each once, what is worth more first.

    Args:
        text: what the device says, with or without capital letters.
        lists: class to its phrases; what is on a list is found also in lower case, in all its words or one of them.
        rarity: log-probability of a word in general speech; without, nothing is found by its rarity.
    """
    words = [match[0] for match in _WORD.finditer(text)]
    taken = [False] * len(words)
    found: dict[str, Term] = {}

    def take(begin: int, end: int, value: float, cls: str = "") -> None:
        phrase = " ".join(words[begin:end])
        kept = found.get(phrase.lower())
        if kept is None or kept.value < value:
            found[phrase.lower()] = Term(phrase, value, cls)
        taken[begin:end] = [True] * (end - begin)

    _take_listed(words, lists or {}, take)
    cased = any(word.islower() for word in words)
    begin = 0
    while begin < len(words):
        end = _capitals(words, taken, begin) if cased else begin
        if end > begin:
            take(begin, end, CAPITAL)
        begin = max(end, begin + 1)
    if rarity is not None:
        for place, word in enumerate(words):
            rare = word[0].isalpha() and not taken[place] and word.lower() not in _NO_TERM
            if rare and rarity(word.lower()) < RARE_LOG_PROB:
                take(place, place + 1, RARE)
    return sorted(found.values(), key=lambda term: -term.value)


def _take_listed(
    words: list[str], lists: Mapping[str, Collection[str]], take: Callable[[int, int, float, str], None]
) -> None:
    folded = [word.lower() for word in words]
    known: dict[tuple[str, ...], str] = {}
    for cls, phrases in lists.items():
        for phrase in phrases:
            known.setdefault(tuple(phrase.lower().split()), cls)
    begin = 0
    while begin < len(words):
        for end in range(min(len(words), begin + MAX_WORDS), begin, -1):
            name = known.get(tuple(folded[begin:end]))
            if name is not None:
                take(begin, end, LISTED, name)
                begin = end - 1
                break
        begin += 1


def _capitals(words: list[str], taken: list[bool], begin: int) -> int:
    """Return the end of the run of capitalised words that begins here; ``begin`` if none does."""
    begins_sentence = begin == 0 or words[begin - 1] in ".!?:"
    if words[begin].lower() in _NO_TERM or (begins_sentence and words[begin].endswith("ing")):
        return begin  # the capital of the sentence: "Calling Meg"
    end = begin
    while end < len(words) and end - begin < MAX_WORDS and not taken[end]:
        word = words[end]
        if word[0].isupper() or (word[0].isdigit() and end > begin):
            end += 1
        elif end > begin and (after := _joined(words, end)):
            end = after
        else:
            break
    # a single word at the beginning of a sentence has its capital from there
    return begin if begins_sentence and end == begin + 1 and not (end < len(words) and words[end] in ",?") else end


def _joined(words: list[str], place: int) -> int:
    """Return the end of "of the Rings" that begins here, 0 if nothing of the kind does."""
    for end in range(place, min(len(words), place + 3)):
        if words[end][0].isupper():
            return end + 1 if end > place else 0
        if words[end] not in _JOINING:
            return 0
    return 0


def parts_of(term: Term) -> Iterable[Term]:
    """Return the words of a name by which people pick it, at less value: of "Meg Bauer", "Bauer" and "Meg"."""
    words = [word for word in term.text.split() if word.lower() not in _NO_TERM and word.lower() not in _JOINING]
    if len(words) > 1:
        yield from (Term(word, term.value / 2, term.cls) for word in words if len(word) > 1)
