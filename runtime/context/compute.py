"""From what was said, asked and shown to what the search needs: likely answers, boosted phrases, a cache."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...biasing import Phrase
from ...lattice.language import NgramModel, StatefulScorer, train_pieces
from ...models import Transducer
from ..search.language import Fusion, load_own
from ..search.scorer import Nothing
from .acts import ANSWERS, Act, act_of
from .errors import ContextError
from .inputs import MAX_TERMS, MAX_TEXT, ContextInput
from .language import ContextLanguage
from .network import Network, Ways
from .terms import Term, find_terms, parts_of
from .tokens import ContextTokens
from .vector import ContextEncoder, default_encoder
from .weights import ContextWeights, Source, default_weights

CACHE_ORDER = 3
CACHE_SENTENCES = 20
"""Latest texts that the cache is made of."""
CLASS = "context"
"""Class of phrases that belong to no other."""
TEMPLATES = {
    "contact": ("(call|phone|ring|dial|text|message|email|tell|to|from|with|mean) $CONTACT",),
    "room": ("(in|on|at) [the] $ROOM", "the $ROOM"),
    "device": ("(turn|switch) (on|off|up|down) [the] $DEVICE", "the $DEVICE"),
    "media": ("(play|put on|start|listen to|watch) $MEDIA",),
}
"""Where entries of a class stand in a request, for classes of which nobody else says so."""


@dataclass(frozen=True)
class Computed:
    """A context, ready for a search."""

    act: Act
    terms: Mapping[Source, tuple[Term, ...]]
    """What each source brings."""
    network: Network
    cache: NgramModel | None
    phrases: Mapping[str, tuple[Phrase, ...]]
    """Class to what is boosted at its places."""
    templates: Mapping[str, tuple[str, ...]]
    """Class to where its phrases stand in a request."""
    left_out: int
    """Phrases beyond ``MAX_TERMS`` of a source, or that the model has no tokens for."""
    weights: ContextWeights = field(default_factory=ContextWeights)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources that bring something."""
        return tuple(source.value for source in self.terms)

    @property
    def private(self) -> tuple[str, ...]:
        """All texts that must not leave the device."""
        return tuple(dict.fromkeys(term.text for terms in self.terms.values() for term in terms))


class ContextModel:
    """What contexts are computed with: the tokens and the language of one model. Safe to share."""

    def __init__(
        self, model: Transducer, weights: ContextWeights | None = None, encoder: ContextEncoder | None = None
    ) -> None:
        """Prepare for a model.

        Args:
            model: that will listen.
            weights: of the sources; by default those that come with nearword.
            encoder: tells what follows what; by default the one that comes with nearword.

        Raises:
            LanguageModelError: the model's own language model cannot be read.
        """
        self.weights = default_weights() if weights is None else weights
        self._word_starts = np.asarray(model.vocabulary.word_starts, bool)
        self._model = model
        self._general = load_own(model)
        self._tokens = ContextTokens(model, self._general)
        self._encoder = default_encoder() if encoder is None else encoder
        self._acts: dict[Act, Network] = {}

    def act(self, given: ContextInput) -> Act:
        """Return what was asked for."""
        return given.act or (act_of(given.reply) if given.reply else Act.open)

    def compute(self, given: ContextInput) -> Computed:
        """Return the context of what was said, asked and shown."""
        act = self.act(given)
        terms, left_out = self._terms(given)
        network, lost = self._network(act, terms, self.weights)
        phrases, templates = self._boosted(terms)
        return Computed(act, terms, network, self._cache(given), phrases, templates, left_out + lost, self.weights)

    def language(self, computed: Computed, base: Fusion) -> ContextLanguage:
        """Return the language model of a turn, above the one that is used without context.

        Raises:
            ContextError: what is beneath is no n-gram.
        """
        general = base.language
        if not isinstance(general, NgramModel):
            raise ContextError("context needs an n-gram beneath it")
        weights = computed.weights
        scale = weights.spelled if ANSWERS[computed.act].spelled else weights.scale
        return self._language(computed.network, base, general, scale, computed.cache, weights.cache)

    def _language(
        self,
        network: Network,
        base: StatefulScorer,
        general: NgramModel,
        scale: float,
        cache: NgramModel | None,
        cache_share: float,
    ) -> ContextLanguage:
        return ContextLanguage(
            base,
            general,
            network,
            word_starts=self._word_starts,
            blank=self._model.vocabulary.blank_id,
            scale=scale,
            cache=cache,
            cache_share=cache_share,
        )

    def present(self, given: ContextInput) -> tuple[Source, ...]:
        """Return the sources that have answers to what was asked."""
        act = self.act(given)
        ready, _ = self._ready(act, self._terms(given)[0])
        return (*((Source.act,) if ANSWERS[act].own else ()), *ready)

    def likelihood(self, given: ContextInput, text: str, sources: "frozenset[Source] | None") -> float:
        """Return how likely a text is in the answers of some sources alone; of none: in general speech.

        ``None``: in the mixture of all, by the weights.
        """
        if self._general is None:
            raise ContextError("the model has no language model (lm.bin); its contexts cannot be weighed")
        tokens = next(iter(self._tokens.phrase(text)), ())
        if sources is None:
            network = self._network(self.act(given), self._terms(given)[0], self.weights)[0]
        else:
            only = ContextWeights(expected=0.99, unasked=0.99, sources=dict.fromkeys(sources, 1.0))
            network = self._network(self.act(given), self._terms(given)[0], only)[0] if sources else Network()
        language = self._language(network, Nothing(len(self._word_starts)), self._general, 1.0, None, 0.0)
        state, plain, total, general = language.start, self._general.start, 0.0, 0.0
        for token in tokens:
            ratio = float(language.scores(state)[token])
            score, plain = self._general.follow(plain, token)
            total, general, state = total + ratio + score, general + score, language.advance(state, token)
        end = self._general.final(plain)
        likely = math.exp(total + language.final(state) + end)
        # what the network leaves to general speech is taken off
        rest = 1.0 - sum(network.starts.values())
        return likely if not sources else max(0.0, likely - rest * math.exp(general + end)) / max(1 - rest, 1e-9)

    def _terms(self, given: ContextInput) -> tuple[dict[Source, tuple[Term, ...]], int]:
        lists = {cls: entries for cls, entries in given.entities.items() if entries}
        entries = [Term(text, 1.0, cls) for cls, texts in lists.items() for text in texts]
        found: dict[Source, list[Term]] = {
            Source.reply: find_terms(given.reply[-MAX_TEXT:], lists, self._tokens.rarity) if given.reply else [],
            Source.screen: [Term(text) for text in given.screen],
            Source.entities: entries,
            Source.heard: [term for text in given.heard[-2:] for term in find_terms(text, lists, self._tokens.rarity)],
            Source.vector: self._predicted(given),
            Source.device: [
                Term(text, 1.0, cls) for text, cls in ((given.device, "device"), (given.room, "room")) if text
            ],
        }
        chosen: dict[Source, tuple[Term, ...]] = {}
        left_out = 0
        for source, terms in found.items():
            whole = with_parts(terms)
            left_out += max(0, len(whole) - MAX_TERMS)
            if whole:
                chosen[source] = tuple(sorted(whole, key=lambda term: -term.value)[:MAX_TERMS])
        return chosen, left_out

    def _predicted(self, given: ContextInput) -> list[Term]:
        """Return the entries that usually follow such a reply, by the context vector; none where an act says more."""
        encoder = self._encoder
        wanted = self.weights.sources.get(Source.vector, 0.0) > 0 and self.act(given) is Act.open
        if encoder is None or not wanted or not given.reply or len(given.entities) < 2:
            return []
        likely = encoder.label_probabilities(given.reply)
        return [
            Term(text, likely.get(cls, likely["other"]) / len(entries), cls)
            for cls, entries in given.entities.items()
            for text in entries
        ]

    def _ready(
        self, act: Act, terms: Mapping[Source, Sequence[Term]]
    ) -> tuple[dict[Source, list[tuple[Ways, float]]], int]:
        """Return what of each source can be said, in tokens with shares, and how much cannot."""
        ready: dict[Source, list[tuple[Ways, float]]] = {}
        lost = 0
        for source, found in terms.items():
            spoken = _spelled(found) if ANSWERS[act].spelled else [(term.text, term.value) for term in found]
            tokenized = [(self._tokens.phrase(text), value) for text, value in spoken]
            lost += sum(not ways for ways, _ in tokenized)
            usable = [(ways, value) for ways, value in tokenized if ways]
            total = sum(value for _, value in usable)
            if usable:
                ready[source] = [(ways, value / total) for ways, value in usable]
        return ready, lost

    def _network(
        self, act: Act, terms: Mapping[Source, Sequence[Term]], weights: ContextWeights
    ) -> tuple[Network, int]:
        answers = ANSWERS[act]
        ready, lost = self._ready(act, terms)
        present = [*((Source.act,) if answers.own else ()), *ready]
        shares = weights.shares(present, asked=act is not Act.open)
        network = Network(self._own(act), shares.pop(Source.act)) if Source.act in shares else Network()
        total = sum(weight for _, weight in answers.of_term)
        for source, share in shares.items():
            for template, weight in answers.of_term:
                network.add(template, share * weight / total, self._tokens.word, ready[source])
        return network, lost

    def _own(self, act: Act) -> Network:
        """Return the answers of an act that need no terms."""
        if act not in self._acts:
            network, templates = Network(), ANSWERS[act].own
            total = sum(weight for _, weight in templates)
            for template, weight in templates:
                network.add(template, weight / total, self._tokens.word, ())
            self._acts[act] = network
        return self._acts[act]

    def _boosted(
        self, terms: Mapping[Source, Sequence[Term]]
    ) -> tuple[dict[str, tuple[Phrase, ...]], dict[str, tuple[str, ...]]]:
        by_class: dict[str, dict[str, Phrase]] = {}
        for source in (Source.entities, Source.screen, Source.reply):
            if self.weights.sources.get(source, 0.0) > 0:
                for term in terms.get(source, ()):
                    cls = "screen" if source is Source.screen else term.cls or CLASS
                    by_class.setdefault(cls, {}).setdefault(term.text.lower(), Phrase(term.text, cls))
        templates = {cls: TEMPLATES[cls] for cls in by_class if cls in TEMPLATES}
        return {cls: tuple(phrases.values()) for cls, phrases in by_class.items()}, templates

    def _cache(self, given: ContextInput) -> NgramModel | None:
        texts = [*given.heard, given.reply, *given.screen][-CACHE_SENTENCES:]
        sentences = [ways[0] for text in texts if (ways := self._tokens.phrase(text[-MAX_TEXT:]))]
        if not sentences or self._general is None or self.weights.cache <= 0:
            return None
        numbers = {str(place): sentence for place, sentence in enumerate(sentences)}
        return train_pieces(numbers, self._model.vocabulary.tokens, numbers.__getitem__, order=CACHE_ORDER)


def with_parts(terms: Iterable[Term]) -> list[Term]:
    """Return terms and the words by which they are told apart; a word of many terms is worth little."""
    terms = list(terms)
    whole = {term.text.lower() for term in terms}
    parts = [part for term in terms for part in parts_of(term)]
    counts = Counter(part.text.lower() for part in parts)
    kept: dict[str, Term] = {}
    for part in parts:
        key = part.text.lower()
        if key not in whole:
            kept.setdefault(key, Term(part.text, part.value / counts[key], part.cls))
    return [*terms, *kept.values()]


def _spelled(terms: Iterable[Term]) -> list[tuple[str, float]]:
    words: dict[str, float] = {}
    for term in terms:
        for word in term.text.lower().split():
            letters = " ".join(char for char in word if char.isalpha())
            words[letters] = max(term.value, words.get(letters, 0.0))
    return [(text, value) for text, value in words.items() if len(text) > 3]
