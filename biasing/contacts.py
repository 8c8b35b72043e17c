"""Contacts: vCard files, read by a library."""

import re
from collections.abc import Iterator

from .errors import BiasingError
from .phrases import Phrase, PhraseList, Refused, shortened

_CARD = re.compile(r"^BEGIN:VCARD\s*$.*?^END:VCARD\s*$", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_NICKNAMES = re.compile(r"^(?:[\w-]+\.)?NICKNAME[^:\n]*:.*$", re.IGNORECASE | re.MULTILINE)
FIRST_NAME_BOOST = 0.7
"""Given names alone are short and many people's: they count less than whole names."""


def read_contacts(text: str, source: str = "", cls: str = "contact") -> PhraseList:
    """Return the names of vCards: as displayed, given and family name, nicknames, and the given name alone.

    A card that cannot be read is refused with the line it begins in; the others are used.

    Raises:
        BiasingError: the library that reads vCards is not installed, or there is no card.
    """
    try:
        import vobject  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise BiasingError("vCards need the library vobject: pip install 'nearword[contacts]'") from error
    phrases: dict[tuple[str, str], Phrase] = {}
    refused = []
    line, place, cards = 1, 0, 0
    for card in _CARD.finditer(text):
        cards += 1
        line += text.count("\n", place, card.start())
        place = card.start()
        try:
            # the library keeps the first of several nicknames; a comma that is part of one it keeps
            escaped = _NICKNAMES.sub(lambda m: re.sub(r"(?<!\\),", r"\\,", m[0]), card[0])
            names = list(_names(vobject.readOne(escaped, ignoreUnreadable=True).contents))
        except Exception as error:  # noqa: BLE001 (the library raises what its parts raise)
            refused.append(Refused(line, shortened(_title(card[0])), f"is not a vCard ({error})"[:200], source))
            continue
        if not names:
            refused.append(Refused(line, shortened(_title(card[0])), "has no name (FN, N or NICKNAME)", source))
        for name, boost in names:
            # two people of one given name: once is enough, and nobody's fault
            phrases.setdefault((cls, name.casefold()), Phrase(name, cls, boost, source, line))
    if not cards:
        raise BiasingError(f"{source or 'contacts'}: holds no vCard; expected BEGIN:VCARD ... END:VCARD")
    return PhraseList.of(phrases.values(), refused)


def _names(contents: dict[str, list[object]]) -> Iterator[tuple[str, float]]:
    """Return names with boosts, the whole ones first."""
    for entry in contents.get("fn", []):
        yield from _one(str(getattr(entry, "value", "")), 1.0)
    for entry in contents.get("n", []):
        name = getattr(entry, "value", None)
        given, family = _word(getattr(name, "given", "")), _word(getattr(name, "family", ""))
        yield from _one(f"{given} {family}", 1.0)
        yield from _one(given, FIRST_NAME_BOOST)
    for entry in contents.get("nickname", []):
        for nickname in re.split("[,;]", str(getattr(entry, "value", ""))):
            yield from _one(nickname, FIRST_NAME_BOOST)


def _one(name: str, boost: float) -> Iterator[tuple[str, float]]:
    name = " ".join(name.split())
    if name:
        yield name, boost


def _word(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _title(card: str) -> str:
    named = re.search(r"^(?:FN|N)[^:\n]{0,100}:(.{0,100})", card, re.IGNORECASE | re.MULTILINE)
    return named[1].strip() if named else "vCard"
