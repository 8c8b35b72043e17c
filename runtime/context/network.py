"""Likely answers as a weighted automaton over the tokens of a model.

Templates and the phrases that fill them become a probabilistic automaton (a stochastic regular grammar): in every node
the probabilities of all tokens, of the end of the utterance, and of words that no template has add up to one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ...biasing import Templates

Places = frozenset[int]
"""Where in a template one is."""
Ways = Sequence[Sequence[int]]
"""Tokenisations of one word or phrase, the likeliest first."""
Terms = Sequence[tuple[Ways, float]]
"""Tokenisations of what fills a template, each with its share of one."""
PER_END = 6.0
"""How much likelier an answer ends where a template may than it goes on with each of the words that may follow."""
ESCAPE = 0.05
"""Probability that other words follow where a template may end."""
PER_CLASS = 4.0
"""How much likelier a phrase is than each word that a template has in the same place."""
_END_CLASS = "end_of_answer"
SECOND_WAY = 0.15
"""Probability of all but the likeliest tokenisation of a word."""


@dataclass
class Node:
    """A place in an answer."""

    arcs: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    """By token, where it leads and with what probability."""
    end: float = 0.0
    """Probability that the answer ends here."""
    escape: float = 0.0
    """Probability that other words follow."""

    def add(self, token: int, target: int, probability: float) -> None:
        """Add an arc."""
        self.arcs.setdefault(token, []).append((target, probability))


class Network:
    """Nodes, and where answers begin: the probability of each source's answers, and of all others."""

    def __init__(self, begun: "Network | None" = None, share: float = 1.0) -> None:
        """Begin with nothing, or with the answers of another network, which stays as it is, at ``share`` of theirs."""
        self.nodes: list[Node] = [] if begun is None else [*begun.nodes]
        self.starts: dict[int, float] = (
            {} if begun is None else {node: share * weight for node, weight in begun.starts.items()}
        )
        """Probability of each first node."""
        self._terms: dict[int, int] = {}
        """By where terms of the template at hand lead, where they begin."""

    def add(self, template: str, weight: float, words: Callable[[str], Ways], terms: Terms) -> None:
        """Add the answers of a template, ``weight`` of all.

        Raises:
            BiasingError: the template cannot be read.
        """
        parsed = _parsed(template)
        self._terms = {}
        ids: dict[Places, int] = {}
        waiting: list[Places] = []

        def node_of(places: Places) -> int:
            if places not in ids:
                ids[places] = self._new()
                waiting.append(places)
            return ids[places]

        start = node_of(parsed.beginning)
        while waiting:
            places = waiting.pop()
            self._fill(ids[places], places, parsed, words, terms, node_of)
        self.starts[start] = self.starts.get(start, 0.0) + weight

    def _new(self) -> int:
        self.nodes.append(Node())
        return len(self.nodes) - 1

    def _fill(
        self,
        number: int,
        places: Places,
        parsed: Templates,
        words: Callable[[str], Ways],
        terms: Terms,
        node_of: Callable[[Places], int],
    ) -> None:
        by_word = _joined(parsed.by_word[place] for place in places)
        by_class = _joined(parsed.by_class[place] for place in places)
        ends = by_class.pop(_END_CLASS, None) is not None
        follow: list[tuple[Sequence[int], float, int]] = []
        for word, after in by_word.items():
            next_node = node_of(after)
            follow += [(way, share, next_node) for way, share in shared(words(word))]
        said = PER_CLASS if by_class and len(terms) else 0.0
        total = said + len(by_word)
        node = self.nodes[number]
        if ends:
            node.end, node.escape = (1 - ESCAPE) * PER_END / (PER_END + total), ESCAPE
        mass = 1 - node.end - node.escape
        if follow:
            self._grow(number, follow, mass * len(by_word) / total)
        if said:
            begun = self._begun(node_of(next(iter(by_class.values()))), terms)
            for token, arcs in begun.arcs.items():
                for next_node, probability in arcs:
                    node.add(token, next_node, mass * said / total * probability)

    def _begun(self, target: int, terms: Terms) -> Node:
        """Return where terms begin that lead to a node: the same for all places of a template."""
        if target not in self._terms:
            self._terms[target] = self._new()
            follow = [(way, value * share, target) for ways, value in terms for way, share in shared(ways)]
            self._grow(self._terms[target], follow, 1.0)
        return self.nodes[self._terms[target]]

    def _grow(self, number: int, follow: Iterable[tuple[Sequence[int], float, int]], mass: float) -> None:
        """Add token sequences with weights and where each leads, as a tree below a node."""
        by_token: dict[int, list[tuple[Sequence[int], float, int]]] = {}
        total = 0.0
        for way, weight, target in follow:
            if way and weight > 0:
                total += weight
                by_token.setdefault(way[0], []).append((way[1:], weight, target))
        for token, rest in by_token.items():
            longer = []
            ending: dict[int, float] = {}
            for way, weight, target in rest:
                if way:
                    longer.append((way, weight, target))
                else:
                    ending[target] = ending.get(target, 0.0) + weight
            for target, weight in ending.items():
                self.nodes[number].add(token, target, mass * weight / total)
            if longer:
                below = self._new()
                self.nodes[number].add(token, below, mass * sum(weight for _, weight, _ in longer) / total)
                self._grow(below, longer, 1.0)


def _joined(leading: Iterable[Mapping[str, Places]]) -> dict[str, Places]:
    """Return where each name leads from several places at once."""
    found: dict[str, Places] = {}
    for one in leading:
        for name, target in one.items():
            found[name] = found.get(name, frozenset()) | target
    return found


@lru_cache(256)
def _parsed(template: str) -> Templates:
    # places where a template may end are those where this class may follow
    return Templates.parse([f"({template}) ${_END_CLASS}"])


def shared(ways: Ways) -> list[tuple[Sequence[int], float]]:
    """Return tokenisations with their probabilities."""
    if len(ways) < 2:
        return [(way, 1.0) for way in ways]
    rest = SECOND_WAY / (len(ways) - 1)
    return [(way, 1 - SECOND_WAY if place == 0 else rest) for place, way in enumerate(ways)]
