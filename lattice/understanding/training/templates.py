"""Sentence templates as Home Assistant's hassil has them, and what they say in full.

``[optional]``, ``(one|another)``, ``{list}`` for a phrase of a list, ``{list:slot}`` where the slot has another name,
and ``<rule>`` for another template. A template says too much to be written out: some of its texts are drawn.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UnderstandingError
from .examples import Example, Span

TEXTS_PER_INTENT = 200
"""Texts that are drawn for an intent, at most."""
DRAWS = 20
"""Tries per text that is wanted; what comes again is drawn anew."""
MAX_DEPTH = 20
_PIECE = re.compile(r"\[|\]|\(|\)|\||\{[^{}]*\}|<[^<>]*>|[^\[\]()|{}<>]+")


@dataclass(frozen=True)
class _Words:
    text: str


@dataclass(frozen=True)
class _List:
    name: str
    slot: str


@dataclass(frozen=True)
class _Rule:
    name: str


@dataclass(frozen=True)
class _All:
    parts: tuple["_Part", ...]


@dataclass(frozen=True)
class _OneOf:
    ways: tuple["_Part", ...]


_Part = _Words | _List | _Rule | _All | _OneOf


def parse(template: str) -> _Part:
    """Return what a template is made of.

    Raises:
        UnderstandingError: brackets do not match; names the template.
    """
    pieces = _PIECE.findall(template)
    if "".join(pieces) != template:
        raise UnderstandingError(f"template {template!r}: a bracket has no partner")
    part, at = _alternatives(pieces, 0, template, 0)
    if at != len(pieces):
        raise UnderstandingError(f"template {template!r}: {pieces[at]!r} has no partner")
    return part


def _alternatives(pieces: list[str], at: int, template: str, depth: int) -> tuple[_Part, int]:
    if depth > MAX_DEPTH:
        raise UnderstandingError(f"template {template!r:.80}: brackets within brackets, more than {MAX_DEPTH} deep")
    ways: list[_Part] = []
    parts: list[_Part] = []
    while at < len(pieces) and pieces[at] not in {"]", ")"}:
        piece = pieces[at]
        at += 1
        if piece == "|":
            ways.append(_All(tuple(parts)))
            parts = []
        elif piece in {"[", "("}:
            inner, at = _alternatives(pieces, at, template, depth + 1)
            if at == len(pieces) or pieces[at] != ("]" if piece == "[" else ")"):
                raise UnderstandingError(f"template {template!r}: {piece!r} has no partner")
            at += 1
            parts.append(_OneOf((inner, _Words(""))) if piece == "[" else inner)
        elif piece[0] == "{":
            name, _, slot = piece[1:-1].partition(":")
            parts.append(_List(name.strip(), (slot or name).strip()))
        elif piece[0] == "<":
            parts.append(_Rule(piece[1:-1].strip()))
        else:
            parts.append(_Words(piece))
    ways.append(_All(tuple(parts)))
    return (ways[0] if len(ways) == 1 else _OneOf(tuple(ways))), at


def expand_document(document: Mapping[str, Any], where: str, most: int = TEXTS_PER_INTENT) -> list[Example]:
    """Return texts of a document: ``intents`` with ``sentences``, ``lists`` of ``values``, ``expansion_rules``.

    The same texts each time. Lists without values, which Home Assistant fills, are left out with their sentences.

    Raises:
        UnderstandingError: a template or a list cannot be used; names it.
    """
    lists = {name: _values(name, body, where) for name, body in _mapping(document, "lists", where).items()}
    rules = {name: parse(str(rule)) for name, rule in _mapping(document, "expansion_rules", where).items()}
    found: list[Example] = []
    for intent, body in _mapping(document, "intents", where).items():
        templates: list[tuple[_Part, dict[str, list[str]]]] = []
        for block in body.get("data", ()) if isinstance(body, Mapping) else ():
            own = {name: _values(name, some, where) for name, some in _mapping(block, "lists", where).items()}
            sentences = block.get("sentences", ())
            templates += [(parse(str(sentence)), lists | own) for sentence in sentences]
        if not templates:
            raise UnderstandingError(f"{where}: intent {intent!r} has no sentences")
        found += _draw(str(intent), templates, rules, most, f"{where}: {intent}")
    return found


def _draw(
    intent: str, templates: list[tuple[_Part, dict[str, list[str]]]], rules: Mapping[str, _Part], most: int, where: str
) -> list[Example]:
    chance = random.Random(intent)  # noqa: S311 (the same texts each time)
    drawn: dict[str, Example] = {}
    for number in range(most * DRAWS):
        part, lists = templates[number % len(templates)]
        parts: list[tuple[str, str]] = []
        if _say(part, lists, rules, chance, parts, where, 0):
            example = _joined(parts, intent, where)
            if example.text:
                drawn.setdefault(example.text, example)
        if len(drawn) >= most:
            break
    if not drawn:
        raise UnderstandingError(f"{where}: no sentence can be said; a list is missing or empty")
    return list(drawn.values())


def _say(
    part: _Part, lists: Mapping[str, list[str]], rules: Mapping[str, _Part], chance: random.Random,
    out: list[tuple[str, str]], where: str, depth: int,
) -> bool:  # fmt: skip
    """Add what is said, each with its slot, if any; False if a list has nothing to say."""
    if depth > MAX_DEPTH:
        raise UnderstandingError(f"{where}: rules that name each other without end")
    if isinstance(part, _Words):
        out.append((part.text, ""))
        return True
    if isinstance(part, _List):
        values = lists.get(part.name)
        if values:
            out.append((chance.choice(values), part.slot))
        return bool(values)
    if isinstance(part, _Rule):
        if part.name not in rules:
            raise UnderstandingError(f"{where}: no rule <{part.name}>; there are: {', '.join(rules) or 'none'}")
        return _say(rules[part.name], lists, rules, chance, out, where, depth + 1)
    if isinstance(part, _OneOf):
        return _say(chance.choice(part.ways), lists, rules, chance, out, where, depth + 1)
    return all(_say(one, lists, rules, chance, out, where, depth + 1) for one in part.parts)


def _joined(parts: list[tuple[str, str]], intent: str, where: str) -> Example:
    text, spans = "", []
    for said, slot in parts:
        plain = " ".join(said.split()) if slot else re.sub(r"\s+", " ", said)
        if text.endswith(" ") or not text:
            plain = plain.lstrip()
        if slot and plain:
            spans.append(Span(slot, len(text), len(text) + len(plain)))
        text += plain
    return Example(text.rstrip(), intent, tuple(spans), where)


def _values(name: str, body: Any, where: str) -> list[str]:
    """Return the phrases of a list; a range of numbers becomes words of digits."""
    if isinstance(body, Mapping) and isinstance(body.get("range"), Mapping):
        edges = body["range"]
        try:
            first, last = int(edges["from"]), int(edges["to"])
            step = max(1, int(edges.get("step", 1)))
        except (KeyError, TypeError, ValueError) as error:
            raise UnderstandingError(f"{where}: list {name!r} has a range without numbers 'from' and 'to'") from error
        return [str(number) for number in range(first, min(last, first + 10_000) + 1, step)]
    values = body.get("values", ()) if isinstance(body, Mapping) else body
    if not isinstance(values, (list, tuple)):
        raise UnderstandingError(f"{where}: list {name!r} has no 'values'")
    phrases = [str(value["in"]) if isinstance(value, Mapping) and "in" in value else str(value) for value in values]
    # a value may be a template itself; its first reading is enough
    return [plain for plain in (re.sub(r"\[[^\]]*\]|[()]|\|.*", "", phrase).strip() for phrase in phrases) if plain]


def _mapping(document: Any, name: str, where: str) -> Mapping[str, Any]:
    found = document.get(name) or {} if isinstance(document, Mapping) else {}
    if not isinstance(found, Mapping):
        raise UnderstandingError(f"{where}: {name!r} is no object")
    return found
