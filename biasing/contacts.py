"""Contacts: vCard files, read by a library."""

import quopri
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from .errors import BiasingError
from .phrases import Phrase, PhraseList, Refused, shortened
from .readings import in_order

_BEGIN = re.compile(r"^BEGIN:VCARD[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(r"^END:VCARD[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"(?:[\w-]+\.)?(FN|N|NICKNAME)((?:;[^:\r\n]*)?):(.*)", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r";(?:ENCODING=)?QUOTED-PRINTABLE\b", re.IGNORECASE)
_COMMA = re.compile("[,;]")
_CHARSET = re.compile(r";CHARSET=([\w-]+)", re.IGNORECASE)
BREAKS_OFF = "its card breaks off, so that a name may be cut: END:VCARD is missing"
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
        raise BiasingError("vCards need the library vobject: pip install 'vobject>=0.9.9'") from error
    phrases: dict[tuple[str, str], Phrase] = {}
    refused = []
    text = text.replace("\r\n", "\n")
    begins = [card.start() for card in _BEGIN.finditer(text)]
    for begin, following in pairwise([*begins, len(text)]):
        line = text.count("\n", 0, begin) + 1
        end = _END.search(text, begin, following)
        lines = list(_name_lines(text[begin : end.start() if end else following]))
        if end is None:
            refused.append(Refused(line, shortened(_title(lines)), BREAKS_OFF, source, is_used=True))
        try:
            card = "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD", ""])
            names = list(_names(vobject.readOne(card, ignoreUnreadable=True).contents))
        except Exception as error:  # noqa: BLE001 (the library raises what its parts raise)
            refused.append(Refused(line, shortened(_title(lines)), f"is not a vCard ({error})"[:200], source))
            continue
        if not names:
            refused.append(Refused(line, shortened(_title(lines)), "has no name (FN, N or NICKNAME)", source))
        for name, boost in names:
            # two people of one given name: once is enough, and nobody's fault
            phrases.setdefault((cls, name.casefold()), Phrase(name, cls, boost, source, line))
    if not begins:
        raise BiasingError(f"{source or 'contacts'}: holds no vCard; expected BEGIN:VCARD ... END:VCARD")
    return PhraseList.of(phrases.values(), refused)


def person(
    shown: Iterable[str], given: str = "", family: str = "", nicknames: Iterable[str] = ()
) -> Iterator[tuple[str, float]]:
    """Yield what a person may be called, with boosts, the whole names first.

    Args:
        shown: names as an address book shows them.
        given: name.
        family: name.
        nicknames: each may hold several, with commas between them.
    """
    names = [(name, 1.0) for name in (*shown, f"{given} {family}")]
    names += [(name, FIRST_NAME_BOOST) for name in (given, *(one for some in nicknames for one in _COMMA.split(some)))]
    for name, boost in names:
        ordered = in_order(" ".join(name.split()))
        if ordered:
            yield ordered, boost


def _names(contents: dict[str, list[object]]) -> Iterator[tuple[str, float]]:
    shown, nicknames = (
        [str(getattr(entry, "value", "")) for entry in contents.get(kind, [])] for kind in ("fn", "nickname")
    )
    names = [getattr(entry, "value", None) for entry in contents.get("n", [])]
    parts = [(_word(getattr(name, "given", "")), _word(getattr(name, "family", ""))) for name in names] or [("", "")]
    yield from person(shown, *parts[0], nicknames)
    for given, family in parts[1:]:
        yield from person((), given, family)


def _word(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _name_lines(card: str) -> Iterator[str]:
    """Yield the lines of a card that hold names, unfolded, decoded, and as version 3.0 writes them.

    Version 2.1 writes letters as quoted-printable, whose lines end in ``=`` where they go on.
    """
    lines = iter(card.split("\n"))
    held = next(lines, None)
    while held is not None:
        line, held = held.rstrip("\r"), next(lines, None)
        quoted = bool(_QUOTED.search(line.split(":", 1)[0]))
        while held is not None and ((quoted and line.endswith("=")) or (held[:1] in (" ", "\t") and held.strip())):
            line = line[:-1] + held.rstrip("\r") if quoted and line.endswith("=") else line + held[1:].rstrip("\r")
            held = next(lines, None)
        found = _NAME.fullmatch(line)
        if found is None:
            continue
        name, parameters, value = found.groups()
        if quoted:
            charset = _CHARSET.search(parameters)
            value = _decoded(value.rstrip("="), charset[1] if charset else "utf-8")
        if name.upper() != "N":  # the library keeps what is before the first comma, unless that is part of the name
            value = re.sub(r"(?<!\\),", r"\\,", value)
        yield f"{name.upper()}:{' '.join(value.split())}"


def _decoded(value: str, charset: str) -> str:
    data = quopri.decodestring(re.sub("=3B", r"\\;", value, flags=re.IGNORECASE).encode())
    try:
        return data.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return data.decode("cp1252", "replace")


def _title(lines: Sequence[str]) -> str:
    return next((value for line in lines if (value := line.partition(":")[2].strip(" ;"))), "vCard")
