"""JSON, for people and for programs in other languages; ``lattice.schema.json`` in this folder describes it.

Nothing is lost: scores and times are written with the digits that single precision needs.
"""

import json
import math
from typing import NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import LatticeError
from ..lattice import ACOUSTIC, NUM_SCORES, Lattice
from .build import LARGEST
from .limits import DEFAULT_LIMITS, Limits

NAME = "nearword-lattice"
VERSION = 1
MAX_DIGITS = 20
"""Digits of a whole number at most: longer ones only cost time."""
SCORES = ("acoustic", "bias", "language")

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


def to_json(lattice: Lattice) -> str:
    """Return the lattice as JSON, an arc to a line."""
    arcs = [
        f'    {{"from": {source}, "to": {target}, "word": {json.dumps(lattice.words[word], ensure_ascii=False)}, '
        f'"start": {start}, "end": {end}, "acoustic": {acoustic}, "bias": {bias}, "language": {language}}}'
        for source, target, word, start, end, acoustic, bias, language in zip(
            lattice.source.tolist(), lattice.target.tolist(), lattice.word.tolist(), _numbers(lattice.start),
            _numbers(lattice.end), *(_numbers(lattice.scores[:, column]) for column in range(NUM_SCORES)), strict=True,
        )
    ]  # fmt: skip
    ends = [
        f'    {{"node": {node}, ' + ", ".join(
            f'"{name}": {number}' for name, number in zip(SCORES, _numbers(lattice.final[node]), strict=True)
        ) + "}"
        for node in np.flatnonzero(lattice.final[:, ACOUSTIC] > -np.inf).tolist()
    ]  # fmt: skip
    listed = ",\n".join(arcs)
    return (
        f'{{\n  "format": "{NAME}",\n  "version": {VERSION},\n  "offset": {float(lattice.offset)!r},\n'
        f'  "nodes": {lattice.num_nodes},\n'
        + (f'  "arcs": [\n{listed}\n  ],\n' if arcs else '  "arcs": [],\n')
        + '  "ends": [\n' + ",\n".join(ends) + "\n  ]\n}\n"
    )  # fmt: skip


def from_json(text: str, limits: Limits = DEFAULT_LIMITS) -> Lattice:
    """Return the lattice that the JSON describes.

    Raises:
        LatticeError: it is no JSON, not as the schema says, or beyond the limits.
    """
    if len(text) > limits.max_bytes:
        raise LatticeError(f"JSON lattice: {len(text)} characters; the limit is {limits.max_bytes} bytes")
    try:
        document: Json = json.loads(text, parse_constant=_refuse_constant, parse_int=_whole)
    except RecursionError:
        raise LatticeError("JSON lattice: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise LatticeError(f"JSON lattice: {error}") from None
    fields = _object(document, "the document", {"format", "version", "offset", "nodes", "arcs", "ends"})
    if fields["format"] != NAME or fields["version"] != VERSION:
        raise LatticeError(
            f"JSON lattice: format {_short(fields['format'])}, version {_short(fields['version'])}; "
            f'expected "{NAME}", version {VERSION}'
        )
    num_nodes = _count(fields["nodes"], "nodes", limits.max_nodes)
    arcs, ends = _list(fields["arcs"], "arcs", limits.max_arcs), _list(fields["ends"], "ends", num_nodes)
    if num_nodes > len(arcs) + 1:
        raise LatticeError(f"JSON lattice: {num_nodes} nodes with {len(arcs)} arcs: some cannot be reached")
    index: dict[str, int] = {}
    source, target, word, start, end = [], [], [], [], []
    scores = np.zeros((len(arcs), NUM_SCORES))
    for number, arc in enumerate(arcs):
        where = f"arc {number}"
        given = _object(arc, where, {"from", "to", "word", "start", "end", *SCORES})
        source.append(_count(given["from"], f"{where}: from", num_nodes - 1))
        target.append(_count(given["to"], f"{where}: to", num_nodes - 1))
        word.append(index.setdefault(_word(given["word"], where, limits), len(index)))
        start.append(_number(given["start"], f"{where}: start"))
        end.append(_number(given["end"], f"{where}: end"))
        scores[number] = [_number(given[name], f"{where}: {name}") for name in SCORES]
    final = np.zeros((max(num_nodes, 1), NUM_SCORES))
    final[:, ACOUSTIC] = -math.inf
    for number, one in enumerate(ends):
        where = f"end {number}"
        given = _object(one, where, {"node", *SCORES})
        node = _count(given["node"], f"{where}: node", num_nodes - 1)
        if final[node, ACOUSTIC] > -math.inf:
            raise LatticeError(f"JSON lattice: {where}: node {node} is an end already")
        final[node] = [_number(given[name], f"{where}: {name}") for name in SCORES]
    offset = _number(fields["offset"], "offset")
    return Lattice(
        tuple(index), _ints(source), _ints(target), _ints(word), np.array(start, np.float32),
        np.array(end, np.float32), scores.astype(np.float32), final.astype(np.float32), offset,
    )  # fmt: skip


def _numbers(values: npt.NDArray[np.float32]) -> list[str]:
    return [str(value) for value in values.astype(np.float32)]


def _ints(values: list[int]) -> npt.NDArray[np.int32]:
    return np.array(values, np.int32)


def _refuse_constant(name: str) -> NoReturn:
    raise LatticeError(f"JSON lattice: {name} is not a finite number")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise LatticeError(f"JSON lattice: a number of {len(digits)} digits; the limit is {MAX_DIGITS}")
    return int(digits)


def _short(value: Json) -> str:
    # what goes into a message: never the whole of a nested value
    return f"{value!r:.40}" if isinstance(value, (str, int, float)) or value is None else type(value).__name__


def _object(value: Json, where: str, names: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise LatticeError(f"JSON lattice: {where} is {_short(value)}; expected an object")
    for wrong, what in ((names - value.keys(), "lacks"), (value.keys() - names, "has the unknown field")):
        if wrong:
            raise LatticeError(f"JSON lattice: {where} {what} {min(wrong)!r:.40}")
    return value


def _list(value: Json, name: str, limit: int) -> list[Json]:
    if not isinstance(value, list):
        raise LatticeError(f"JSON lattice: {name} is {_short(value)}; expected a list")
    if len(value) > limit:
        raise LatticeError(f"JSON lattice: {len(value)} {name}; the limit is {limit}")
    return value


def _count(value: Json, name: str, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
        raise LatticeError(f"JSON lattice: {name} is {_short(value)}; expected a whole number from 0 to {limit}")
    return value


def _number(value: Json, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        raise LatticeError(f"JSON lattice: {name} is {_short(value)}; expected a finite number")
    return float(value)


def _word(value: Json, where: str, limits: Limits) -> str:
    if not (isinstance(value, str) and value) or len(value) > limits.max_word_characters:
        raise LatticeError(
            f"JSON lattice: {where}: word is {_short(value)}; "
            f"expected a text of 1 to {limits.max_word_characters} characters"
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise LatticeError(f"JSON lattice: {where}: word {value!r:.40} is not Unicode text") from None
    return value
