"""Sentences to synthesise: assistant requests with wide coverage of names, devices and numbers.

The texts that come as files (requests collected from people) say little about contacts and
devices, and repeat few words often. The templates in ``phrases.json`` fill that gap; names come from Faker.
"""

import json
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

_SLOT = re.compile(r"\{(\w+)\}")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def spell_number(value: int) -> str:
    """Spell ``value`` (0 to 9999) the way people say it to a machine."""
    if value < 20:
        return _SMALL[value]
    unit, name = next((u, n) for u, n in ((1000, "thousand"), (100, "hundred"), (10, "")) if value >= u)
    head, rest = divmod(value, unit)
    words = [_TENS[head]] if unit == 10 else [spell_number(head), name]
    return " ".join([*words, spell_number(rest)] if rest else words)


@cache
def _data() -> dict[str, dict[str, list[str]]]:
    data: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("phrases.json").read_text())
    return data


def slot_values(name: str) -> tuple[str, ...]:
    """Return what the templates put in place of ``{name}``: ``device``, ``room`` and so on."""
    return tuple(map(label_text, _data()["lists"][name]))


def generate(seed: int) -> Iterator[str]:
    """Yield sentences without end, drawn from the templates by their weights; same seed, same sentences."""
    from faker import Faker

    names = Faker(["en_US", "en_GB", "en_IN", "de_DE", "es_ES"])
    names.seed_instance(seed)
    rng = random.Random(seed)
    lists, templates = _data()["lists"], _data()["templates"]
    kinds, weights = zip(*_data()["weights"].items(), strict=True)

    def numeral() -> str:
        below = rng.choice([10, 100, 60, 1000])
        return spell_number(rng.randrange(below))

    def someone() -> str:
        return "{first} {last}" if rng.random() < 0.7 else "{first}"

    def local() -> Any:
        return names["en_US"] if rng.random() < 0.7 else names

    special: dict[str, Callable[[], str]] = {
        "first": lambda: local().first_name(),
        "last": lambda: local().last_name(),
        "name": someone,
        "number": numeral,
        "digits": lambda: " ".join(rng.choice(_SMALL[:10]) for _ in range(rng.randint(2, 6))),
        "time": lambda: f"{spell_number(rng.randint(1, 12))} {{hour_tail}}",
    }

    def fill(match: re.Match[str]) -> str:
        slot = match[1]
        return special[slot]() if slot in special else rng.choice(lists[slot])

    while True:
        text = rng.choice(templates[rng.choices(kinds, weights)[0]])
        while "{" in text:
            text = _SLOT.sub(fill, text)
        text = label_text(text)
        if text:
            yield text


LOCALES = (
    *("en_US", "en_US", "en_GB", "en_IN", "en_NZ", "en_PH", "de_DE", "de_CH", "es_ES", "es_MX", "pt_BR", "ro_RO"),
    *("cs_CZ", "sk_SK", "hr_HR", "sl_SI", "hu_HU", "fi_FI", "et_EE", "da_DK", "no_NO", "tr_TR", "id_ID", "yo_NG"),
)
"""Where the people of `calls` come from. Italian, Dutch, French, Swedish, Polish: left out, for tests."""
_LATIN = str.maketrans(
    {"\u0131": "i", "\u00f8": "o", "\u00d8": "o", "\u0111": "d", "\u0110": "d", "\u00df": "ss", "\u00e6": "ae"}
)


def calls(seed: int) -> Iterator[str]:
    """Yield requests that name people of many countries, without end: the sounds of names that nothing else holds."""
    from faker import Faker

    fakers = [Faker(locale) for locale in LOCALES]
    for number, fake in enumerate(fakers):
        fake.seed_instance(1000 * seed + number)
    rng = random.Random(seed)
    carriers = [text for text in _data()["templates"]["contact"] if _SLOT.findall(text) == ["name"]]
    while True:
        fake = rng.choice(fakers)
        shape = rng.choices(("{first} {last}", "{first}", "{last}"), (0.7, 0.2, 0.1))[0]
        name = shape.format(first=fake.first_name(), last=fake.last_name())
        plain = unicodedata.normalize("NFKD", name.translate(_LATIN)).encode("ascii", "ignore").decode()
        yield label_text(rng.choice([*carriers, "{name}"]).replace("{name}", plain))


def word_strings(seed: int, vocabulary: int = 8000) -> Iterator[str]:
    """Yield strings of common words in no order, without end: words that no request holds are heard too.

    A word is the rarer the further down it is in the list of the ``vocabulary`` commonest ones (wordfreq).
    """
    from wordfreq import top_n_list

    words = [word for word in top_n_list("en", vocabulary) if label_text(word) == word]
    weights = [(rank + 10) ** -0.5 for rank in range(len(words))]
    rng = random.Random(seed)
    while True:
        yield " ".join(rng.choices(words, weights, k=rng.randint(2, 7)))


def label_text(text: str) -> str:
    """Lower case, letters and apostrophes only, single spaces; empty if other letters are in it."""
    text = text.lower().replace("-", " ").replace(".", " ").replace("\u2019", "'")
    if any(char.isalpha() and not "a" <= char <= "z" for char in text):
        return ""
    return " ".join("".join(char if char.isalpha() or char in "' " else " " for char in text).split())
