"""Random small lattices, and all their paths by brute force."""

import numpy as np
from hypothesis import strategies as st
from nearword.lattice import Lattice, trim


def random_lattice(seed: int, nodes: int = 6, vocabulary: int = 4, *, deterministic: bool = True) -> Lattice:
    """A connected lattice of at most ``nodes`` nodes; words about a third of a second long."""
    rng = np.random.default_rng(seed)
    arcs, taken = [], set()
    for source in range(nodes):
        for _ in range(int(rng.integers(1, 4))):
            if source == nodes - 1:
                break
            target = int(rng.integers(source + 1, min(source + 3, nodes)))
            word = int(rng.integers(vocabulary))
            if deterministic and (source, word) in taken:
                continue
            taken.add((source, word))
            start = 0.3 * source + rng.uniform(0, 0.1)
            arcs.append((source, target, word, start, start + rng.uniform(0.1, 0.6)))
    source, target, word, start, end = (np.array(column) for column in zip(*arcs, strict=True))
    scores = rng.normal(-2, 1.5, (len(arcs), 3)).astype(np.float32)
    scores[:, 1] = np.where(rng.random(len(arcs)) < 0.7, 0, scores[:, 1])
    final = rng.normal(-1, 1, (nodes, 3)).astype(np.float32)
    final[rng.random(nodes) < 0.6] = (-np.inf, 0, 0)
    final[-1] = rng.normal(-1, 1, 3)
    words = tuple("abcdefghij"[:vocabulary])
    # a node that nothing enters goes, and what leaves it
    return trim(words, source, target, word, start, end, scores, final, offset=float(rng.integers(0, 3)))


def lattices(**options):
    """Hypothesis: random small lattices."""
    return st.builds(random_lattice, st.integers(0, 10**6), nodes=st.integers(2, 7), **options)


def all_paths(lattice: Lattice) -> list[tuple[tuple[int, ...], float]]:
    """Every path as arcs and total, by brute force."""
    found = []

    def walk(node, arcs, total):
        if lattice.final_totals[node] > -np.inf:
            found.append((arcs, total + float(lattice.final_totals[node])))
        for arc in range(lattice.first_arc[node], lattice.first_arc[node + 1]):
            walk(int(lattice.target[arc]), (*arcs, arc), total + float(lattice.totals[arc]))

    walk(0, (), 0.0)
    return found


def words_of(lattice: Lattice, arcs) -> tuple[str, ...]:
    return tuple(lattice.words[lattice.word[arc]] for arc in arcs)


def end_of(lattice: Lattice, arcs) -> int:
    return int(lattice.target[arcs[-1]]) if arcs else 0


def same(one: Lattice, other: Lattice) -> bool:
    """Whether two lattices are equal, wherever their words stand."""
    named = [[lattice.words[word] for word in lattice.word] for lattice in (one, other)]
    return named[0] == named[1] and one.offset == other.offset and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("source", "target", "start", "end", "scores", "final")
    )  # fmt: skip


def word_errors(one, other) -> int:
    """Edit distance, by the textbook."""
    row = list(range(len(other) + 1))
    for word in one:
        above, row = row, [row[0] + 1]
        for place, against in enumerate(other):
            row.append(min(row[-1] + 1, above[place + 1] + 1, above[place] + (word != against)))
    return row[-1]
