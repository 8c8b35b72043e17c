"""Streaming recognition: audio in, words and events out."""

from .events import (
    Alternative,
    AudioLost,
    Command,
    Event,
    Final,
    FinalReason,
    Partial,
    Reset,
    SpeculativeFinal,
    SpeechStarted,
)
from .pipeline import Pipeline
from .recognizer import Recognizer
from .search import BeamSettings, SearchOptions, TokenScorer
from .sources import AudioFile, Microphone, RawStream
from .speculate import Outcome, speculate
from .transcriber import Transcriber, load_model, transcribe_file
from .transcript import Transcript, Word

__all__ = [
    "Alternative",
    "AudioFile",
    "AudioLost",
    "BeamSettings",
    "Command",
    "Event",
    "Final",
    "FinalReason",
    "Microphone",
    "Outcome",
    "Partial",
    "Pipeline",
    "RawStream",
    "Recognizer",
    "Reset",
    "SearchOptions",
    "SpeculativeFinal",
    "SpeechStarted",
    "TokenScorer",
    "Transcriber",
    "Transcript",
    "Word",
    "load_model",
    "speculate",
    "transcribe_file",
]
