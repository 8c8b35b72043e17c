"""Where phrases come from: text, JSON, contacts, a Home Assistant."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .address_table import delimiter_of, read_table
from .errors import BiasingError
from .phrases import DEFAULT_CLASS, LOST_LETTER, MAX_CHARACTERS, Phrase, PhraseList, Refused, shortened
from .weights import DEFAULT_OUTSIDE, DEFAULT_STRENGTH, ClassSettings

MAX_BYTES = 256_000_000
"""Larger files are no phrase lists."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = frozenset(range(32)) - frozenset(b"\t\n\r\f\v\x1a\x1b")
_BOOST = re.compile(r"^(.*?)(?:\s+:|(?<=[^\s\d]):)\s*([0-9.]+)$")
_KEYWORD = re.compile(r"^(.*?)((?:\s+(?::[0-9.]+|#[0-9.]+|@\S+)){2,}|(?:\s+#[01]?\.[0-9]+))$")
"""A line of sherpa-onnx's keyword spotter: phrase, boost, threshold, what to show, in any order; or a threshold alone,
which has a point."""
_SHOWN = re.compile(r"^(.*\S)\s+@(\S+)$")
"""A phrase, and what sherpa-onnx is to show for it: that alone, where it is the phrase written otherwise."""
_COMMENT = re.compile(r"#(?!\d)")
"""#1 is a number."""
_SECTION = re.compile(r"^\[([\w-]+)\]$")


@dataclass(frozen=True)
class BiasSource:
    """What a file holds."""

    phrases: PhraseList
    templates: tuple[str, ...] = ()
    """Carrier phrases; see ``templates``."""
    settings: dict[str, ClassSettings] = field(default_factory=dict)
    """What the file says about how much its classes count."""
    intents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The templates by what they stand for; one without a name holds all, if the file has no names for them."""


def read_source(path: str | Path, *, cls: str | None = None) -> BiasSource:
    """Read a file of phrases: its name and what it begins with say which kind it is.

    ``cls`` is the class of phrases that the file gives none. A folder is taken for Home Assistant's ``.storage``.

    Raises:
        BiasingError: not there, not readable, not text, or nothing of what is expected; names the file.
    """
    path = Path(path)
    if path.is_dir():
        from .home_assistant import read_storage  # noqa: PLC0415 (only who has one needs it)

        return read_storage(path)
    text = read_text(path)
    if path.suffix.lower() in (".vcf", ".vcard") or text[:100].lstrip().upper().startswith("BEGIN:VCARD"):
        from .contacts import read_contacts  # noqa: PLC0415 (needs a library)

        return BiasSource(read_contacts(text, path.name, cls or "contact"))
    if path.suffix.lower() in (".csv", ".tsv") or delimiter_of(text[:1000]):
        return BiasSource(read_table(text, path.name, cls or "contact"))
    if path.suffix.lower() == ".json" or path.name.startswith("core.") or _looks_like_json(text):
        return _read_json(text, path, cls or DEFAULT_CLASS)
    return BiasSource(PhraseList.of(*_read_lines(text, path.name, cls or DEFAULT_CLASS)))


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        BiasingError: not there, not readable, too large, or not text.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BiasingError(f"{path}: {path.stat().st_size} bytes; a phrase list has at most {MAX_BYTES}")
        data = path.read_bytes()
    except OSError as error:
        raise BiasingError(f"{path}: cannot be read ({error.strerror}); expected a list of phrases") from error
    try:
        return decoded(data)
    except UnicodeDecodeError as error:
        raise BiasingError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def decoded(data: bytes) -> str:
    """Return the text of bytes: UTF-8, UTF-16 with its mark, or as Windows wrote it before.

    Where only some letters are not UTF-8, a sign stands for each, for which its phrase is refused.

    Raises:
        UnicodeDecodeError: not text.
    """
    if data[:2] in UTF_16:
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if not _NO_TEXT.isdisjoint(data):
            raise
    text = data.decode("utf-8-sig", "replace")
    is_older = all(char.isascii() or char == LOST_LETTER for char in text)
    return data.decode("cp1252", "replace") if is_older else text


def read_lines(text: str, source: str = "", cls: str = DEFAULT_CLASS) -> PhraseList:
    """Return the phrases of a plain text: one a line.

    ``phrase :2`` has a boost of 2, ``# ...`` is a comment, ``[contact]`` says the class of what follows. Lines as
    sherpa-onnx has them are read too: tokens (``▁HE LLO``) are put together, a threshold (``#0.5``) and what to show
    (``@HELLO``), which its keyword spotter alone knows, are left out.
    """
    return PhraseList.of(*_read_lines(text, source, cls))


def _read_lines(text: str, source: str, cls: str) -> tuple[list[Phrase], list[Refused]]:
    phrases, refused = [], []
    for number, line in enumerate(text.split("\n"), 1):
        entry, boost = line.strip(), 1.0
        if not entry or _COMMENT.match(entry):
            continue
        section = _SECTION.match(entry)
        if section:
            cls = section[1]
            continue
        # a line of megabytes is refused by its length; looking for a boost in it would take for ever
        is_short = len(entry) <= 2 * MAX_CHARACTERS
        keyword = _KEYWORD.match(entry) if is_short else None
        if keyword:
            marks = [mark for mark in keyword[2].split() if mark.startswith(":")]
            entry = " ".join([keyword[1], *marks[:1]])
        shown = _SHOWN.match(entry) if is_short else None
        if shown and _letters(shown[1]) == _letters(shown[2]):
            entry = shown[1]
        marked = _BOOST.match(entry) if is_short else None
        if marked:
            entry = marked[1].strip()
            try:
                boost = float(marked[2])
            except ValueError:
                refused.append(Refused(number, shortened(line.strip()), f"{marked[2]!r} is no boost", source))
                continue
        if "\u2581" in entry:
            entry = "".join(entry.split()).replace("\u2581", " ").strip()
        phrases.append(Phrase(entry, cls, boost, source, number))
    return phrases, refused


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _looks_like_json(text: str) -> bool:
    begin = text[:1000].lstrip()
    # [contact] begins a section of a plain list
    return begin.startswith("{") or (begin.startswith("[") and not _SECTION.match(begin.split("\n", 1)[0].strip()))


def _read_json(text: str, path: Path, cls: str) -> BiasSource:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BiasingError(f"{path}: is not JSON ({error})") from error
    if isinstance(data, dict):
        from .home_assistant import is_home_assistant, read_export  # noqa: PLC0415

        if is_home_assistant(data):
            return BiasSource(read_export([(path.name, data)]))
        classes = data.get("classes", {})
        if not isinstance(classes, dict) or not ({"classes", "phrases", "templates"} & data.keys()):
            raise BiasingError(
                f"{path}: expected a list of phrases, or an object with phrases, classes {{name: list}}, templates"
            )
        templates = data.get("templates", [])
        intents = templates if isinstance(templates, dict) else {"": templates}
        for intent, texts in intents.items():
            if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
                named = f"'templates' of {intent!r}" if intent else "'templates'"
                raise BiasingError(f"{path}: {named} is no list of texts; expected for example ['call $CONTACT']")
        phrases, refused = _entries(data.get("phrases", []), cls, path)
        settings: dict[str, ClassSettings] = {}
        for name, value in classes.items():
            settings |= _settings(name, value, path)
            more, wrong = _entries(value.get("phrases", []) if isinstance(value, dict) else value, name, path)
            phrases += more
            refused += wrong
        return BiasSource(
            PhraseList.of(phrases, refused),
            tuple(text for texts in intents.values() for text in texts),
            settings,
            {intent: tuple(texts) for intent, texts in intents.items() if texts},
        )
    return BiasSource(PhraseList.of(*_entries(data, cls, path)))


def _settings(name: str, value: Any, path: Path) -> dict[str, ClassSettings]:
    if not isinstance(value, dict) or not ({"strength", "outside"} & value.keys()):
        return {}
    strength, outside = value.get("strength", DEFAULT_STRENGTH), value.get("outside", DEFAULT_OUTSIDE)
    if not all(isinstance(number, int | float) for number in (strength, outside)):
        raise BiasingError(f"{path}: class {name!r}: strength and outside are numbers from 0 to 1")
    try:
        return {name.lower(): ClassSettings(float(strength), float(outside))}
    except BiasingError as error:
        raise BiasingError(f"{path}: class {name!r}: {error}") from error


def _entries(data: Any, cls: str, path: Path) -> tuple[list[Phrase], list[Refused]]:
    if not isinstance(data, list):
        raise BiasingError(f"{path}: expected a list of phrases for {cls!r}, found {shortened(repr(data)[:100])}")
    phrases, refused = [], []
    for number, entry in enumerate(data, 1):
        found = list(_entry(entry, cls, path.name, number))
        phrases += found
        if not found:
            shown = shortened(json.dumps(entry, ensure_ascii=False)[:1000])
            refused.append(Refused(number, shown, "expected a text, or an object with 'text'", path.name))
    return phrases, refused


def _entry(entry: Any, cls: str, source: str, number: int) -> Iterator[Phrase]:
    if isinstance(entry, str):
        yield Phrase(entry, cls, 1.0, source, number)
    elif isinstance(entry, dict) and isinstance(entry.get("text"), str):
        boost, name, aliases = entry.get("boost", 1.0), entry.get("class", cls), entry.get("aliases", [])
        if isinstance(boost, int | float) and isinstance(name, str) and isinstance(aliases, list):
            for text in (entry["text"], *(alias for alias in aliases if isinstance(alias, str))):
                yield Phrase(text, name, float(boost), source, number)
