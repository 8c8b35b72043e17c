"""What phrase lists do to recognition: errors on the words they are about and on all others, and false accepts."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...biasing import Biasing, Phrase, TokenizedPhrase, Tokenizer
from ...models import SAMPLE_RATE, NearwordError, Transducer, stream_audio
from ...models.encoder import Encoded
from ..recognition.biasing import bias_vocabulary
from ..recognition.encoder_stream import AudioEncoder
from ..recognition.text import normalise
from ..recognition.transcriber import Transcriber
from ..search import DEFAULT_SEARCH, BeamSettings, SearchOptions
from .word_errors import Entry, align_words


@dataclass(frozen=True)
class EncodedUtterance:
    """An utterance as the encoder leaves it: what lists do is seen after that, again and again."""

    reference: str
    """Normalised words."""
    steps: tuple[Encoded, ...]
    """Encoder output."""
    seconds: float
    """Length of the audio."""
    cpu_seconds: float
    """Processor time of reading, features and encoder."""


@dataclass(frozen=True)
class BiasFigures:
    """Errors of one run over a manifest."""

    phrases: int
    """On the lists."""
    biased_words: int
    """Words of references that are part of a listed phrase."""
    biased_errors: int
    """Of them wrong or missing, and words of phrases that nobody said."""
    other_words: int
    """All other words of references."""
    other_errors: int
    said: int
    """Listed phrases in references."""
    found: int
    """Of them in the hypothesis too."""
    plain_utterances: int
    """Utterances that hold none of the phrases."""
    false_accepts: int
    """Of them with a phrase in the hypothesis."""
    audio_seconds: float
    cpu_seconds: float
    """Processor time, encoder included."""
    search_seconds: float
    """Processor time of the search alone."""

    @property
    def biased_rate(self) -> float:
        """Errors per word of a phrase; NaN without any."""
        return self.biased_errors / self.biased_words if self.biased_words else float("nan")

    @property
    def other_rate(self) -> float:
        """Errors per other word; NaN without any."""
        return self.other_errors / self.other_words if self.other_words else float("nan")

    @property
    def false_accept_rate(self) -> float:
        """Share of utterances without a phrase in which one is heard; NaN without any."""
        return self.false_accepts / self.plain_utterances if self.plain_utterances else float("nan")


class PhraseFinder:
    """Finds the phrases of a list in words."""

    def __init__(self, phrases: Iterable[TokenizedPhrase]) -> None:
        self._known = {
            words
            for phrase in phrases
            for spelling in phrase.spellings
            if (words := tuple(normalise(spelling).split()))
        }
        self._lengths = sorted({len(words) for words in self._known}, reverse=True)

    def find(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """Return first and end index of phrases from left to right, the longest at each place, none overlapping."""
        found, place = [], 0
        while place < len(words):
            left = len(words) - place
            length = next((n for n in self._lengths if n <= left and tuple(words[place : place + n]) in self._known), 0)
            if length:
                found.append((place, place + length))
            place += max(1, length)
        return found


def finder_for(model: Transducer, phrases: Iterable[Phrase]) -> PhraseFinder:
    """Return what finds phrases as this model may write them."""
    return PhraseFinder(Tokenizer(bias_vocabulary(model.vocabulary), ways=1).tokenize_all(phrases)[0])


def encode_all(
    model: Transducer, entries: Iterable[Entry], failed: Callable[[NearwordError], None]
) -> list[EncodedUtterance]:
    """Encode the audio of a manifest; about 50 kB stay per second of it. What cannot be read is told to ``failed``."""
    out = []
    for entry in entries:
        started = time.process_time()
        encoder, samples = AudioEncoder(model, phones=True), 0
        steps: list[Encoded] = []
        try:
            for block in stream_audio(entry.path):
                steps += encoder.accept(block)
                samples += len(block)
        except NearwordError as error:
            failed(error)
            continue
        steps += encoder.finish()
        spent = time.process_time() - started
        out.append(EncodedUtterance(normalise(entry.text), tuple(steps), samples / SAMPLE_RATE, spent))
    return out


def recognise(
    model: Transducer,
    utterance: EncodedUtterance,
    biasing: Biasing | None,
    beam: BeamSettings,
    search: SearchOptions = DEFAULT_SEARCH,
) -> str:
    """Return the normalised words of an utterance, by the recogniser that ``evaluate`` measures.

    ``search`` says all but what is boosted and how wide the search is.
    """
    transcriber = Transcriber(model, replace(search, beam=beam, bias=biasing))
    return normalise(transcriber.replay(utterance.steps, utterance.seconds).text)


def measure(
    model: Transducer,
    utterances: Sequence[EncodedUtterance],
    finder: PhraseFinder,
    biasing: Biasing | None,
    beam: BeamSettings,
) -> BiasFigures:
    """Recognise all utterances with a list, or without any, and count; what is biased ``finder`` says."""
    started = time.process_time()
    hypotheses = [recognise(model, heard, biasing, beam) for heard in utterances]
    spent = time.process_time() - started
    counts = np.zeros(8, np.int64)
    for heard, hypothesis in zip(utterances, hypotheses, strict=True):
        counts += _count(heard.reference.split(), hypothesis.split(), finder)
    biased_words, biased, other_words, other, said, found, plain, accepts = counts.tolist()
    return BiasFigures(
        0 if biasing is None else len(biasing),
        biased_words,
        biased,
        other_words,
        other,
        said,
        found,
        plain,
        accepts,
        sum(heard.seconds for heard in utterances),
        spent + sum(heard.cpu_seconds for heard in utterances),
        spent,
    )


def _count(reference: list[str], hypothesis: list[str], finder: PhraseFinder) -> npt.NDArray[np.int64]:
    """Return the counts of one utterance, in the order of the fields of ``BiasFigures``."""
    said, heard = finder.find(reference), finder.find(hypothesis)
    in_reference = {place for begin, end in said for place in range(begin, end)}
    in_hypothesis = {place for begin, end in heard for place in range(begin, end)}
    biased = other = 0
    for kind, ref, hyp in errors(reference, hypothesis):
        if (kind == "insert" and hyp in in_hypothesis) or (kind != "insert" and ref in in_reference):
            biased += 1
        else:
            other += 1
    left = [tuple(hypothesis[begin:end]) for begin, end in heard]
    found = 0
    for begin, end in said:
        words = tuple(reference[begin:end])
        if words in left:
            left.remove(words)
            found += 1
    return np.asarray([
        len(in_reference), biased, len(reference) - len(in_reference), other, len(said), found,
        not said, not said and bool(heard),
    ], np.int64)  # fmt: skip


def errors(reference: list[str], hypothesis: list[str]) -> Iterable[tuple[str, int, int]]:
    """Yield what is wrong: kind, place in the reference, place in the hypothesis."""
    if not reference:
        yield from (("insert", 0, place) for place in range(len(hypothesis)))
        return
    aligned = align_words(" ".join(reference), " ".join(hypothesis)).alignments[0]
    for part in aligned:
        if part.type != "equal":
            length = max(part.ref_end_idx - part.ref_start_idx, part.hyp_end_idx - part.hyp_start_idx)
            yield from ((part.type, part.ref_start_idx + k, part.hyp_start_idx + k) for k in range(length))
