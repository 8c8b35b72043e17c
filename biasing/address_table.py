"""Contacts: tables with commas between the columns, as Google, Outlook, Yahoo and Thunderbird export them."""

import csv

from .contacts import person
from .errors import BiasingError
from .phrases import Phrase, PhraseList, Refused, shortened

SHOWN = ("name", "display name", "full name", "formatted name")
GIVEN = ("given name", "first name", "first")
FAMILY = ("family name", "last name", "last", "surname")
NICKNAMES = ("nickname", "nick name", "nickname 1 - value")
"""What columns are called that hold names, in lower case."""


def delimiter_of(text: str) -> str:
    """Return what stands between the columns of a table of people, by its first line; nothing if it is none."""
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    for delimiter in (",", ";", "\t"):
        columns = _columns(next(csv.reader([first], delimiter=delimiter), []))
        if len(columns) > 1 and any(name in columns for name in (*SHOWN, *GIVEN, *FAMILY)):
            return delimiter
    return ""


def read_table(text: str, source: str = "", cls: str = "contact") -> PhraseList:
    """Return the names of a table of people: as shown, given and family name, nicknames, the given name alone.

    Raises:
        BiasingError: no table, or none with a column of names.
    """
    delimiter = delimiter_of(text)
    if not delimiter:
        raise BiasingError(
            f"{source or 'table'}: has no column of names; expected a first line with Name, or First Name and Last Name"
        )
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    columns = _columns(next(rows))
    phrases: dict[str, Phrase] = {}
    refused: list[Refused] = []
    line = rows.line_num + 1
    try:
        for row in rows:
            fields = {name: row[place].strip() for name, place in columns.items() if place < len(row)}
            shown, given, family, nicknames = (
                [fields[name] for name in names if fields.get(name)] for names in (SHOWN, GIVEN, FAMILY, NICKNAMES)
            )
            names = list(person(shown[:1], " ".join(given[:1]), " ".join(family[:1]), nicknames))
            if not names and any(row):
                refused.append(Refused(line, shortened(" ".join(filter(None, row))), "has no name", source))
            for name, boost in names:
                # two people of one given name: once is enough, and nobody's fault
                phrases.setdefault(name.casefold(), Phrase(name, cls, boost, source, line))
            line = rows.line_num + 1
    except csv.Error as error:
        raise BiasingError(f"{source or 'table'}: line {line} is no line of a table ({error})") from error
    return PhraseList.of(phrases.values(), refused)


def _columns(first: list[str]) -> dict[str, int]:
    return {name.strip().lower(): place for place, name in enumerate(first)}
