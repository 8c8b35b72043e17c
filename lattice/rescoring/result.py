"""What came of rescoring, and why."""

from dataclasses import dataclass
from enum import Enum

from .contract import ScoredPath


class Reason(str, Enum):
    """Why the words are what they are."""

    rescored = "rescored"
    """An answer came in time; its words hold, be they others or the same."""
    not_sent = "not_sent"
    """Nothing was handed over for this revision."""
    cancelled = "cancelled"
    """The revision was reset."""
    displaced = "displaced"
    """Newer requests took its place."""
    late = "late"
    """No answer before the deadline."""
    unreachable = "unreachable"
    """No connection, or it broke."""
    untrusted = "untrusted"
    """The certificate is not valid, or not the service's."""
    token_refused = "token_refused"  # noqa: S105 (a reason)
    """The service wants another token, or there is none to read."""
    busy = "busy"
    """The service had no room (503, 429)."""
    failed = "failed"
    """The service answered with another error."""
    malformed = "malformed"
    """The answer is not as the contract says, or too large."""
    stale = "stale"
    """The answer is for another utterance or revision."""
    absurd = "absurd"
    """The answer has words that were not sent."""
    unfit = "unfit"
    """None of its word sequences is in the final lattice and begins with the words that were said to be stable."""
    paused = "paused"
    """Too many failures in a row: nothing is sent for a while."""


@dataclass(frozen=True)
class Rescored:
    """What came of rescoring one revision. Without an answer that holds, the local words stay as they were."""

    utterance: int
    """Its number."""
    revision: int
    """Within the utterance."""
    reason: Reason
    """Why."""
    milliseconds: float
    """From the moment the lattice was handed over to the end of it all."""
    paths: tuple[ScoredPath, ...] = ()
    """The best paths, best first, private words put back; empty without an answer that holds."""
    model: str | None = None
    """Name of the language model that answered."""
    bytes_sent: int = 0
    """Size of the body that was sent, packed; 0 if none was."""
    detail: str = ""
    """More of the reason, for people; never words, never the token."""

    @property
    def rescored(self) -> bool:
        """Whether there are words to take."""
        return self.reason is Reason.rescored

    @property
    def text(self) -> str | None:
        """The best words, None without an answer that holds."""
        return " ".join(self.paths[0].words) if self.paths else None
