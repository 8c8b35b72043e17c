"""Samples to tokens, with what live recognition needs beyond that: ending early, beginning anew, gaps."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from ...lattice import Lattice, TokenLattice
from ...models import SAMPLE_RATE, FeatureExtractor, Transducer
from ...models.audio import Samples
from ...models.features import FRAME_SECONDS
from ..search import Search, SearchOptions
from .encoder_stream import encode_to_end
from .second_pass import PhonesHeard, SecondLook, word_lattice
from .transcript import Word, make_transcript

DELAY_SECONDS = 0.4
"""How long after a sound its token may come: an utterance that is completed gets so much silence in all."""
QUIET_FRAMES = 50
"""Encoder frames before the first token of which phones are kept: hours of silence leave nothing."""
LEAD_FRAMES = 20
"""Feature frames before the present that a new start takes in again, if they are not encoded yet."""


class DecodingStream:
    """Features, encoder and search of one stream of audio.

    All it gives depends on the audio alone, not on the pieces in which it came.
    """

    def __init__(self, model: Transducer, options: SearchOptions) -> None:
        self._model = model
        self._options = options
        self._features = FeatureExtractor()
        self._position = 0
        """Feature frame at which the next chunk begins."""
        self._origin = 0
        """Feature frame of the search's frame 0."""
        self._gaps: list[tuple[float, float]] = []
        """Where audio is missing: seconds of audio heard until there, seconds missing."""
        self._second = SecondLook.of(model, options)
        self._encoder = model.encoder_stream(phones=self._second is not None)
        self.search: Search = options.begin(model)
        """The search over the audio that is encoded so far."""
        self.phones = PhonesHeard()
        """What goes with the search: phones of the same audio."""

    def accept(self, samples: Samples) -> bool:
        """Take samples [n]; returns whether a chunk was decoded."""
        info = self._model.info
        self._features.accept(samples)
        decoded = False
        while self._position + info.chunk_frames <= self._features.frames_ready:
            chunk = self._features.take(self._position, info.chunk_frames)
            self._options.refresh(self.search)
            if self._second is not None:
                self._second.prepare()
            encoded = self._encoder.run(chunk)
            self.search.advance(encoded.out)
            self.phones.add(encoded)
            if not self.search.tokens:
                self.phones.forget(QUIET_FRAMES)
            self._position += info.chunk_shift
            decoded = True
        return decoded

    def completed(self, silence: float = 0.0) -> tuple[Search, PhonesHeard]:
        """Return search and phones as they would be if silence followed: with all that was heard, the stream untouched.

        ``silence`` is how many seconds of it there were already.
        """
        heard = self._features.take(self._position, self._features.frames_ready - self._position)
        search, phones = self.search.fork(), self.phones.fork()
        for encoded in encode_to_end(self._encoder, self._model.info, heard, DELAY_SECONDS - silence):
            search.advance(encoded.out)
            phones.add(encoded)
        return search, phones

    def restart(self) -> None:
        """Forget all that was heard, but for the last moments: encoder and search begin anew."""
        self._position = max(self._position, self._features.frames_ready - LEAD_FRAMES)
        self._origin = self._position
        self._encoder = self._model.encoder_stream(phones=self._second is not None)
        self.search = self._options.begin(self._model)
        self.phones = PhonesHeard()
        missing = sum(seconds for _, seconds in self._gaps)
        self._gaps = [(0.0, missing)] if missing else []

    def drop(self, tokens: int) -> tuple[TokenLattice, PhonesHeard]:
        """Forget the first tokens, which an utterance ended in the middle of speech takes.

        Returns their lattice and the phones up to there.
        """
        self.search = self.search.fork()
        phones = self.phones.cut(self.search.frames[tokens - 1] + 1 if tokens else 0)
        return self.search.drop(tokens), phones

    def lost(self, heard: float, seconds: float) -> None:
        """Note that ``seconds`` are missing after ``heard`` seconds of audio, gaps not counted."""
        self._gaps.append((heard, seconds))
        if not self.search.tokens:
            self._gaps = [(0.0, sum(missing for _, missing in self._gaps))]

    def words(self, search: Search, now: float, *, lower: bool = True) -> tuple[Word, ...]:
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

        return tuple(
            dataclasses.replace(
                word,
                start=self._shifted(word.start, now),
                end=self._shifted(word.end, now),
                confidence=round(word.confidence, 4),
            )
            for word in transcript.words
        )

    def _shifted(self, time: float, now: float) -> float:
        """Return the time in the stream of a time in the audio that was heard."""
        return round(min(now, time + sum(seconds for heard, seconds in self._gaps if heard <= time)), 3)

    def lattice(
        self,
        tokens: TokenLattice,
        phones: PhonesHeard,
        now: float,
        *,
        best: Sequence[Word] = (),
        promised: Sequence[str] = (),
        lower: bool = True,
    ) -> Lattice:
        """Return the word lattice of what a search of this stream left, with times as ``words`` has them.

        ``best`` are the words that the search itself holds best. Of words that were ``promised`` not to change any more
        there are no others.
        """
        offset = self._origin * FRAME_SECONDS
        lattice = word_lattice(self._model, tokens, self._options.lattice, lower=lower)
        if self._second is not None:
            lattice = self._second.rescore(lattice, phones.log_probs(), best, promised)
        start, end = (
            np.asarray([self._shifted(offset + time, now) for time in times.tolist()], np.float32)
            for times in (lattice.start, lattice.end)
        )
        return dataclasses.replace(lattice, start=start, end=end)

    @property
    def looks_twice(self) -> bool:
        """Whether words of the search may become others at the end of their utterance."""
        return self._second is not None

    def settled(self, search: Search) -> tuple[int, int]:
        """Return how many words, and how many tokens, can change no more: all before the last settled word begins.

        A word is settled once the beginning of another is.
        """
        starts = self._model.vocabulary.word_starts
        tokens = search.tokens[: search.settled_tokens]
        last = next((k for k in range(len(tokens) - 1, 0, -1) if starts[tokens[k]]), 0)
        return len(self._model.vocabulary.word_spans(tokens[:last])), last

    def settled_text(self, *, lower: bool = True) -> str:
        """Return the beginning of the text that all hypotheses agree on, up to the last letter."""
        search = self.search
        return self._model.vocabulary.text(search.tokens[: search.settled_tokens], lower=lower)


def seconds_of(samples: int) -> float:
    """Return the length of so many samples, to the microsecond."""
    return round(samples / SAMPLE_RATE, 6)
