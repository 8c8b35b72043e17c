"""What the beam search's paths are made of: nodes that point back to where they come from."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from ...lattice import TokenArc, TokenLattice

EPSILON = 0
"""Token of an arc on which only blanks are put out."""
Key = Hashable
"""What decides a hypothesis's future, but for the states of the scorers."""


class Emitted(NamedTuple):
    """A token of a node's best path, and the path before it."""

    before: "Emitted | None"
    token: int
    frame: int
    log_prob: float
    """Of the token at its frame."""
    node: "Node"
    """From which it was put out."""
    length: int
    """Tokens up to and with this one."""


class Arc(NamedTuple):
    """A way into a node."""

    source: "Node"
    token: int
    frame: int
    """Encoder frame on which it ends."""
    acoustic: float
    """Log-probability of the blanks since ``source`` was made, and of the token."""
    bias: float
    language: float


class Node:
    """Where paths with one future meet. Not changed once made, but for the root of a search that was cut."""

    __slots__ = ("arcs", "context", "history", "key", "number", "score", "states")

    def __init__(
        self,
        number: int,
        key: Key,
        context: tuple[int, ...],
        states: tuple[int, int],
        score: float,
        arcs: tuple[Arc, ...],
        history: Emitted | None,
    ) -> None:
        self.number = number
        """Counts up: arcs lead from lower to higher numbers."""
        self.key = key
        """Hypotheses with equal keys and states are one."""
        self.context = context
        """The predictor's."""
        self.states = states
        """Of the bias and of the language model."""
        self.score = score
        """Of the best of its paths, or of all, as the settings say."""
        self.arcs = arcs
        """Ways into it, the one of the best path first."""
        self.history = history
        """The tokens of its best path."""


def tokens_of(history: Emitted | None) -> list[int]:
    """Return the tokens of a history, the first first."""
    tokens = []
    while history is not None:
        tokens.append(history.token)
        history = history.before
    return tokens[::-1]


def leads_through(node: Node, place: Node) -> bool:
    """Return whether the best path to ``node`` goes through ``place``."""
    while node is not place and node.number > place.number and node.arcs:
        node = node.arcs[0].source
    return node is place


def common_prefix(histories: Sequence[Emitted | None]) -> int:
    """Return how many first tokens all histories have in common."""
    shortest = min(0 if history is None else history.length for history in histories)
    level = [_at(history, shortest) for history in histories]
    common = shortest
    # histories share their beginnings: where all are one object, all before is common
    while common and any(history is not level[0] for history in level):
        tokens = {history.token for history in level if history is not None}
        before = [None if history is None else history.before for history in level]
        if len(tokens) > 1:
            common = level[0].length - 1 if level[0] is not None else 0
        level = before
        if level[0] is None:
            break
    return common


def _at(history: Emitted | None, count: int) -> Emitted | None:
    while history is not None and history.length > count:
        history = history.before
    return history


def collect(root: Node, ends: Sequence[tuple[Node, tuple[float, float, float]]]) -> TokenLattice:
    """Return all paths from ``root`` to ``ends``, each a node with its acoustic, bias and language score of ending."""
    found = {id(node): node for node, _ in ends}
    waiting = list(found.values())
    while waiting:
        for arc in waiting.pop().arcs:
            if id(arc.source) not in found:
                found[id(arc.source)] = arc.source
                waiting.append(arc.source)
    ordered = sorted(found.values(), key=lambda node: node.number)
    index = {id(root): 0}
    arcs: list[list[TokenArc]] = [[]]
    for node in ordered:
        # after a cut there are nodes that the new root does not lead to
        entering = [arc for arc in node.arcs if id(arc.source) in index]
        if not entering or node is root:
            continue
        target = index[id(node)] = len(arcs)
        arcs.append([])
        for arc in entering:
            arcs[index[id(arc.source)]].append(
                TokenArc(target, arc.token, arc.frame, arc.acoustic, arc.bias, arc.language)
            )
    finals: list[tuple[float, float, float] | None] = [None] * len(arcs)
    for node, scores in ends:
        if id(node) in index:
            finals[index[id(node)]] = scores
    return TokenLattice(arcs, finals)
