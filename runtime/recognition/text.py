"""Words as they are compared: one form for references, hypotheses and labels."""

import re

_DROPPED = re.compile(r"[^\w\s']|_")


def normalise(text: str) -> str:
    """Return lower-case words with single spaces; all punctuation but apostrophes becomes a space."""
    return " ".join(_DROPPED.sub(" ", text.lower().replace("\u2019", "'")).split())
