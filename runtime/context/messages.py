"""The plain values in which programs say what was said, asked and shown: one form for protocols and scripts."""

from collections.abc import Mapping
from typing import Any

from .errors import ContextError
from .session import NEXT_TURN, UNTIL_REPLACED, Life, SessionContext, act_named, check_text, texts_of

KEYS = ("heard", "reply", "act", "screen", "entities", "device", "turns", "seconds", "opens_in", "clear")
"""What a message may hold, each of them or not."""


def known(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``update`` understands of a mapping to which others have added their own."""
    return {key: value for key, value in mapping.items() if key in KEYS}


def update(context: SessionContext, mapping: Mapping[str, Any]) -> None:
    """Take what a message says.

    ``{"heard": text, "reply": text, "act": name, "screen": [text], "entities": {class: [text]}, "device": {"name",
    "room"}, "turns": number, "seconds": number, "opens_in": seconds, "clear": bool}``, each of which may be missing.
    What was there is cleared first, then comes what was heard, then the rest, the reply last. ``turns`` and ``seconds``
    are the life of all of it.

    Raises:
        ContextError: a key or a value is none of these; nothing has changed then.
    """
    if not isinstance(mapping, Mapping):
        raise ContextError(f"context is {mapping!r:.40}: expected an object")
    unknown = sorted(str(key) for key in mapping if key not in KEYS)
    if unknown:
        raise ContextError(f"context has {unknown[0][:40]!r}: expected {', '.join(sorted(KEYS))}")
    if "act" in mapping and "reply" not in mapping:
        raise ContextError("context has an act without a reply: expected both")
    # tried on a context of its own first, so that nothing is half taken
    for target in (SessionContext(), context):
        _take(target, mapping)


def _take(context: SessionContext, mapping: Mapping[str, Any]) -> None:
    life = _life(mapping)
    if mapping.get("clear"):
        context.clear()
    if "heard" in mapping:
        context.heard(check_text(mapping["heard"], "heard"))
    if "device" in mapping:
        name, room = _device(mapping["device"])
        context.device(name, room=room, life=life or UNTIL_REPLACED)
    for cls, entries in _entities(mapping).items():
        context.entities(cls, entries, life=life or UNTIL_REPLACED)
    if "screen" in mapping:
        context.screen(texts_of(mapping["screen"], "screen"), life=life or NEXT_TURN)
    if "reply" in mapping:
        act, opens_in = mapping.get("act"), _number(mapping, "opens_in")
        named = None if act is None else act_named(str(act))
        context.reply(check_text(mapping["reply"], "reply"), named, life=life or NEXT_TURN, opens_in=opens_in)


def _life(mapping: Mapping[str, Any]) -> Life | None:
    turns, seconds = _number(mapping, "turns"), _number(mapping, "seconds")
    if turns is not None and turns != int(turns):
        raise ContextError(f"turns is {turns}: expected a whole number")
    return None if turns is None and seconds is None else Life(None if turns is None else int(turns), seconds)


def _device(value: Any) -> tuple[str, str]:
    values = {"name": value} if isinstance(value, str) else value
    if not isinstance(values, Mapping) or not set(values) <= {"name", "room"}:
        raise ContextError(f"device is {value!r:.40}: expected a text, or an object with name and room")
    return check_text(values.get("name", ""), "device"), check_text(values.get("room", ""), "room")


def _entities(mapping: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    entities = mapping.get("entities", {})
    if not isinstance(entities, Mapping):
        raise ContextError(f"entities is {entities!r:.40}: expected an object of classes with lists of texts")
    return {str(cls): texts_of(entries, f"entities of {cls}") for cls, entries in entities.items()}


def _number(mapping: Mapping[str, Any], name: str) -> float | None:
    value = mapping.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContextError(f"{name} is {value!r:.40}: expected a number")
    try:
        return float(value)
    except OverflowError as error:
        raise ContextError(f"{name} is too large: expected a number") from error
