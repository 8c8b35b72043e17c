"""Sentences of general English from a small grammar, ``sentences.txt``: what requests to an assistant never say."""

import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .phrases import label_text

_SLOT = re.compile(r"\{(\w+)\}")
LONGEST = 14
"""Words of a sentence, at most: what training takes."""
_FORMS = ("", "_s", "_past", "_pp", "_ing")


@cache
def grammar() -> dict[str, tuple[str, ...]]:
    """Read the rules: name to alternatives; the forms of verbs ``tv`` are ``tv``, ``tv_s``, ``tv_past`` and so on."""
    rules: dict[str, tuple[str, ...]] = {}
    for line in Path(__file__).with_name("sentences.txt").read_text("utf-8").splitlines():
        if name := re.match(r"(\w+) ?([:=]) ", line):
            body = line[name.end() :]
            if name[2] == "=":
                rules[name[1]] = tuple(part.strip() for part in body.split("|"))
            else:
                forms = zip(*(verb.split() for verb in body.split(",")), strict=True)
                rules |= {name[1] + form: words for form, words in zip(_FORMS, forms, strict=True)}
    return rules


def sentences(seed: int) -> Iterator[str]:
    """Yield sentences of at most `LONGEST` words without end; same seed, same sentences."""
    rules, rng = grammar(), random.Random(seed)

    def fill(match: re.Match[str]) -> str:
        return rng.choice(rules[match[1]])

    while True:
        text, fits = "{sentence}", True
        while fits and "{" in text:
            text = _SLOT.sub(fill, text)
            fits = len(text.split()) <= LONGEST
        if fits:
            yield label_text(re.sub(r"\b(an?) (?=(\w))", _article, text))


def _article(match: re.Match[str]) -> str:
    return "an " if match[2] in "aeio" else "a "
