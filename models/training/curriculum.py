"""The curriculum: which losses count when, on how much audio, augmented how much."""

from dataclasses import dataclass


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
