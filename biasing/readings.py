"""What people say for what they write in names: titles, ordinals, thousands, signs that nobody says."""

import re

from .numerals import cardinal

_UNSAID = re.compile(
    # trade marks, and what only changes how a character before it looks (emoji above all)
    "[\u2122\u00ae\u00a9\u2120\ufe00-\ufe0f\u200b-\u200d\u2060\u20e3\ufeff\U0001f3fb-\U0001f3ff"
    "\U000e0000-\U000e01ef]|\\((?:TM|R|C|SM)\\)",
    re.IGNORECASE,
)
_PICTURES = re.compile("[\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001fbff]")
_THOUSANDS = re.compile(r"(?<![\d,])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_ORDINAL = re.compile(r"(?<![\d.,])(\d{1,9})(?:st|nd|rd|th)\b", re.IGNORECASE)
_REVERSED = re.compile(r"([^\W\d_][^,;]*),\s*([^\W\d_][^,;]*)")
_TITLES = {
    "dr": "doctor", "prof": "professor", "mr": "mister", "mrs": "missus", "st": "saint", "sgt": "sergeant",
    "capt": "captain", "lt": "lieutenant", "col": "colonel", "gen": "general", "rev": "reverend", "mt": "mount",
    "ft": "fort", "sr": "senior", "jr": "junior", "apt": "apartment",
}  # fmt: skip
_BEHIND = {
    "st": "street", "dr": "drive", "rd": "road", "ave": "avenue", "blvd": "boulevard", "apt": "apartment",
    "jr": "junior", "sr": "senior", "inc": "incorporated", "ltd": "limited", "corp": "corporation",
}  # fmt: skip
_SUFFIXES = frozenset("jr sr junior senior md phd esq dds dvm rn cpa ii iii iv inc ltd llc co corp gmbh".split())
_ROMAN = "0 I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX".split()
_SAID_OF_FIGURES = (
    (re.compile(r"(?:#|\bNo\.\s*)(?=\d)"), "number "),
    (re.compile(r"\$(\d+(?:\.\d+)?)"), r"\1 dollars"),
    (re.compile(r"\u20ac(\d+(?:\.\d+)?)"), r"\1 euros"),
    (re.compile(r"\u00a3(\d+(?:\.\d+)?)"), r"\1 pounds"),
    (re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2153\u2154])"), " and "),
    (re.compile(r"\u00bd|(?<![\d/.])1/2(?![\d/])"), "one half"),
    (re.compile(r"\u00bc|(?<![\d/.])1/4(?![\d/])"), "one quarter"),
    (re.compile(r"\u00be|(?<![\d/.])3/4(?![\d/])"), "three quarters"),
    (re.compile(r"\u2153|(?<![\d/.])1/3(?![\d/])"), "one third"),
    (re.compile(r"\u2154|(?<![\d/.])2/3(?![\d/])"), "two thirds"),
)
_IRREGULAR = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip


def said(text: str, *, is_name: bool) -> str:
    """Return a text with what is written short written out, and without what nobody says.

    Of people's names a title is one wherever it stands (Anna St. John); elsewhere the last word is of an address (Main
    St., Meadow Dr.) and others are titles (St. Mary's Close).
    """
    text = _PICTURES.sub(" ", _UNSAID.sub("", text))
    text = _THOUSANDS.sub(lambda m: m[1].replace(",", ""), text)
    for written, spoken in _SAID_OF_FIGURES:
        text = written.sub(spoken, text)
    text = _POINT.sub(" point ", text)
    text = _ORDINAL.sub(lambda m: ordinal(int(m[1])), text)
    words = text.split()
    for place, word in enumerate(words):
        short = word.rstrip(".,").lower()
        behind = bool(place) and place == len(words) - 1
        numeral = word.rstrip(".,")
        if behind and len(numeral) > 1 and numeral in _ROMAN:  # Henry VIII, but Rocky IV
            value = _ROMAN.index(numeral)
            words[place] = f"the {ordinal(value)}" if is_name else cardinal(value)
        elif len(words) > 1 and word[:1].isupper() and (word.endswith(".") or not word.isupper() or len(word) > 2):
            table = _BEHIND if behind and not (is_name and short in ("st", "dr")) else _TITLES
            words[place] = table.get(short, word)
    return " ".join(words)


def in_order(name: str) -> str:
    """Return a person's name as it is said: "Smith, Jane" with the given name first, "Jane Smith, MD" as it is."""
    parts = _REVERSED.fullmatch(name.strip())
    if parts is None:
        return name
    behind = [word.strip(".").lower() for word in parts[2].replace(".", "").split()]
    if all(word in _SUFFIXES for word in behind):
        return f"{parts[1]} {parts[2]}"
    return f"{parts[2].strip()} {parts[1].strip()}"


def ordinal(value: int) -> str:
    """Return an ordinal in words: 3 is third, 21 twenty first."""
    head, _, last = cardinal(value).rpartition(" ")
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return f"{head} {_IRREGULAR.get(last, regular)}".strip()
