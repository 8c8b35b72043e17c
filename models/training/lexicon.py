"""Phones for the CTC helper, from flite's letter-to-sound rules and lexicon."""

import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

PHONES = (
    *(
        "aa",
        "ae",
        "ah",
        "ao",
        "aw",
        "ax",
        "ay",
        "b",
        "ch",
        "d",
        "dh",
        "eh",
        "er",
        "ey",
        "f",
        "g",
        "hh",
        "ih",
        "iy",
        "jh",
    ),
    *("k", "l", "m", "n", "ng", "ow", "oy", "p", "r", "s", "sh", "t", "th", "uh", "uw", "v", "w", "y", "z", "zh"),
)
PHONE_ID = {phone: index + 1 for index, phone in enumerate(PHONES)}
"""Phone to class; 0 is the CTC blank."""


def pronounce(word: str) -> tuple[int, ...]:
    """Return the phone classes of one lower-case word."""
    result = subprocess.run(
        ["flite", "-ps", "-t", word, "none"], check=True, capture_output=True, text=True, timeout=60
    )
    return tuple(PHONE_ID[phone] for phone in result.stdout.split() if phone in PHONE_ID)


def build_lexicon(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Pronounce every word that occurs in ``texts``."""
    words = sorted({word for text in texts for word in text.split()})
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(words, pool.map(pronounce, words, chunksize=64), strict=True))
