"""The two end-pointers: small state machines over evidence, without clock, audio or model.

After Amazon's on-device speech work (2022): the speculative one fires early, so that downstream work can start; the
final one confirms it. The silence that each requires depends on how complete the words look, on how final the voice
sounds, on whether a language model would end the sentence there, and on whether the speaker has paused before. Voice
and language model are weighed as two witnesses who do not know of each other (Shriberg et al. 2000 for sentence ends).
"""

import math
from enum import Enum

from .evidence import Evidence
from .settings import EndpointSettings

GLITCH_SECONDS = 0.06
"""A burst of voice activity this short does not count as speech going on."""
HESITATION_SECONDS = 0.3
"""Who has paused so long and gone on may do so again."""
UNSURE, SURE = 0.52, 0.64
"""Finality of a voice up to which it is not taken for final, and from which it is; in between, in part."""
ENDING_WEIGHT, ENDING_USUAL, ENDING_MOST = 0.75, -1.2, 1.0
"""How much the language model's log-probability of an end counts beside the voice's log-odds, the one that changes
nothing, and how far it moves them at most: it knows requests and hardly any other sentence. Chosen on dev/barista so
that as few pauses sound like ends as before; sentences of the other dev sets end 0.04 s later on average, and fewer
pauses in them are taken for ends."""


class EndReason(Enum):
    """Why an utterance ended."""

    silence = "silence"
    max_length = "max_length"
    no_speech = "no_speech"


def required_silence(evidence: Evidence, complete: float, unsure: float, incomplete: float) -> float:
    """Return the silence to wait for.

    Args:
        evidence: of the words and of the voice.
        complete: seconds for complete words in a voice that sounds final.
        unsure: seconds for complete words in a voice that does not.
        incomplete: seconds for words that call for more, whatever the voice.
    """
    sureness = min(1.0, max(0.0, (finality_of(evidence) - UNSURE) / (SURE - UNSURE)))
    whole = unsure + (complete - unsure) * sureness
    return incomplete + (whole - incomplete) * min(1.0, max(0.0, evidence.complete))


def finality_of(evidence: Evidence) -> float:
    """Return how final voice and words are together, 0 to 1; the voice's finality where no language model is."""
    if evidence.ending is None or not 0 < evidence.finality < 1:
        return evidence.finality
    more = ENDING_WEIGHT * (evidence.ending - ENDING_USUAL)
    more = min(ENDING_MOST, max(-ENDING_MOST, more))
    return 1 / (1 + (1 / evidence.finality - 1) * math.exp(-more))


class _Silence:
    """Silence that a glitch of voice activity does not break."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.longest = 0.0
        """The longest that speech has broken, in seconds."""
        self._burst_began: float | None = None
        self._since: float | None = None

    def update(self, evidence: Evidence) -> float:
        """Return seconds of silence so far."""
        if evidence.speech:
            if self._burst_began is None:
                self._burst_began = evidence.time
            if evidence.time - self._burst_began >= GLITCH_SECONDS:
                if self._since is not None and evidence.words:
                    self.longest = max(self.longest, self._burst_began - self._since)
                self._since = None
        else:
            self._burst_began = None
            if self._since is None:
                self._since = evidence.time - evidence.trailing_silence
        self.seconds = 0.0 if self._since is None or evidence.speech else evidence.time - self._since
        return self.seconds


class SpeculativeEndpointer:
    """Says when the speaker has probably finished."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Begin anew: another utterance, or speech has gone on."""
        self._silence = _Silence()
        self._fired = False

    def update(self, evidence: Evidence) -> bool:
        """Return True once, when the silence is long enough for these words and they have stopped changing."""
        silence = self._silence.update(evidence)
        if self._fired or not evidence.words:
            return False
        settings = self._settings
        wanted = required_silence(
            evidence, settings.speculative_complete, settings.speculative_unsure, settings.speculative_incomplete
        )
        self._fired = silence >= wanted and evidence.stable_for >= min(settings.stable, silence)
        return self._fired


class FinalEndpointer:
    """Says when the utterance has ended, and why."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Begin anew: another utterance."""
        self._silence = _Silence()

    def update(self, evidence: Evidence) -> EndReason | None:
        """Return why the utterance ends here, or None."""
        settings = self._settings
        silence = self._silence.update(evidence)
        if evidence.utterance_seconds >= settings.max_utterance:
            return EndReason.max_length
        if not evidence.words:
            ended = silence >= settings.no_words or evidence.utterance_seconds >= settings.no_speech
            return EndReason.no_speech if ended else None
        paused = self._silence.longest >= HESITATION_SECONDS
        sure = settings.final_unsure if paused else settings.final_complete
        wanted = required_silence(evidence, sure, settings.final_unsure, settings.final_incomplete)
        if silence >= wanted and evidence.stable_for >= settings.stable:
            return EndReason.silence
        # Voice activity that never falls silent (a fan, a television): the search says that no word comes any more.
        if evidence.trailing_blank >= 2 * settings.final_incomplete + 2.0 and evidence.blank_probability > 0.9:
            return EndReason.silence
        return None
