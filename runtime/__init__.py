"""Streaming recognition: audio in, words and events out."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from .speculation import Outcome, speculate
    from .transcriber import Transcriber, load_model, transcribe_file
    from .transcript import Transcript, Word

_WHERE = {
    "Alternative": "events",
    "AudioFile": "sources",
    "AudioLost": "events",
    "BeamSettings": "search",
    "Command": "events",
    "Event": "events",
    "Final": "events",
    "FinalReason": "events",
    "Microphone": "sources",
    "Outcome": "speculation",
    "Partial": "events",
    "Pipeline": "pipeline",
    "RawStream": "sources",
    "Recognizer": "recognizer",
    "Reset": "events",
    "SearchOptions": "search",
    "SpeculativeFinal": "events",
    "SpeechStarted": "events",
    "TokenScorer": "search",
    "Transcriber": "transcriber",
    "Transcript": "transcript",
    "Word": "transcript",
    "load_model": "transcriber",
    "speculate": "speculation",
    "transcribe_file": "transcriber",
}
"""What is imported when it is asked for, and from where: the command line has its first word before numpy is loaded."""

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


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value
