"""A Home Assistant's areas, devices and entities: its registries as stored, or the lists its interface exports."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .errors import BiasingError
from .phrases import Phrase, PhraseList
from .sources import BiasSource, read_text

REGISTRIES = ("core.area_registry", "core.floor_registry", "core.device_registry", "core.entity_registry")
_LISTS = ("areas", "floors", "devices", "entities")
MEDIA_DOMAINS = ("media_player",)
SILENT_DOMAINS = frozenset({"update", "device_tracker", "event", "button", "number", "select", "text", "tts", "stt"})
"""Kinds of entities that nobody calls by name unless they were given one or an alias."""


def is_home_assistant(data: dict[str, Any]) -> bool:
    """Whether an object is a registry, or an export of several."""
    return str(data.get("key")) in REGISTRIES or ("data" not in data and bool(set(_LISTS) & data.keys()))


def read_storage(folder: Path) -> BiasSource:
    """Read the registries in a folder: Home Assistant's ``.storage``, or the configuration folder it is in.

    Raises:
        BiasingError: there is none, or one is not JSON.
    """
    if (folder / ".storage").is_dir():
        folder = folder / ".storage"
    found = []
    for name in REGISTRIES:
        path = next((path for path in (folder / name, folder / f"{name}.json") if path.is_file()), None)
        if path is not None:
            try:
                data = json.loads(read_text(path))
            except (ValueError, RecursionError) as error:
                raise BiasingError(f"{path}: is not JSON ({error})") from error
            if isinstance(data, dict):
                found.append((name, data))
    if not found:
        raise BiasingError(f"{folder}: holds none of {', '.join(REGISTRIES)}; expected Home Assistant's .storage")
    return BiasSource(read_export(found))


def read_export(registries: Sequence[tuple[str, dict[str, Any]]]) -> PhraseList:
    """Return rooms and devices of registries: pairs of a name for messages and the object."""
    phrases: dict[tuple[str, str], Phrase] = {}
    for source, data in registries:
        inner = data.get("data", data)
        for kind in _LISTS:
            entries = inner.get(kind, []) if isinstance(inner, dict) else []
            for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
                if isinstance(entry, str):
                    entry = {"name": entry}  # noqa: PLW2901
                for text, cls in _names(kind, entry) if isinstance(entry, dict) else ():
                    # an entity often has its device's name
                    phrases.setdefault((cls, text.casefold()), Phrase(text, cls, 1.0, source, number))
    return PhraseList.of(phrases.values())


def _names(kind: str, entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if entry.get("disabled_by") or entry.get("hidden_by"):
        return
    domain = str(entry.get("entity_id", "")).partition(".")[0]
    cls = "room" if kind in ("areas", "floors") else "media" if domain in MEDIA_DOMAINS else "device"
    named = [entry.get("name_by_user") or entry.get("name")]
    if not named[0] and domain not in SILENT_DOMAINS:
        named.append(entry.get("original_name"))
    aliases = entry.get("aliases")
    named += aliases if isinstance(aliases, list) else []
    for name in named:
        if isinstance(name, str) and name.strip():
            yield name, cls
