"""Streaming recognition: audio in, words and events out."""

from .events import AudioLost, Event, Final, FinalReason, Partial, Reset, SpeculativeFinal, SpeechStarted
from .pipeline import Pipeline
from .recognizer import Recognizer
from .sources import AudioFile, Microphone, RawStream
from .speculate import Outcome, speculate
from .transcriber import Transcriber, load_model, transcribe_file
from .transcript import Transcript, Word

__all__ = [
    "AudioFile",
    "AudioLost",
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
    "SpeculativeFinal",
    "SpeechStarted",
    "Transcriber",
    "Transcript",
    "Word",
    "load_model",
    "speculate",
    "transcribe_file",
]
