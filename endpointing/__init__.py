"""End-pointing: when the speaker has probably, and when they have really finished."""

from .completeness import completeness
from .endpointer import EndReason, FinalEndpointer, SpeculativeEndpointer
from .evidence import Evidence
from .settings import PRESETS, EndpointSettings
from .vad import VoiceActivity, WebRtcVad

__all__ = [
    "PRESETS",
    "EndReason",
    "EndpointSettings",
    "Evidence",
    "FinalEndpointer",
    "SpeculativeEndpointer",
    "VoiceActivity",
    "WebRtcVad",
    "completeness",
]
