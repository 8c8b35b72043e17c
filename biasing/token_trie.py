"""What may be said, by its tokens: small tries in dictionaries, for words and short lists."""

from collections.abc import Iterable, Mapping, Sequence

DEAD = -1
"""The node after a token that nothing goes on with."""


class TokenTrie:
    """Token sequences by their common beginnings, each under a name. Node 0 is the root."""

    def __init__(self, sequences: Mapping[str, Iterable[Sequence[int]]]) -> None:
        """Build; a name may have several sequences, and names may share one."""
        self.follow: list[dict[int, int]] = [{}]
        """[nodes] Token to the node after it."""
        ends: list[set[str]] = [set()]
        for name, ways in sequences.items():
            for way in ways:
                node = 0
                for token in way:
                    new = len(ends)
                    node = self.follow[node].setdefault(token, new)
                    if node == new:
                        self.follow.append({})
                        ends.append(set())
                ends[node].add(name)
        ends[0].clear()
        self.ends = [frozenset(names) for names in ends]
        """[nodes] Names of what ends here."""

    def step(self, node: int, token: int) -> int:
        """Return the node after ``token``, ``DEAD`` if there is none."""
        return self.follow[node].get(token, DEAD)
