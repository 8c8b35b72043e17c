"""The two end-pointers: small state machines over evidence, without clock, audio or model.

After Amazon's on-device speech work (2022): the speculative one fires early, so that downstream work can start; the
final one confirms it. The silence that each requires depends on how complete the words look.
"""

from enum import Enum

from .evidence import Evidence
from .settings import EndpointSettings

GLITCH_SECONDS = 0.06
"""A burst of voice activity this short does not count as speech going on."""


class EndReason(Enum):
    """Why an utterance ended."""

    silence = "silence"
    max_length = "max_length"
    no_speech = "no_speech"


def required_silence(complete: float, incomplete_seconds: float, complete_seconds: float) -> float:
    """Return the silence to wait for: from ``incomplete_seconds`` at 0 to ``complete_seconds`` at 1."""
    share = min(1.0, max(0.0, complete))
    return incomplete_seconds + (complete_seconds - incomplete_seconds) * share


class _Silence:
    """Silence that a glitch of voice activity does not break."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._burst_began: float | None = None
        self._since: float | None = None

    def update(self, evidence: Evidence) -> float:
        """Return seconds of silence so far."""
        if evidence.speech:
            if self._burst_began is None:
                self._burst_began = evidence.time
            if evidence.time - self._burst_began >= GLITCH_SECONDS:
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
        wanted = required_silence(evidence.complete, settings.speculative_incomplete, settings.speculative_complete)
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
        wanted = required_silence(evidence.complete, settings.final_incomplete, settings.final_complete)
        if silence >= wanted and evidence.stable_for >= settings.stable:
            return EndReason.silence
        # Voice activity that never falls silent (a fan, a television): the search says that no word comes any more.
        if evidence.trailing_blank >= 2 * settings.final_incomplete + 1.0 and evidence.blank_probability > 0.9:
            return EndReason.silence
        return None
