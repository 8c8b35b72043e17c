"""HTK standard lattice format (HTK book, chapter "HTK Standard Lattice Format"), as SRILM uses it and Kaldi's scripts.

Words stand on links. Nodes have a time; since two words that leave one node need not begin at once, the exact times
stand in the segmentation: ``d=:!NULL,0.04:play,0.32:`` begins 0.04 s after the link's first node and takes 0.32 s.
``a=`` is acoustic score and bias together, so that readers that know nothing of biasing rank paths right; ``x1=`` is
the bias alone (SRILM's field for a further score, its scale set to 0). Ends with a score, and several ends, lead to
one last node by links without a word. ``offset=`` is the time in the stream at which time 0 lies, where not 0.

What is lost: times are rounded to 0.1 ms. What is read of other programs' lattices, as SRILM does: words and acoustic
scores on nodes or links, short and long field names, scores of n-grams (``n=``) and pronunciations (``r=``); ``base``,
``wdpenalty`` and the scales are worked into the scores. Names are read as they stand, quotes and all.
"""

import math

import numpy as np

from ..errors import LatticeError
from ..lattice import ACOUSTIC, Lattice
from .build import LARGEST, Link, Scores, build, number, whole
from .limits import DEFAULT_LIMITS, Limits

EMPTY = frozenset({"!NULL", "!ENTER", "!EXIT", "<s>", "</s>", "<eps>"})
"""Words that are none."""
NULL = "!NULL"
TIME_DIGITS = 4
_NAMES = {
    "START": "S", "END": "E", "WORD": "W", "time": "t", "acoustic": "a", "language": "l", "div": "d", "NODES": "N",
    "LINKS": "L",
}  # fmt: skip
"""Long names of fields and the short ones."""

NAMES_OF_THINGS = ("UTTERANCE=", "U=", "lmname=", "ngname=", "hmms=", "vocab=", "engineconfig=")
"""Fields that may hold white space, each on a line of its own; they say nothing about the lattice."""
SCALES = {"acscale": "1", "lmscale": "1", "ngscale": "1", "prscale": "1", "x1scale": "0", "wdpenalty": "0"}
"""Factors of scores, and what they are where the file does not say."""

Fields = dict[str, str]


def to_slf(lattice: Lattice) -> str:
    """Return the lattice in HTK's format.

    Raises:
        LatticeError: a word cannot be said in it, since it is empty, holds white space or means none.
    """
    for word in lattice.words:
        if not word or word in EMPTY or word.split() != [word]:
            raise LatticeError(
                f"SLF lattice: the word {word!r:.40} cannot be written; it is empty, split or means none"
            )
    last = lattice.num_nodes - 1
    ends = np.flatnonzero(lattice.final[:, ACOUSTIC] > -np.inf).tolist()
    one_end = len(ends) == 1 and not lattice.final[last].any()
    times = _node_times(lattice)
    if not one_end:
        times.append(max(times[node] for node in ends))
    links = [
        f"S={source} E={target} W={lattice.words[word]} {_scores(*scores)} d=:{NULL},{_time(start - times[source])}:"
        f"{lattice.words[word].replace(',', '_').replace(':', '_')},{_time(end - start)}:"
        for source, target, word, start, end, scores in zip(
            lattice.source.tolist(), lattice.target.tolist(), lattice.word.tolist(), lattice.start.tolist(),
            lattice.end.tolist(), lattice.scores.tolist(), strict=True,
        )
    ]  # fmt: skip
    if not one_end:
        links += [f"S={node} E={last + 1} W={NULL} {_scores(*lattice.final[node].tolist())}" for node in ends]
    header = ["VERSION=1.0", f"base={math.e!r}", "acscale=1.0 lmscale=1.0 wdpenalty=0.0 x1scale=0.0"]
    header += [f"offset={lattice.offset!r}"] * bool(lattice.offset)
    header += [f"start=0 end={len(times) - 1}", f"N={len(times)} L={len(links)}"]
    nodes = [f"I={node} t={_time(time)}" for node, time in enumerate(times)]
    return "\n".join([*header, *nodes, *(f"J={index} {link}" for index, link in enumerate(links))]) + "\n"


def from_slf(text: str, limits: Limits = DEFAULT_LIMITS) -> Lattice:
    """Return the lattice that is written in HTK's format.

    Raises:
        LatticeError: it is not in this format, or not a lattice, or beyond the limits. Names the line.
    """
    header: Fields = {}
    nodes: dict[int, Fields] = {}
    links: dict[int, Fields] = {}
    for count, line in enumerate(text.split("\n"), 1):
        line = line.strip()  # noqa: PLW2901
        if not line or line.startswith(("#", *NAMES_OF_THINGS)):
            continue
        try:
            fields = _fields(line, limits)
            if "I" in fields:
                _add(nodes, fields, "I", limits.max_nodes)
            elif "J" in fields:
                _add(links, fields, "J", limits.max_arcs)
            else:
                _header(header, fields)
        except LatticeError as error:
            raise LatticeError(f"SLF lattice: line {count}: {error}") from None
    try:
        return _Document(header, nodes, links).lattice(limits)
    except LatticeError as error:
        raise LatticeError(f"SLF lattice: {error}") from None


class _Document:
    """What the fields of header, nodes and links mean."""

    def __init__(self, header: Fields, nodes: dict[int, Fields], links: dict[int, Fields]) -> None:
        self.header, self.nodes, self.links = header, nodes, links
        base = number(header.get("base", repr(math.e)), "base")
        if base <= 1:
            raise LatticeError(f"base is {base}; expected scores that are logarithms to a base above 1")
        unit = math.log(base)
        unit = 1.0 if abs(unit - 1) < 1e-5 else unit  # e with the digits that programs write
        self.scale = {name: unit * number(header.get(name, usual), name) for name, usual in SCALES.items()}
        if header.get("dir", "f") != "f":
            raise LatticeError("it is written backwards (dir=b), which is not supported")

    def lattice(self, limits: Limits) -> Lattice:
        for name, what, found in (("N", "nodes", self.nodes), ("L", "links", self.links)):
            if name in self.header and whole(self.header[name], name) != len(found):
                raise LatticeError(f"{name} announces {self.header[name]} {what}; found {len(found)}")
        if not self.nodes:
            raise LatticeError("it has no nodes (lines that begin with I=)")
        times = {node: number(fields.get("t", "0"), f"node {node}: t") for node, fields in self.nodes.items()}
        links = [self._link(index, fields, times) for index, fields in self.links.items()]
        start = self._only("start", {link.target for link in links})
        end = self._only("end", {link.source for link in links})
        offset = number(self.header.get("offset", "0"), "offset")
        ends: dict[int, Scores] = {end: (0.0, 0.0, 0.0)}
        return build(links, start, ends, limits, self.nodes, offset)

    def _only(self, name: str, others: set[int]) -> int:
        if name in self.header:
            node = whole(self.header[name], name)
            if node not in self.nodes:
                raise LatticeError(f"{name} is node {node}, which there is not")
            return node
        alone = [node for node in self.nodes if node not in others]
        if len(alone) != 1:
            raise LatticeError(
                f"{len(alone)} nodes could be the {name}; expected one, or a field {name}= that names it"
            )
        return alone[0]

    def _link(self, index: int, fields: Fields, times: dict[int, float]) -> Link:
        where = f"link {index}"
        source, target = (self._node(fields, name, where) for name in ("S", "E"))
        word = fields.get("W", NULL)
        word = self.nodes[target].get("W", NULL) if word in EMPTY else word
        given = self.nodes[target] | fields
        acoustic, pronunciation, language, ngram, bias = (
            number(given.get(name, "0"), f"{where}: {name}") for name in ("a", "r", "l", "n", "x1")
        )
        scale = self.scale
        bias_scale = scale["x1scale"]
        if not bias_scale:  # as written here: a part of the acoustic score
            acoustic, bias_scale = acoustic - bias, scale["acscale"]
        start, end = times[source], times[target]
        if "d" in fields:
            start, end = _segmented(fields["d"], where, start, end)
        empty = word in EMPTY
        scores = (
            acoustic * scale["acscale"] + pronunciation * scale["prscale"],
            bias * bias_scale,
            language * scale["lmscale"] + ngram * scale["ngscale"] + (0.0 if empty else scale["wdpenalty"]),
        )
        if not all(abs(score) <= LARGEST for score in scores):
            raise LatticeError(f"{where}: a score with its scale is too large")
        return Link(source, target, None if empty else word, start, end, scores)

    def _node(self, fields: Fields, name: str, where: str) -> int:
        if name not in fields:
            raise LatticeError(f"{where} has no field {name}=")
        node = whole(fields[name], f"{where}: {name}")
        if node not in self.nodes:
            raise LatticeError(f"{where} names node {node}, which there is not")
        return node


def _fields(line: str, limits: Limits) -> Fields:
    fields: Fields = {}
    for item in line.split():
        if item.startswith("#"):
            break
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise LatticeError(f"{item!r:.40} is no field; expected name=value")
        if len(value) > 2 * limits.max_word_characters + 80:
            raise LatticeError(f"field {name!r:.20} has {len(value)} characters")
        fields[_NAMES.get(name, name)] = value
    if len(fields.get("W", "")) > limits.max_word_characters:
        raise LatticeError(f"a word of {len(fields['W'])} characters; the limit is {limits.max_word_characters}")
    if fields.get("W") == "":
        raise LatticeError("a word is empty; expected !NULL where there is none")
    return fields


def _add(known: dict[int, Fields], fields: Fields, name: str, limit: int) -> None:
    index = whole(fields.pop(name), name)
    if index in known:
        raise LatticeError(f"{name}={index} occurs twice")
    if len(known) >= limit:
        raise LatticeError(f"more than {limit} lines {name}=, the limit")
    known[index] = fields


def _header(header: Fields, fields: Fields) -> None:
    if "SUBLAT" in fields:
        raise LatticeError("sub-lattices are not supported; expand the lattice first")
    header |= fields
    if len(header) > 100:
        raise LatticeError("more than 100 fields before nodes and links")


def _segmented(text: str, where: str, start: float, end: float) -> tuple[float, float]:
    """Return start and end of the word of a link from its segmentation; other programs' say nothing about it."""
    parts = text.split(":")
    gap, _, before = parts[1].partition(",") if len(parts) == 4 else ("", "", "")
    if gap != NULL:
        return start, end
    start += number(before, f"{where}: d")
    return start, start + number(parts[2].rpartition(",")[2], f"{where}: d")


def _node_times(lattice: Lattice) -> list[float]:
    """Return a time for each node: when the first word that leaves it begins, or else the last one to enter ends."""
    leaves = np.full(lattice.num_nodes, np.inf)
    np.minimum.at(leaves, lattice.source, lattice.start)
    enters = np.full(lattice.num_nodes, -np.inf)
    np.maximum.at(enters, lattice.target, lattice.end)
    times = np.where(np.isfinite(leaves), leaves, np.where(np.isfinite(enters), enters, 0.0))
    rounded: list[float] = np.round(times, TIME_DIGITS).tolist()
    return rounded


def _time(seconds: float) -> str:
    return repr(round(seconds, TIME_DIGITS) + 0.0)


def _scores(acoustic: float, bias: float, language: float) -> str:
    return f"a={_digits(acoustic, bias)} l={_digits(language)}" + (f" x1={_digits(bias)}" if bias else "")


def _digits(one: float, other: float = 0.0) -> str:
    return str(np.float32(one)) if not other else repr(one + other)
