"""Settings of both end-pointers, and presets."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class EndpointSettings:
    """How much silence ends an utterance, depending on what was said. All values in seconds.

    Raises:
        ValueError: a value is negative or not finite, or a pair is the wrong way round; names the field.
    """

    speculative_complete: float = 0.22
    """Silence after which complete words are taken for the end, speculatively. Lower: earlier, more resets."""
    speculative_unsure: float = 0.36
    """The same if the words look complete, but the voice does not sound as if it had finished."""
    speculative_incomplete: float = 0.60
    """The same after words that call for more ("call", "and", "turn on the")."""
    final_complete: float = 0.44
    """Silence that ends complete words for good. Lower: faster, more people cut off."""
    final_unsure: float = 0.78
    """The same if the words look complete, but the voice does not sound as if it had finished, or the speaker has
    paused before in this utterance. Lower: faster, more people who think while speaking cut off."""
    final_incomplete: float = 1.10
    """The same after words that call for more."""
    stable: float = 0.10
    """The best words must not have changed for so long before an end, final or not."""
    no_words: float = 1.50
    """Silence that ends an utterance in which no word was recognised (a cough, a door)."""
    no_speech: float = 6.0
    """An utterance without a word ends after so long even if voice activity goes on (steady noise)."""
    max_utterance: float = 30.0
    """Longest utterance; it is cut there."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < 1e6:
                raise ValueError(f"{field.name} is {value}: expected seconds, 0 or more")
        for low, high in (
            ("speculative_complete", "speculative_unsure"),
            ("speculative_unsure", "speculative_incomplete"),
            ("final_complete", "final_unsure"),
            ("final_unsure", "final_incomplete"),
            ("speculative_complete", "final_complete"),
            ("speculative_unsure", "final_unsure"),
            ("speculative_incomplete", "final_incomplete"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} is {getattr(self, low)}: expected at most {high}, {getattr(self, high)}")
        if self.max_utterance <= 0:
            raise ValueError("max_utterance is 0: expected more than 0 seconds")


_BALANCED = EndpointSettings()

PRESETS: dict[str, EndpointSettings] = {
    "fast": replace(
        _BALANCED, speculative_complete=0.16, speculative_unsure=0.24, speculative_incomplete=0.40,
        final_complete=0.34, final_unsure=0.46, final_incomplete=0.75,
    ),
    "balanced": _BALANCED,
    "patient": replace(
        _BALANCED, speculative_complete=0.40, speculative_unsure=0.50, speculative_incomplete=0.90,
        final_complete=0.84, final_unsure=1.10, final_incomplete=1.80,
        no_words=2.5, no_speech=8.0, max_utterance=60.0,
    ),
}  # fmt: skip
"""``fast`` for short commands, ``balanced`` for an assistant, ``patient`` for people who think while they speak."""
