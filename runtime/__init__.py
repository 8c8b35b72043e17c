"""Streaming recognition: audio in, words and events out."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recognition.events import (
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
    from .recognition.recognizer import Recognizer
    from .recognition.transcriber import Transcriber, load_model, transcribe_file
    from .recognition.transcript import Transcript, Word
    from .search import BeamSettings, SearchOptions, TokenScorer
    from .sources import AudioFile, Microphone, RawStream
    from .streaming.pipeline import Pipeline
    from .streaming.speculation import Outcome, speculate

_WHERE = {
    "Alternative": "recognition.events",
    "AudioFile": "sources",
    "AudioLost": "recognition.events",
    "BeamSettings": "search",
    "Command": "recognition.events",
    "Event": "recognition.events",
    "Final": "recognition.events",
    "FinalReason": "recognition.events",
    "Microphone": "sources",
    "Outcome": "streaming.speculation",
    "Partial": "recognition.events",
    "Pipeline": "streaming.pipeline",
    "RawStream": "sources",
    "Recognizer": "recognition.recognizer",
    "Reset": "recognition.events",
    "SearchOptions": "search",
    "SpeculativeFinal": "recognition.events",
    "SpeechStarted": "recognition.events",
    "TokenScorer": "search",
    "Transcriber": "recognition.transcriber",
    "Transcript": "recognition.transcript",
    "Word": "recognition.transcript",
    "load_model": "recognition.transcriber",
    "speculate": "streaming.speculation",
    "transcribe_file": "recognition.transcriber",
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
