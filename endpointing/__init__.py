"""End-pointing: when the speaker has probably, and when they have really finished."""

from .completeness import completeness
from .endpointer import EndReason, FinalEndpointer, SpeculativeEndpointer
from .evidence import Evidence
from .finality import VoiceFinality, finality
from .observation import Ending, Observation, Speculation, observation_from_dict
from .scorecard import Scorecard, final_latency, scorecard, speculative_latency
from .settings import PRESETS, EndpointSettings
from .vad import VoiceActivity, WebRtcVad

__all__ = [
    "PRESETS",
    "EndReason",
    "Ending",
    "EndpointSettings",
    "Evidence",
    "FinalEndpointer",
    "Observation",
    "Scorecard",
    "Speculation",
    "SpeculativeEndpointer",
    "VoiceActivity",
    "VoiceFinality",
    "WebRtcVad",
    "completeness",
    "final_latency",
    "finality",
    "observation_from_dict",
    "scorecard",
    "speculative_latency",
]
