"""AT&T text, as OpenFst's ``fstcompile --acceptor`` reads it: a line per arc, then a line per end.

``source target word cost``, ``node cost``; a cost is a negative total, as in OpenFst's tropical and log semirings.
What is lost: times, and that a total is a sum of three scores; all of it is read as acoustic. Words may be numbers of
a symbol table, which is a file of its own (``to_symbols``). Transducers are read by what they put out.
"""

from ..errors import LatticeError
from ..lattice import Lattice
from .build import Link, Scores, build, number, whole
from .limits import DEFAULT_LIMITS, Limits

EMPTY = "<eps>"
"""The word that is none; number 0 of a symbol table."""


def to_att(lattice: Lattice, *, numbered: bool = False) -> str:
    """Return the lattice as AT&T text.

    Args:
        lattice: what to write.
        numbered: write the numbers that ``to_symbols`` gives words instead of the words.

    Raises:
        LatticeError: a word cannot be said in it, since it is empty, holds white space or means none.
    """
    names = [str(index + 1) for index in range(len(lattice.words))] if numbered else _checked(lattice)
    lines = [
        f"{source}\t{target}\t{names[word]}\t{_cost(total)}"
        for source, target, word, total in zip(
            lattice.source.tolist(),
            lattice.target.tolist(),
            lattice.word.tolist(),
            lattice.totals.tolist(),
            strict=True,
        )
    ]
    lines += [f"{node}\t{_cost(total)}" for node, total in enumerate(lattice.final_totals.tolist()) if total > -1e300]
    return "\n".join(lines) + "\n"


def to_symbols(lattice: Lattice) -> str:
    """Return the symbol table of a lattice: a word and its number to a line.

    Raises:
        LatticeError: as for ``to_att``.
    """
    lines = [f"{EMPTY}\t0", *(f"{word}\t{index}" for index, word in enumerate(_checked(lattice), 1))]
    return "\n".join(lines) + "\n"


def from_att(text: str, limits: Limits = DEFAULT_LIMITS, symbols: str | None = None) -> Lattice:
    """Return the lattice that is written as AT&T text; times are 0.

    Args:
        text: the lattice.
        limits: what to accept.
        symbols: a symbol table where words are numbers of it.

    Raises:
        LatticeError: it is not in this format, or not a lattice, or beyond the limits. Names the line.
    """
    table = None if symbols is None else _table(symbols)
    links: list[Link] = []
    ends: dict[int, Scores] = {}
    start = None
    for count, line in enumerate(text.split("\n"), 1):
        columns = line.split()
        if not columns:
            continue
        try:
            source = whole(columns[0], "the node")
            start = source if start is None else start
            if len(columns) <= 2:
                _add_end(ends, source, columns[1:])
            else:
                links.append(_link(source, columns, table, limits))
        except LatticeError as error:
            raise LatticeError(f"AT&T lattice: line {count}: {error}") from None
        if len(links) > limits.max_arcs or len(ends) > limits.max_nodes:
            raise LatticeError(f"AT&T lattice: more arcs than {limits.max_arcs} or ends than {limits.max_nodes}")
    if start is None:
        raise LatticeError("AT&T lattice: it is empty")
    try:
        return build(links, start, ends, limits)
    except LatticeError as error:
        raise LatticeError(f"AT&T lattice: {error}") from None


def _link(source: int, columns: list[str], table: dict[str, str] | None, limits: Limits) -> Link:
    if len(columns) > 5:
        raise LatticeError(f"{len(columns)} columns; expected source, target, word, perhaps what is put out, and cost")
    target = whole(columns[1], "the target")
    *labels, cost = (columns[2:], "0") if len(columns) == 3 else (columns[2:-1], columns[-1])
    word = labels[0][-1]
    if len(word) > limits.max_word_characters:
        raise LatticeError(f"a word of {len(word)} characters; the limit is {limits.max_word_characters}")
    if table is not None:
        if word not in table:
            raise LatticeError(f"word {word!r:.40} is not in the symbol table")
        word = table[word]
    return Link(source, target, None if word == EMPTY else word, 0.0, 0.0, (0.0 - number(cost, "the cost"), 0.0, 0.0))


def _add_end(ends: dict[int, Scores], node: int, cost: list[str]) -> None:
    if node in ends:
        raise LatticeError(f"node {node} is an end already")
    ends[node] = (0.0 - number(cost[0], "the cost") if cost else 0.0, 0.0, 0.0)


def _table(symbols: str) -> dict[str, str]:
    table = {}
    for count, line in enumerate(symbols.split("\n"), 1):
        columns = line.split()
        if not columns:
            continue
        if len(columns) != 2 or columns[1] in table:
            raise LatticeError(f"symbol table: line {count} is {line!r:.40}; expected a word and a number of its own")
        table[columns[1]] = columns[0]
    return table


def _checked(lattice: Lattice) -> tuple[str, ...]:
    for word in lattice.words:
        if not word or word == EMPTY or word.split() != [word]:
            raise LatticeError(
                f"AT&T lattice: the word {word!r:.40} cannot be written; it is empty, split or means none"
            )
    return lattice.words


def _cost(total: float) -> str:
    return repr(0.0 - total)
