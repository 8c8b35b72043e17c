"""What a token string earns, straight from the definition: slow, and with nothing in common with the graph."""

from collections.abc import Sequence
from functools import cache

Phrase = tuple[int, ...]
Listed = dict[str, dict[Phrase, float]]
"""By class: tokenised phrases and what each is worth inside a template; names of classes are those of templates."""


def boundaries(tokens: Sequence[int], starts: Sequence[bool]) -> list[int]:
    return [k for k in range(len(tokens)) if starts[tokens[k]]] + [len(tokens)]


def occurrences(tokens: Sequence[int], starts: Sequence[bool], phrases: dict[Phrase, float]) -> list[tuple[int, int]]:
    places = boundaries(tokens, starts)
    return [(i, j) for i in places for j in places if i < j and tuple(tokens[i:j]) in phrases]


def earned(
    tokens: Sequence[int],
    starts: Sequence[bool],
    listed: Listed,
    scales: dict[str, tuple[float, float]],
    templates: Sequence[Sequence[str]] = (),
    words: dict[str, list[Phrase]] | None = None,
) -> float:
    """``templates`` are plain sequences of words and ``$class``; ``scales`` score per weight inside and outside."""
    found = {name: occurrences(tokens, starts, phrases) for name, phrases in listed.items()}
    places = boundaries(tokens, starts)
    said = {
        word: [(i, j) for i in places for j in places if i < j and tuple(tokens[i:j]) in ways]
        for word, ways in (words or {}).items()
    }
    said = {word: [(i, j) for i, j in spans if not any(i < k < j for k in places)] for word, spans in said.items()}

    def leads_to(elements: Sequence[str], begin: int, end: int) -> bool:
        if not elements:
            return begin == end
        spans = found.get(elements[0][1:], []) if elements[0][0] == "$" else said[elements[0]]
        return any(i == begin and leads_to(elements[1:], j, end) for i, j in spans)

    def fits(name: str, begin: int) -> bool:
        for template in templates:
            for k, element in enumerate(template):
                if element != f"${name}":
                    continue
                beginnings = [0] if template[0][0] == "$" else places
                if any(leads_to(template[:k], b, begin) for b in beginnings):
                    return True
        return False

    gated = {element[1:] for template in templates for element in template if element[0] == "$"}
    worth: list[tuple[int, int, float]] = []
    for name, spans in found.items():
        inside, outside = scales[name]
        for i, j in spans:
            scale = inside if name not in gated or fits(name, i) else outside
            worth.append((i, j, listed[name][tuple(tokens[i:j])] * scale))

    @cache
    def best(place: int) -> float:
        if place >= len(tokens):
            return 0.0
        options = [best(place + 1)]
        options += [value + best(j) for i, j, value in worth if i == place]
        return max(options)

    return best(0)
