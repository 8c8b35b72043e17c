"""Samples to tokens, with what live recognition needs beyond that: ending early, beginning anew, gaps."""

import dataclasses
import math

import numpy as np

from ..models import SAMPLE_RATE, FeatureExtractor, Transducer
from ..models.audio import Samples
from ..models.features import FRAME_SECONDS, NUM_BINS, Features
from .search import GreedySearch
from .transcript import Word, make_transcript

DELAY_SECONDS = 0.4
"""How long after a sound its token may come: an utterance that is completed gets so much silence in all."""
LEAD_FRAMES = 20
"""Feature frames before the present that a new start takes in again, if they are not encoded yet."""
SILENCE = math.log(np.finfo(np.float32).eps)
"""Log-mel energy of digital silence."""


class DecodingStream:
    """Features, encoder and search of one stream of audio.

    All it gives depends on the audio alone, not on the pieces in which it came.
    """

    def __init__(self, model: Transducer) -> None:
        self._model = model
        self._features = FeatureExtractor()
        self._position = 0
        """Feature frame at which the next chunk begins."""
        self._origin = 0
        """Feature frame of the search's frame 0."""
        self._gaps: list[tuple[float, float]] = []
        """Where audio is missing: seconds of audio heard until there, seconds missing."""
        self._encoder = model.encoder_stream()
        self.search = GreedySearch(model)
        """The search over the audio that is encoded so far."""

    def accept(self, samples: Samples) -> bool:
        """Take samples [n]; returns whether a chunk was decoded."""
        info = self._model.info
        self._features.accept(samples)
        decoded = False
        while self._position + info.chunk_frames <= self._features.frames_ready:
            chunk = self._features.take(self._position, info.chunk_frames)
            self.search.advance(self._encoder.run(chunk))
            self._position += info.chunk_shift
            decoded = True
        return decoded

    def completed(self, silence: float = 0.0) -> GreedySearch:
        """Return the search as it would be if silence followed: with all that was heard, the stream untouched.

        ``silence`` is how many seconds of it there were already.
        """
        info = self._model.info
        heard = self._features.frames_ready - self._position
        padding = max(0, round((DELAY_SECONDS - silence) / FRAME_SECONDS))
        steps = max(1, -(-(heard + padding) // info.chunk_shift))
        padded: Features = np.full(((steps - 1) * info.chunk_shift + info.chunk_frames, NUM_BINS), SILENCE, np.float32)
        padded[:heard] = self._features.take(self._position, heard)
        encoder, search = self._encoder.fork(), self.search.fork()
        for start in range(0, steps * info.chunk_shift, info.chunk_shift):
            search.advance(encoder.run(padded[start : start + info.chunk_frames]))
        return search

    def restart(self) -> None:
        """Forget all that was heard, but for the last moments: encoder and search begin anew."""
        self._position = max(self._position, self._features.frames_ready - LEAD_FRAMES)
        self._origin = self._position
        self._encoder = self._model.encoder_stream()
        self.search = GreedySearch(self._model)
        missing = sum(seconds for _, seconds in self._gaps)
        self._gaps = [(0.0, missing)] if missing else []

    def drop(self, tokens: int) -> None:
        """Forget the first tokens, which an utterance ended in the middle of speech has taken; the search goes on."""
        search = self.search.fork()
        del search.tokens[:tokens], search.frames[:tokens], search.log_probs[:tokens]
        self.search = search

    def lost(self, heard: float, seconds: float) -> None:
        """Note that ``seconds`` are missing after ``heard`` seconds of audio, gaps not counted."""
        self._gaps.append((heard, seconds))
        if not self.search.tokens:
            self._gaps = [(0.0, sum(missing for _, missing in self._gaps))]

    def words(self, search: GreedySearch, now: float, *, lower: bool = True) -> tuple[Word, ...]:
        """Return the words of a search of this stream, with times in seconds of the whole stream, at most ``now``."""
        if not search.tokens:
            return ()
        transcript = make_transcript(
            self._model.vocabulary,
            search.tokens,
            search.frames,
            search.log_probs,
            frame_seconds=self._model.info.frame_seconds,
            seconds=math.inf,
            lower=lower,
            offset=self._origin * FRAME_SECONDS,
        )

        def shifted(time: float) -> float:
            return round(min(now, time + sum(seconds for heard, seconds in self._gaps if heard <= time)), 3)

        return tuple(
            dataclasses.replace(
                word, start=shifted(word.start), end=shifted(word.end), confidence=round(word.confidence, 4)
            )
            for word in transcript.words
        )

    def settled(self, search: GreedySearch) -> tuple[int, int]:
        """Return how many words, and how many tokens, can change no more: all before the beginning of the last word.

        Greedy search takes no token back, so a word is settled once another has begun.
        """
        starts = self._model.vocabulary.word_starts
        last = next((k for k in range(len(search.tokens) - 1, 0, -1) if starts[search.tokens[k]]), 0)
        return len(self._model.vocabulary.word_spans(search.tokens[:last])), last


def seconds_of(samples: int) -> float:
    """Return the length of so many samples, to the microsecond."""
    return round(samples / SAMPLE_RATE, 6)
