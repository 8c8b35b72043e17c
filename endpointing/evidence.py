"""What the end-pointers look at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """Everything known at one moment of an utterance; one per frame of voice activity (20 ms)."""

    time: float
    """Seconds of audio since the stream began."""
    speech: bool
    """Whether voice activity takes the latest frame for speech."""
    trailing_silence: float
    """Seconds since voice activity last said speech (since the utterance began, if it never did)."""
    trailing_blank: float
    """Seconds since the last word ended (since the utterance began, if there is none)."""
    blank_probability: float
    """Mean probability of blank over the latest step of the encoder, 0 to 1."""
    stable_for: float
    """Seconds since the best hypothesis last changed."""
    words: tuple[str, ...]
    """Best hypothesis of this utterance."""
    complete: float
    """How complete the words look, 0 to 1; see ``completeness``."""
    utterance_seconds: float
    """Seconds since the utterance began."""
    finality: float = 1.0
    """How final the voice sounded before the silence, 0 to 1; see ``finality``. 1 if nobody listened to it."""
    ending: float | None = None
    """Log-probability (natural) by a language model that a sentence ends after these words; None without one."""
