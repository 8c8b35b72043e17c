"""One stream of audio through the model, from the first sample to the last: no end-pointing, one transcript."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from ...lattice import Lattice
from ...models import (
    DEFAULT_MODEL,
    SAMPLE_RATE,
    AudioConverter,
    Channel,
    Transducer,
    resolve,
)
from ...models.encoder import Encoded
from ...models.features import FRAME_SECONDS
from ...models.samples import Samples
from ..search import DEFAULT_SEARCH, Search, SearchOptions
from .decode_loop import DecodeLoop
from .reading import Reading, read_best
from .second_pass import best_words
from .session import Session
from .timeline import Timeline
from .transcript import Transcript, make_transcript

if TYPE_CHECKING:
    from .anchor import SpeakerGate
    from .events import Command
    from .grammar import GrammarUnderstanding


def load_model(
    model: str | Path | Transducer = DEFAULT_MODEL,
    *,
    threads: int = 1,
    precision: str = "auto",
    look_ahead: float | None = None,
) -> Transducer:
    """Return a model by name, by folder, or as it is.

    Args:
        model: its name, see ``nearword models``; its folder; or one that is loaded, for which the rest is too late.
        threads: for the encoder; one is enough for one stream.
        precision: ``int8``, ``float``, or ``auto``: the int8 encoder if there is one, the rest in float.
        look_ahead: seconds that the encoder hears ahead of what it tells, of models where that can be chosen: with
            less of it partial results come sooner, with more of it fewer words are wrong. None: the model's own.

    Raises:
        ModelError: no such precision, or no such look-ahead.
        ModelNotFoundError: no such name or folder.
        ModelFileError: a file of the folder is missing or broken.
    """
    return (
        model
        if isinstance(model, Transducer)
        else Transducer.load(resolve(model), threads=threads, precision=precision, look_ahead=look_ahead)
    )


class Transcriber:
    """Streams audio of any chunking through features, encoder and search.

    >>> transcriber = Transcriber(load_model())
    >>> for block in stream_audio("speech.wav"):
    ...     transcriber.accept(block)
    >>> print(transcriber.finish().text)
    """

    def __init__(
        self,
        model: Transducer,
        search: SearchOptions = DEFAULT_SEARCH,
        *,
        lower: bool = True,
        grammar: "GrammarUnderstanding | None" = None,
        rate: float = SAMPLE_RATE,
        channel: Channel = "mix",
        session: Session | None = None,
        anchor: "SpeakerGate | None" = None,
    ) -> None:
        """Begin a recording.

        Args:
            model: loaded, shared or not.
            search: how wide to search, and what to boost.
            lower: lower-case words, also of models with upper-case tokens.
            grammar: all that may be asked for; see ``command``.
            rate: samples per second of the audio that will come.
            channel: of audio with several the one to hear, from 1 on, or ``mix``.
            session: what changes while one listens, in the place of ``search``; one of its own by default.
            anchor: hears only who has said the wake word; see ``recognition.anchor``.

        Raises:
            AudioError: no such rate or channel.
        """
        self._converter = AudioConverter(rate, channel)
        self._model, self._lower, self._options = model, lower, search
        self._loop = DecodeLoop(Session(model, search) if session is None else session, anchor=anchor)
        self._grammar = None if grammar is None else grammar.searches()
        if self._grammar is not None:
            self._loop.follow(self._grammar)
        self._timeline = Timeline()
        self._timeline.begin(self._loop.encoder.origin)
        self._samples = 0
        self._result: Transcript | None = None

    @property
    def tokens(self) -> list[int]:
        """Token ids so far."""
        return self._loop.search.tokens

    def accept(self, audio: npt.ArrayLike) -> bool:
        """Take audio, [n] or [n, channels], float32 in [-1, 1] or any integer type.

        Returns whether the best tokens have changed.

        Raises:
            AudioError: what is no audio; nothing was taken then. See ``models.AudioConverter``.
            RuntimeError: the stream was finished.
        """
        if self._result is not None:
            raise RuntimeError("the stream is finished; make a new Transcriber for more audio")
        return self._take(self._converter.accept(audio))

    def _take(self, samples: Samples) -> bool:
        self._samples += len(samples)
        steps = self._loop.encoder.accept(samples)
        first = next(steps, None)
        if first is None:
            return False
        before = self.tokens[:]
        self._loop.decode(chain([first], steps))
        return self.tokens != before

    @property
    def partial(self) -> Transcript:
        """The words so far."""
        return self._transcript(self._loop.search)

    def _transcript(self, search: Search) -> Transcript:
        return make_transcript(
            self._model.vocabulary,
            search.tokens,
            search.frames,
            search.log_probs,
            frame_seconds=self._model.info.frame_seconds,
            seconds=self._samples / SAMPLE_RATE,
            lower=self._lower,
            offset=self._loop.encoder.origin * FRAME_SECONDS,
        )

    def lattice(self) -> Lattice:
        """Return everything that may have been said so far."""
        return self._reading().lattice

    def _reading(self) -> Reading:
        loop = self._loop
        reading = read_best(
            loop, loop.search, loop.phones, lambda search: self._transcript(search).words, lower=self._lower
        )
        return replace(reading, lattice=self._timeline.shifted(reading.lattice, self._samples / SAMPLE_RATE))

    @property
    def command(self) -> "Command | None":
        """What all that was heard so far asks for; None without a grammar."""
        return None if self._grammar is None else self._grammar.understood().command

    def finish(self) -> Transcript:
        """End the stream and return all its words; again and again the same."""
        if self._result is None:
            self._take(self._converter.finish())
            self._loop.finish()
            self._result = self._last()
        return self._result

    def replay(self, steps: Iterable[Encoded], seconds: float) -> Transcript:
        """Return the words of a whole recording of which the encoder's steps were kept, those of its end among them.

        ``seconds`` is how long the recording is.
        """
        if self._result is None:
            self._samples = round(seconds * SAMPLE_RATE)
            self._loop.decode(steps)
            self._result = self._last()
        return self._result

    def _last(self) -> Transcript:
        result = self.partial
        if not self._loop.rescores or not result.words:
            return result
        reading = self._reading()
        words = best_words(reading.lattice, reading.words)
        return replace(result, text=" ".join(word.text for word in words), words=words)


def transcribe_file(
    model: Transducer, path: str | Path, search: SearchOptions = DEFAULT_SEARCH, *, channel: Channel = "mix"
) -> Transcript:
    """Return the words of an audio file, of one of its channels (from 1 on) or of all mixed.

    Raises:
        AudioError: the file is not usable audio, or has no such channel; names it.
    """
    from ...models import stream_audio  # noqa: PLC0415 (who listens live reads no files)

    transcriber = Transcriber(model, search)
    for block in stream_audio(path, channel=channel):
        transcriber.accept(block)
    return transcriber.finish()


def transcribe_channels(
    model: Transducer, path: str | Path, search: SearchOptions = DEFAULT_SEARCH
) -> tuple[Transcript, ...]:
    """Return the words of each channel of an audio file, as of a call with a speaker on each.

    Raises:
        AudioError: the file is not usable audio; names it.
    """
    from ...models import AudioStream  # noqa: PLC0415

    transcribers: list[Transcriber] = []
    with AudioStream(path, channel="each") as audio:
        for block in audio:
            transcribers = transcribers or [Transcriber(model, search) for _ in range(block.shape[1])]
            for transcriber, samples in zip(transcribers, block.T, strict=True):
                transcriber.accept(samples)
    return tuple(transcriber.finish() for transcriber in transcribers)
