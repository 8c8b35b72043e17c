"""How long a wake word is by which somebody is followed."""

from ...models.errors import NearwordError

SHORTEST_SECONDS, LONGEST_SECONDS = 0.3, 5.0
"""Of a wake word."""


class AnchorError(NearwordError, ValueError):
    """No wake word has that length."""


def check_anchor(seconds: float) -> None:
    """Check how long a wake word is.

    Raises:
        AnchorError: it is too short or too long to follow anybody by it.
    """
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:  # nor NaN
        raise AnchorError(
            f"a wake word of {seconds:g} s; expected {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} s of one speaker"
        )
