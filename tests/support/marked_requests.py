"""Requests written by hand: "intent: text with (words)[slot]", a line each."""

import re
from pathlib import Path

from nearword.lattice.understanding.training import Example, Span

_MARKED = re.compile(r"\(([^)]*)\)\[([^\]]*)\]")


def marked(line: str, intent: str) -> Example:
    """Return the example that a line with marked slots is."""
    text, spans, end = "", [], 0
    for found in _MARKED.finditer(line):
        text += line[end : found.start()]
        spans.append(Span(found[2], len(text), len(text) + len(found[1])))
        text, end = text + found[1], found.end()
    return Example(text + line[end:], intent, tuple(spans))


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file that are no comments."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def read_requests(path: Path) -> list[Example]:
    """Return the examples of a file whose lines begin with an intent."""
    return [marked(text, intent) for intent, _, text in (line.partition(": ") for line in lines_of(path))]
