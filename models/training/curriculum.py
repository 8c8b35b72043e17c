"""The curriculum: which losses count when, on how much audio, augmented how much."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Stage:
    """One part of the curriculum; it ends at update ``until``."""

    until: int
    batch_frames: int
    """Feature frames per batch (100 per second)."""
    max_frames: int
    """Longest utterance taken, in feature frames."""
    strength: float
    """Augmentation, 0 to 1."""
    transducer: float
    """Weight of the transducer loss; the phone CTC's weight is ``phone``, the token CTC's is ``token``."""
    phone: float
    token: float
    follow: float = 0.0
    """Weight of how far the encoder's frames are from the teacher's."""
    encoder: float = 1.0
    """Learning rate of the encoder beside its highest; 0 holds it."""
    delay_penalty: float = 0.0
    consistency: float = 0.0
    """Weight of what two views of a recording differ in; above 0 a batch holds two of each."""
    risk: float = 0.0
    """Weight of the expected word errors over the n-best list, see `mwer`."""


CURRICULUM = (
    Stage(1500, 6000, 700, 0.4, 0.0, 0.0, 0.0, follow=1.0),
    Stage(2000, 9000, 700, 0.4, 0.0, 0.5, 1.0, encoder=0.0),
    Stage(6000, 9000, 1000, 0.7, 1.0, 0.5, 0.3, encoder=0.0, delay_penalty=0.004),
    Stage(10**9, 6000, 1300, 1.0, 1.0, 0.5, 0.3, follow=1.0, delay_penalty=0.004),
)
FROM_NOTHING = (
    Stage(500, 3000, 300, 0.0, 0.0, 1.0, 0.3),
    Stage(1500, 3500, 400, 0.15, 0.5, 1.0, 0.3),
    Stage(3500, 5000, 700, 0.4, 1.0, 0.5, 0.2),
    Stage(14000, 3500, 1000, 0.7, 1.0, 0.5, 0.1, delay_penalty=0.004),
    Stage(10**9, 3500, 1000, 1.0, 1.0, 0.5, 0.1, delay_penalty=0.004, consistency=0.2),
)
"""Without Whisper's weights: phones and short, clean utterances lead, or words alone stay for long on the plateau where
only the language model is learnt."""


def with_word_errors(curriculum: Sequence[Stage], begin: int, risk: float = 1.0) -> tuple[Stage, ...]:
    """Return the curriculum with the expected word errors in it from update ``begin`` on, the rest as it is.

    The transducer loss counts half from there: alone, word errors let go of what the n-best list does not show.
    """
    before = [stage for stage in curriculum if stage.until < begin]
    after = [replace(stage, risk=risk, transducer=stage.transducer / 2) for stage in curriculum if stage.until > begin]
    inside = next(stage for stage in curriculum if stage.until >= begin)
    return (*before, replace(inside, until=begin), *after)
