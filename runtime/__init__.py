"""Streaming recognition: audio in, words out."""

from .transcriber import Transcriber, load_model, transcribe_file
from .transcript import Transcript, Word

__all__ = ["Transcriber", "Transcript", "Word", "load_model", "transcribe_file"]
