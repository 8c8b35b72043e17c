"""What was recognised: words with times and confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...models import Vocabulary


@dataclass(frozen=True)
class Token:
    """One token of the best path."""

    text: str
    """The piece as it stands in the vocabulary."""
    start: float
    """Seconds since the beginning: when the model put it out, which is a little after it is heard."""
    end: float
    """Seconds: one encoder frame later."""
    log_probability: float
    """Natural logarithm of the model's probability at that frame."""


@dataclass(frozen=True)
class Word:
    """One recognised word."""

    text: str
    start: float
    """Seconds: when its first token was put out. A transducer's times trail the sound by 0.1 to 0.3 s."""
    end: float
    """Seconds: the end of the encoder frame of its last token."""
    confidence: float
    """0 to 1: how probably it is right, if the model comes with a calibration (see ``confidence``).
    Until its utterance ends: the geometric mean of its tokens' probabilities, which is too sure of itself."""


@dataclass(frozen=True)
class Transcript:
    """The words of a recording or an utterance."""

    text: str
    words: tuple[Word, ...]
    tokens: tuple[Token, ...]
    seconds: float
    """Length of the audio."""
    utterances: tuple[int, ...] = ()
    """Index of the first word of each utterance, if the audio was cut into utterances."""


def confidence_of(log_probs: Sequence[float]) -> float:
    """Return the geometric mean of probabilities whose natural logarithms are given."""
    return math.exp(sum(log_probs) / len(log_probs))


def make_transcript(
    vocabulary: Vocabulary,
    ids: Sequence[int],
    frames: Sequence[int],
    log_probs: Sequence[float],
    *,
    frame_seconds: float,
    seconds: float,
    lower: bool = True,
    offset: float = 0.0,
) -> Transcript:
    """Put a search's tokens together to words.

    Args:
        vocabulary: of the model that was searched.
        ids: token ids.
        frames: encoder frame of each token.
        log_probs: log-probability of each token.
        frame_seconds: length of an encoder frame.
        seconds: length of the audio; times never go beyond it.
        lower: lower-case text, also of models with upper-case tokens.
        offset: seconds before frame 0; below 0 for a model whose output lies behind its input.
    """
    limit = max(0.0, offset) + seconds

    def time(frame: int) -> float:
        return max(0.0, min(limit, offset + frame * frame_seconds))

    tokens = tuple(
        Token(vocabulary.tokens[i], time(frame), time(frame + 1), log_prob)
        for i, frame, log_prob in zip(ids, frames, log_probs, strict=True)
    )
    words = tuple(
        Word(text, tokens[first].start, tokens[end - 1].end, confidence_of(log_probs[first:end]))
        for text, first, end in vocabulary.words(ids, lower=lower)
    )
    return Transcript(vocabulary.text(ids, lower=lower), words, tokens, seconds)
