"""What goes to a rescoring service and what comes back, as ``request.schema.json`` and ``answer.schema.json`` say."""

import base64
import binascii
import json
import math
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn, TypeAlias

from ..errors import LatticeError
from ..formats import DEFAULT_LIMITS, Limits, decode, encode
from ..formats.json_format import from_json, to_json
from ..lattice import Lattice
from .errors import ContractError

VERSION = 1
PATH = "/v1/rescore"
"""Of the service's address."""
REQUEST, ANSWER = "nearword-rescore-request", "nearword-rescore-answer"
MAX_ANSWER_BYTES = 256_000
MAX_PATHS = 100
MAX_WORDS = 1000
MAX_NUMBER = 2**53 - 1
MAX_DIGITS = 20
SHOWN = 40
"""Characters of a wrong value that a message repeats."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


class Form(str, Enum):
    """How the lattice stands in the request."""

    binary = "binary"
    """The compact form in base64: a few hundred bytes."""
    json = "json"
    """As JSON, for services in other languages: ten times as much."""


@dataclass(frozen=True)
class Request:
    """All that leaves the device for one utterance."""

    utterance: int
    """Number of the utterance since the stream began."""
    revision: int
    """Number of the revision within the utterance."""
    lattice: Lattice
    """What may have been said, pruned; private words masked."""
    locale: str | None = None
    """Language tag of what is spoken, such as ``en-US``."""
    model: str | None = None
    """Name of the speech model, if it may be told."""
    bias: tuple[str, ...] | None = None
    """Phrases that were boosted, if they may be told."""

    def to_json(self, form: Form = Form.binary) -> str:
        """Return the request as it goes over the wire."""
        fields: dict[str, Json] = {
            "format": REQUEST,
            "version": VERSION,
            "utterance": self.utterance,
            "revision": self.revision,
            "lattice": base64.b64encode(encode(self.lattice)).decode()
            if form is Form.binary
            else json.loads(to_json(self.lattice)),
        }
        if self.locale is not None:
            fields["locale"] = self.locale
        if self.model is not None:
            fields["model"] = self.model
        if self.bias is not None:
            fields["bias"] = list(self.bias)
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class ScoredPath:
    """Words of one path of the lattice."""

    words: tuple[str, ...]
    """The words; empty where nothing was said."""
    language: float
    """Log-probability of the language model (natural logarithm), not weighted."""
    total: float
    """What paths are compared by: all scores, weighted."""


@dataclass(frozen=True)
class Answer:
    """What a service made of a request."""

    utterance: int
    """As in the request."""
    revision: int
    """As in the request."""
    paths: tuple[ScoredPath, ...]
    """The best paths, best first; at least one."""
    model: str
    """Name of the language model."""
    milliseconds: float
    """What the service took, without the network."""

    @property
    def text(self) -> str:
        """The best words."""
        return " ".join(self.paths[0].words)

    def to_json(self) -> str:
        """Return the answer as it goes over the wire."""
        fields = {
            "format": ANSWER,
            "version": VERSION,
            "utterance": self.utterance,
            "revision": self.revision,
            "text": self.text,
            "paths": [
                {"words": path.words, "language": round(path.language, 4), "total": round(path.total, 4)}
                for path in self.paths
            ],
            "model": self.model,
            "milliseconds": round(self.milliseconds, 3),
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def read_request(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Request:
    """Return the request that a body holds.

    Raises:
        ContractError: it is not as the contract says, or its lattice is none or too large.
    """
    fields = _fields(
        body, {"format", "version", "utterance", "revision", "lattice"}, {"locale", "model", "bias"}, REQUEST
    )
    bias = fields.get("bias")
    return Request(
        _count(fields, "utterance"),
        _count(fields, "revision"),
        _lattice(fields["lattice"], limits),
        _text(fields, "locale", 35) if "locale" in fields else None,
        _text(fields, "model", 200) if "model" in fields else None,
        None if bias is None else _texts(bias, "bias", 1000, 200),
    )


def read_answer(body: bytes) -> Answer:
    """Return the answer that a body holds.

    Raises:
        ContractError: it is not as the contract says.
    """
    names = {"format", "version", "utterance", "revision", "text", "paths", "model", "milliseconds"}
    fields = _fields(body, names, set(), ANSWER)
    listed = fields["paths"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_PATHS:
        raise ContractError(f"paths: expected a list of 1 to {MAX_PATHS}")
    paths = []
    for place, one in enumerate(listed):
        where = f"paths[{place}]"
        if not isinstance(one, dict) or one.keys() != {"words", "language", "total"}:
            raise ContractError(f"{where}: expected an object with words, language and total")
        words = _texts(one["words"], f"{where}.words", MAX_WORDS, DEFAULT_LIMITS.max_word_characters)
        paths.append(ScoredPath(words, _number(one, "language"), _number(one, "total")))
    milliseconds = _number(fields, "milliseconds")
    answer = Answer(
        _count(fields, "utterance"), _count(fields, "revision"), tuple(paths), _text(fields, "model", 200), milliseconds
    )
    if fields["text"] != answer.text:
        raise ContractError("text: it is not that of the first path")
    if milliseconds < 0:
        raise ContractError("milliseconds: expected 0 or more")
    return answer


def _fields(body: bytes, needed: set[str], allowed: set[str], name: str) -> dict[str, Json]:
    try:
        document: Json = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_int=_whole)
    except RecursionError:
        raise ContractError("the body is nested too deeply") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ContractError(f"the body is no JSON ({error})") from None
    if not isinstance(document, dict):
        raise ContractError("the body is no JSON object")
    for wrong, what in (
        (needed - document.keys(), "lacks"),
        (document.keys() - needed - allowed, "has the unknown field"),
    ):
        if wrong:
            raise ContractError(f"the body {what} {min(wrong)!r:.{SHOWN}}")
    if document["format"] != name or document["version"] != VERSION or isinstance(document["version"], bool):
        raise ContractError(f'expected format "{name}", version {VERSION}')
    return document


def _lattice(value: Json, limits: Limits) -> Lattice:
    try:
        if isinstance(value, str):
            return _no_deeper(decode(base64.b64decode(value, validate=True), limits), limits.max_depth)
        if isinstance(value, dict):
            return _no_deeper(from_json(json.dumps(value), limits), limits.max_depth)
    except binascii.Error as error:
        raise ContractError(f"lattice: is no base64 ({error})") from None
    except ContractError:
        raise
    except (LatticeError, ValueError, RecursionError) as error:
        raise ContractError(f"lattice: {error}") from None
    raise ContractError("lattice: expected base64 or an object")


def _no_deeper(lattice: Lattice, limit: int) -> Lattice:
    depth = [0] * lattice.num_nodes
    for source, target in zip(lattice.source.tolist(), lattice.target.tolist(), strict=True):
        depth[target] = max(depth[target], depth[source] + 1)
    if max(depth) > limit:
        raise ContractError(f"lattice: a path of {max(depth)} words; the limit is {limit}")
    return lattice


def _refuse_constant(name: str) -> NoReturn:
    raise ContractError(f"{name} is not a finite number")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ContractError(f"a number of {len(digits)} digits; the limit is {MAX_DIGITS}")
    return int(digits)


def _count(fields: dict[str, Json], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise ContractError(f"{name}: expected a whole number from 0 to {MAX_NUMBER}")
    return value


def _number(fields: dict[str, Json], name: str) -> float:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ContractError(f"{name}: expected a finite number")
    return float(value)


def _text(fields: dict[str, Json], name: str, limit: int) -> str:
    return _texts([fields[name]], name, 1, limit)[0]


def _texts(value: Json, name: str, count: int, limit: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > count:
        raise ContractError(f"{name}: expected at most {count} texts")
    for one in value:
        if not isinstance(one, str) or not 1 <= len(one) <= limit or any("\ud800" <= mark <= "\udfff" for mark in one):
            raise ContractError(f"{name}: expected a text of 1 to {limit} characters")
    return tuple(str(one) for one in value)
