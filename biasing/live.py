"""Lists that change while one listens: what did not change is not built again."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from .graph import BiasGraph, ScoredClass
from .phrases import DEFAULT_CLASS, Phrase, PhraseList, Refused
from .sources import BiasSource
from .spotting import Listed, PhraseSounds, Pronounce, Spotter
from .templates import Templates
from .tokenize import TokenizedPhrase, Tokenizer
from .trie import Costs, PhraseTrie
from .vocabulary import BiasVocabulary
from .weights import ClassSettings, price

MERGED = 512
"""Phrases up to which edits are merged into one trie: so long does an edit take at most."""
MAX_STATES = 200_000
"""States after which a graph that goes on being used is made anew, to give back their memory."""
_Key = str


@dataclass
class _Part:
    """Some phrases of a class, and their trie."""

    entries: dict[_Key, TokenizedPhrase]
    trie: PhraseTrie
    nodes: dict[_Key, tuple[int, ...]] | None = None
    """Where phrases end, once somebody asked."""
    shared: dict[int, list[_Key]] = field(default_factory=dict)
    """Nodes at which more than one phrase ends, and which."""
    sounds: PhraseSounds | None = None
    """How they sound, once somebody asked."""

    def sounding(self, pronounce: Pronounce, classes: int) -> PhraseSounds:
        """Return how the phrases sound."""
        if self.sounds is None:
            texts: dict[str, float] = {}
            for each in self.entries.values():
                for text in _uninflected(each):
                    texts[text] = max(each.phrase.boost, texts.get(text, 0.0))
            self.sounds = PhraseSounds.of(texts, pronounce, classes)
        return self.sounds

    @classmethod
    def of(cls, entries: dict[_Key, TokenizedPhrase], costs: Costs) -> "_Part":
        counts = [len(each.ways) for each in entries.values()]
        boosts = np.repeat([each.phrase.boost for each in entries.values()], counts)
        trie, ends = PhraseTrie.build_with_ends(
            chain.from_iterable(each.ways for each in entries.values()), boosts.tolist(), costs
        )
        owner = np.repeat(np.arange(len(entries)), counts)
        times = np.bincount(ends, minlength=len(trie)) if len(ends) else np.zeros(0, np.int64)
        shared: dict[int, list[_Key]] = {}
        keys = list(entries)
        for row in np.flatnonzero(times[ends] > 1).tolist() if len(ends) else ():
            shared.setdefault(int(ends[row]), []).append(keys[owner[row]])
        return cls(entries, trie, shared=shared)

    def without(self, key: _Key) -> "_Part":
        """Return the part without a phrase; the trie's nodes stay."""
        ends = [self.trie.find(way) for way in self.entries[key].ways]
        entries = self.entries
        removed = entries.pop(key)
        boosts = [
            max((entries[other].phrase.boost for other in self.shared.get(node, ()) if other in entries), default=0.0)
            for node in ends
        ]
        sounds = self.sounds
        if sounds is not None:  # what another phrase shares is looked up anew
            sounds = None if any(node in self.shared for node in ends) else sounds.without(_uninflected(removed))
        return _Part(entries, self.trie.with_boosts(ends, boosts), shared=self.shared, sounds=sounds)


def _uninflected(phrase: TokenizedPhrase) -> Iterable[str]:
    """Return what may be said for a phrase, without plurals and possessives, which sound nearly the same."""
    known = set(phrase.spellings)
    # "james'", "mary's", "lamps"
    endings = ("'", "'s", "s")
    return (
        text
        for text in phrase.spellings
        if not any(text.endswith(ending) and text.removesuffix(ending) in known for ending in endings)
    )


class _ClassList:
    """The phrases of one class in tries."""

    def __init__(self, costs: Costs) -> None:
        self.parts: list[_Part] = []
        self._costs = costs

    def __len__(self) -> int:
        return sum(len(part.entries) for part in self.parts)

    def put(self, tokenized: Sequence[TokenizedPhrase]) -> None:
        """Take these phrases; those that are there already are replaced."""
        entries = {key_of(each.phrase): each for each in tokenized}
        for key in entries if self.parts else ():
            self.remove(key)
        if not entries:
            return
        while self.parts and len(self.parts[-1].entries) <= 2 * len(entries) <= 2 * MERGED:
            last = self.parts[-1].entries
            if len(last) + len(entries) > MERGED:
                break
            self.parts.pop()
            entries = last | entries
        self.parts.append(_Part.of(entries, self._costs))

    def remove(self, key: _Key) -> bool:
        for place, part in enumerate(self.parts):
            if key in part.entries:
                if len(part.entries) == 1:
                    del self.parts[place]
                else:
                    self.parts[place] = part.without(key)
                return True
        return False


@dataclass(frozen=True)
class Contents:
    """What is boosted by a list and those beneath it."""

    lists: Mapping[str, tuple[_ClassList, ...]]
    settings: Mapping[str, ClassSettings]
    default: ClassSettings
    """Of classes that have none of their own."""
    templates: Templates
    template_words: Mapping[str, tuple[tuple[int, ...], ...]]

    def over(self, below: "Contents") -> "Contents":
        """Return these contents over those of a list beneath."""
        lists = {cls: below.lists.get(cls, ()) + self.lists.get(cls, ()) for cls in {**below.lists, **self.lists}}
        templates = self.templates if self.templates.texts else below.templates
        if self.templates.texts and below.templates.texts:
            templates = Templates.parse([*dict.fromkeys((*below.templates.texts, *self.templates.texts))])
        words = {**below.template_words, **self.template_words}
        return Contents(lists, {**below.settings, **self.settings}, self.default, templates, words)

    def graph(self, vocabulary: BiasVocabulary, share: float) -> BiasGraph:
        """Return the graph of it all, by ``share`` of its strength."""
        return BiasGraph(
            [self._scored(cls, lists, share) for cls, lists in self.lists.items()],
            vocabulary.word_starts,
            templates=self.templates,
            template_words=self.template_words,
            blank=vocabulary.blank,
        )

    def spotter(self, pronounce: Pronounce, classes: int) -> Spotter:
        """Return what finds it by its sound; see ``Biasing.spotter``."""
        listed = {
            cls: Listed(
                tuple(part.sounding(pronounce, classes) for one in lists for part in one.parts),
                self.settings.get(cls, self.default),
                sum(map(len, lists)),
            )
            for cls, lists in self.lists.items()
        }
        return Spotter(listed, self.templates)

    def spelled(self) -> list[tuple[int, ...]]:
        """Return the likeliest tokens of each phrase; see ``Biasing.spelled``."""
        return [
            each.ways[0]
            for cls, lists in self.lists.items()
            if self.settings.get(cls, self.default).inside_score > 0
            for one in lists
            for part in one.parts
            for each in part.entries.values()
        ]

    def _scored(self, cls: str, lists: tuple[_ClassList, ...], share: float) -> ScoredClass:
        settings, count = self.settings.get(cls, self.default), sum(map(len, lists))
        tries = tuple(part.trie for one in lists for part in one.parts)
        inside, outside = share * settings.inside_score, share * settings.outside_score
        return ScoredClass(cls, tries, inside, outside, price(count), count)


def key_of(phrase: Phrase) -> str:
    """Return what tells phrases of a class apart: letter case and spaces do not."""
    return " ".join(phrase.text.casefold().split())


class Biasing:
    """Everything that is boosted just now. Edits may come from any thread; a search takes ``snapshot()``.

    >>> biasing = Biasing(BiasVocabulary(tokens))
    >>> refused = biasing.replace("contact", [Phrase("Meg Bauer")])
    >>> biasing.set_templates(["call $CONTACT"])
    >>> graph = biasing.snapshot()
    """

    def __init__(
        self,
        vocabulary: BiasVocabulary,
        *,
        settings: ClassSettings | None = None,
        ways: int = 2,
        beneath: "Biasing | None" = None,
    ) -> None:
        """Begin with nothing.

        Args:
            vocabulary: of the model that listens.
            settings: of classes that have none of their own.
            ways: tokenisations per spelling.
            beneath: what is boosted beside this; see ``layer``.
        """
        self._vocabulary = vocabulary
        self._tokenizer = Tokenizer(vocabulary, ways=ways)
        self._default = settings or ClassSettings()
        self._beneath = beneath
        self._settings: dict[str, ClassSettings] = {}
        self._lists: dict[str, _ClassList] = {}
        self._templates = Templates()
        self._template_words: dict[str, tuple[tuple[int, ...], ...]] = {}
        self.lock: threading.RLock = threading.RLock() if beneath is None else beneath.lock
        """Held while anything is changed or gathered, by all layers."""
        self._edits = 0
        self._graphs: dict[float, tuple[int, BiasGraph]] = {}
        """By share: the number of edits at which it was made, and the graph."""
        self._count: tuple[int, int] = (-1, 0)
        """The number of edits, and of phrases then."""
        self._known: tuple[int, Contents] | None = None
        """The number of edits, and what was boosted then."""

    def layer(self) -> "Biasing":
        """Return what begins with all of this and is edited by itself, as one of several streams needs it.

        Edits of this one are seen in the layer too; edits of the layer only there. Costs nothing before its first edit.
        """
        return Biasing(self._vocabulary, settings=self._default, ways=self._tokenizer.ways, beneath=self)

    def __len__(self) -> int:
        """Return the number of phrases."""
        edits, count = self._count
        if edits != self.edits:  # asked for at every chunk: mostly nothing has changed
            with self.lock:
                edits = self.edits
                count = sum(len(one) for lists in self.contents().lists.values() for one in lists)
                self._count = edits, count
        return count

    @property
    def edits(self) -> int:
        """How often anything was changed: as long as it stays, so does all else."""
        return self._edits + (0 if self._beneath is None else self._beneath.edits)

    def contents(self) -> "Contents":
        """Return what is boosted here and beneath, as a layer above needs it; to be looked at under ``lock``."""
        edits = self.edits
        if self._known is None or self._known[0] != edits:
            lists = {cls: (one,) for cls, one in self._lists.items() if one.parts}
            own = Contents(lists, self._settings, self._default, self._templates, self._template_words)
            self._known = edits, own if self._beneath is None else own.over(self._beneath.contents())
        return self._known[1]

    @property
    def phrases(self) -> list[Phrase]:
        """All phrases."""
        return [each.phrase for part in self._parts() for each in part.entries.values()]

    def _parts(self) -> "list[_Part]":
        with self.lock:
            return [part for lists in self.contents().lists.values() for one in lists for part in one.parts]

    @property
    def origin(self) -> "Biasing":
        """The list whose contents this has: itself, or one beneath while the layers above it are not edited."""
        return self if self._beneath is None or self._edits else self._beneath.origin

    def spelled(self) -> list[tuple[int, ...]]:
        """Return all phrases of classes that count for anything, each in the tokens that it is likeliest written in."""
        with self.lock:
            return self.contents().spelled()

    @property
    def templated(self) -> frozenset[str]:
        """Classes that templates name."""
        with self.lock:
            return self.contents().templates.classes

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays of all lists, those of sounds included once they are asked for."""
        return sum(part.trie.nbytes + (0 if part.sounds is None else part.sounds.nbytes) for part in self._parts())

    def load(self, source: BiasSource) -> list[Refused]:
        """Add the phrases, templates and settings of a file to what is there; returns what is not used, and why.

        Raises:
            BiasingError: a template cannot be read.
        """
        with self.lock:
            if source.templates:
                self.set_templates((*self._templates.texts, *source.templates))
            for cls, settings in source.settings.items():
                self.set_class(cls, settings)
            return [*source.phrases.refused, *self.add_all(source.phrases.phrases)]

    def replace(self, cls: str, phrases: Iterable[Phrase]) -> list[Refused]:
        """Put these phrases in the place of the class's; returns those that are not used, and why."""
        cls = cls.lower()
        listed = PhraseList.of(replace(phrase, cls=cls) for phrase in phrases)
        used, refused = self._tokenizer.tokenize_all(listed.phrases)
        with self.lock:
            self._lists[cls] = _ClassList(self._vocabulary.costs)
            self._lists[cls].put(used)
            self._edits += 1
        return [*listed.refused, *refused]

    def add_all(self, phrases: Iterable[Phrase]) -> list[Refused]:
        """Add phrases; those that are there get the new boost. Returns those that are not used, and why."""
        listed = PhraseList.of(phrases)
        used, refused = self._tokenizer.tokenize_all(listed.phrases)
        by_class: dict[str, list[TokenizedPhrase]] = {}
        for each in used:
            by_class.setdefault(each.phrase.cls, []).append(each)
        with self.lock:
            for cls, tokenized in by_class.items():
                self._lists.setdefault(cls, _ClassList(self._vocabulary.costs)).put(tokenized)
            self._edits += 1
        return [*listed.refused, *refused]

    def add(self, phrase: Phrase) -> Refused | None:
        """Add one phrase, or give it another boost; returns why it is not used, None if it is."""
        refused = self.add_all([phrase])
        return refused[0] if refused else None

    def remove(self, text: str, cls: str = DEFAULT_CLASS) -> bool:
        """Take a phrase out; returns whether it was there."""
        with self.lock:
            listed = self._lists.get(cls.lower())
            found = listed is not None and listed.remove(key_of(Phrase(text)))
            if found:
                self._edits += 1
            return found

    def set_templates(self, texts: Iterable[str]) -> None:
        """Say where classes fit, in the place of what was said before.

        Raises:
            BiasingError: a template cannot be read; nothing has changed then.
        """
        templates = Templates.parse(list(dict.fromkeys(texts)))
        words = {word: self._tokenizer.words(word) for word in templates.words}
        with self.lock:
            self._templates, self._template_words = templates, words
            self._edits += 1

    def set_class(self, cls: str, settings: ClassSettings) -> None:
        """Say how much a class counts."""
        with self.lock:
            self._settings[cls.lower()] = settings
            self._edits += 1

    def snapshot(self, share: float = 1.0) -> BiasGraph:
        """Return a graph of all that is boosted now, which never changes; the same as before if nothing has.

        ``share`` of the strength counts: all of it, or less where phrases are found by their sound as well.
        """
        made_at, graph = self._graphs.get(share, (-1, None))
        if graph is not None and made_at == self.edits and len(graph) <= MAX_STATES:
            return graph
        if self._beneath is not None and not self._edits:
            return self._beneath.snapshot(share)
        with self.lock:
            edits = self.edits
            graph = self.contents().graph(self._vocabulary, share)
            self._graphs[share] = edits, graph
            return graph

    def spotter(self, pronounce: Pronounce, classes: int) -> Spotter:
        """Return what finds by its sound all that is boosted now, which never changes.

        Args:
            pronounce: gives words their phones.
            classes: how many the phone model has, blank included.
        """
        with self.lock:
            return self.contents().spotter(pronounce, classes)
