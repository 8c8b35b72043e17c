"""What messages of all protocols have in common."""

import json
from collections.abc import Sequence
from typing import Any

from .errors import ProtocolError


def object_of(text: str | bytes, what: str = "a message") -> dict[str, Any]:
    """Return the JSON object that a text is.

    Raises:
        ProtocolError: it is none; says so of ``what``.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ProtocolError(f"{what} is not JSON") from None
    if not isinstance(values, dict):
        raise ProtocolError(f"{what} is no JSON object")
    return values


def check_language(asked: str, known: Sequence[str]) -> None:
    """Look whether one of the known languages is asked for; of a tag with a region the language counts.

    Raises:
        ProtocolError: it is another.
    """
    if _language(asked) not in map(_language, known):
        raise ProtocolError(f"language {asked!r:.20}: this model knows {', '.join(known)}")


def _language(tag: str) -> str:
    return tag.replace("_", "-").split("-", maxsplit=1)[0].lower()
