"""Tokens that stand in files."""

from pathlib import Path

from .errors import SettingsError


def read_tokens(path: str, expected: str = "a token a line") -> tuple[str, ...]:
    """Return the tokens of a file, one a line; none without a file.

    Raises:
        SettingsError: the file cannot be read, or holds none; names it, and what was ``expected``.
    """
    if not path:
        return ()
    try:
        tokens = tuple(Path(path).read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", error)
        raise SettingsError(f"{path}: cannot be read ({why}); expected {expected}") from error
    if not tokens:
        raise SettingsError(f"{path}: is empty; expected {expected}")
    return tokens
