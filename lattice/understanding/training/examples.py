"""Texts with what they ask for: JSON lines, the files of the snips benchmark, and templates as hassil has them."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UnderstandingError
from ..words import Token, tokenize

MAX_LINE = 100_000
MAX_TEXT = 2_000
"""Characters of a line, and of a text."""
EXPECTED = '{"text": "wake me at six", "intent": "alarm", "slots": [{"slot": "time", "start": 11, "end": 14}]}'


@dataclass(frozen=True)
class Span:
    """A slot in a text."""

    slot: str
    """Its name."""
    start: int
    """Place of its first character."""
    end: int
    """Place behind its last character."""


@dataclass(frozen=True)
class Example:
    """A text, and what it asks for."""

    text: str
    """As it was written."""
    intent: str
    """Name of what it asks for."""
    slots: tuple[Span, ...] | None = ()
    """Its slots, in order, none within another; None where nobody has looked for slots."""
    where: str = ""
    """File and line, for messages."""

    def labelled(self) -> tuple[list[Token], list[str]]:
        """Return the words and their labels: ``O``, ``B-slot`` at the first word of a slot, ``I-slot`` behind it."""
        tokens = tokenize(self.text)
        labels = ["O"] * len(tokens)
        for span in self.slots or ():
            inside = [at for at, token in enumerate(tokens) if token.start < span.end and token.end > span.start]
            for at in inside:
                if labels[at] == "O":
                    labels[at] = ("B-" if at == inside[0] else "I-") + span.slot
        # a word that two slots share begins the first only
        for at, label in enumerate(labels):
            if label.startswith("I-") and labels[at - 1][2:] != label[2:]:
                labels[at] = "B-" + label[2:]
        return tokens, labels


def read_examples(paths: Iterable[str | os.PathLike[str]]) -> list[Example]:
    """Return the examples of files, whichever form each has.

    - ``.jsonl``: ``text``, ``intent``, and ``slots`` with ``slot``, ``start``, ``end`` in characters; without
      ``slots`` the text teaches its intent alone
    - ``.json``: of snips, intents to lists of texts in parts (``data``: ``text``, and ``entity`` or ``slot_name``)
    - ``.yaml``, ``.yml`` or ``.json``: of hassil, ``intents`` with ``sentences`` of ``[optional] (one|another) {list}``

    Raises:
        UnderstandingError: a file holds something else; names it, the place, and what was expected.
        OSError: it cannot be read.
    """
    found: list[Example] = []
    for path in map(Path, paths):
        before = len(found)
        if path.suffix in {".yaml", ".yml", ".json"}:
            found += _from_document(path)
        else:
            found += _from_lines(path)
        if len(found) == before:
            raise UnderstandingError(f"{path}: holds no examples; expected lines such as {EXPECTED}")
    return found


def write_examples(examples: Iterable[Example], path: str | os.PathLike[str]) -> None:
    """Write examples as JSON lines."""
    with Path(path).open("w", encoding="utf-8") as file:
        for one in examples:
            row: dict[str, Any] = {"text": one.text, "intent": one.intent}
            if one.slots is not None:
                row["slots"] = [{"slot": span.slot, "start": span.start, "end": span.end} for span in one.slots]
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_texts(path: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a text file that are not empty.

    Raises:
        UnderstandingError: the file is no UTF-8 text; names it.
    """
    try:
        return [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise UnderstandingError(f"{path}: is no UTF-8 text ({error.reason} at byte {error.start})") from error


def _from_lines(path: Path) -> Iterator[Example]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}:{number}"
            if len(line) > MAX_LINE:
                raise UnderstandingError(f"{where}: {len(line)} bytes; expected at most {MAX_LINE} a line")
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UnderstandingError(f"{where}: is no JSON; expected a line such as {EXPECTED}") from error
            yield _example(row, where)


def _example(row: Any, where: str) -> Example:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or not isinstance(row.get("intent"), str):
        raise UnderstandingError(f"{where}: has no 'text' or no 'intent'; expected for example {EXPECTED}")
    text, intent = row["text"], row["intent"].strip()
    if not intent or not text.strip() or len(text) > MAX_TEXT:
        raise UnderstandingError(f"{where}: has an empty text or intent, or over {MAX_TEXT} characters")
    if row.get("slots") is None:
        return Example(text, intent, None, where)
    if not isinstance(row["slots"], list):
        raise UnderstandingError(f"{where}: 'slots' is no list; expected for example {EXPECTED}")
    spans = []
    for slot in row["slots"]:
        fine = isinstance(slot, dict) and isinstance(slot.get("slot"), str) and slot["slot"]
        if not fine or not all(type(slot.get(end)) is int for end in ("start", "end")):
            raise UnderstandingError(f"{where}: has a slot without name, start or end; expected for example {EXPECTED}")
        if not 0 <= slot["start"] < slot["end"] <= len(text):
            raise UnderstandingError(
                f"{where}: slot {slot['slot']!r} from {slot['start']} to {slot['end']} is beyond the text's "
                f"{len(text)} characters"
            )
        spans.append(Span(slot["slot"], slot["start"], slot["end"]))
    return Example(text, intent, tuple(sorted(spans, key=lambda span: span.start)), where)


def _from_document(path: Path) -> list[Example]:
    document = _load(path)
    if not isinstance(document, dict):
        raise UnderstandingError(f"{path}: expected an object with intents")
    intents = document.get("intents", document)
    if not isinstance(intents, dict):
        raise UnderstandingError(f"{path}: 'intents' is no object of intents")
    from .templates import expand_document

    if any(isinstance(body, dict) and "data" in body and "utterances" not in body for body in intents.values()):
        return expand_document(document, str(path))
    found = []
    for intent, body in intents.items():
        texts = body.get("utterances") if isinstance(body, dict) else body
        if not isinstance(texts, list):
            raise UnderstandingError(f"{path}: intent {intent!r} is no list of texts with 'data'")
        found += [_in_parts(text, intent, f"{path}: {intent} {number}") for number, text in enumerate(texts, 1)]
    return found


def _in_parts(utterance: Any, intent: str, where: str) -> Example:
    parts = utterance.get("data") if isinstance(utterance, dict) else None
    if not isinstance(parts, list):
        raise UnderstandingError(f"{where}: has no 'data'; expected a list of parts with 'text' and 'entity'")
    text, spans = "", []
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            raise UnderstandingError(f"{where}: has a part without 'text'")
        name = part.get("slot_name") or part.get("entity")
        if isinstance(name, str) and part["text"]:
            spans.append(Span(name, len(text), len(text) + len(part["text"])))
        text += part["text"]
    if not text.strip():
        raise UnderstandingError(f"{where}: has an empty text")
    return Example(text, intent, tuple(spans), where)


def _load(path: Path) -> Any:
    data = path.read_bytes()
    try:
        if path.suffix == ".json":
            return json.loads(data.decode("utf-8", "replace"))
        try:
            import yaml
        except ImportError as error:
            raise UnderstandingError(
                f"{path}: YAML needs PyYAML; pip install 'nearword[understand]', or give the same as JSON"
            ) from error
        try:
            return yaml.safe_load(data)
        except yaml.YAMLError as error:
            raise UnderstandingError(f"{path}: is no YAML ({str(error).splitlines()[0]})") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, UnderstandingError):
            raise
        raise UnderstandingError(f"{path}: is no JSON ({error})") from error
