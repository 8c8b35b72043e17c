"""One stream of audio through the model, from the first sample to the last: no end-pointing, one transcript."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy.typing as npt

from ...lattice import Lattice
from ...models import SAMPLE_RATE, AudioConverter, Channel, Transducer, resolve, stream_audio
from ...models.audio import Samples
from ...models.transducer import Encoded
from ..search import DEFAULT_SEARCH, SearchOptions
from .encoder_stream import EncodedAudio
from .second_pass import PhonesHeard, SecondLook, best_words, word_lattice
from .transcript import Transcript, make_transcript


def load_model(model: str | Path | Transducer = "assistant-en", *, threads: int = 1) -> Transducer:
    """Return a model by name, by folder, or as it is.

    Raises:
        ModelNotFoundError: no such name or folder.
        ModelFileError: a file of the folder is missing or broken.
    """
    return model if isinstance(model, Transducer) else Transducer.load(resolve(model), threads=threads)


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
        rate: float = SAMPLE_RATE,
        channel: Channel = "mix",
    ) -> None:
        """Begin a stream.

        Args:
            model: loaded, shared or not.
            search: how wide to search, and what to boost.
            lower: lower-case words, also of models with upper-case tokens.
            rate: samples per second of the audio that will come.
            channel: of audio with several the one to hear, from 1 on, or ``mix``.

        Raises:
            AudioError: no such rate or channel.
        """
        self._converter = AudioConverter(rate, channel)
        self._model = model
        self._lower = lower
        self._second = SecondLook.of(model, search)
        self._encoded = EncodedAudio(model, phones=self._second is not None)
        self._phones = PhonesHeard()
        self._options = search
        self._search = search.begin(model)
        self._samples = 0
        self._finished = False

    @property
    def tokens(self) -> list[int]:
        """Token ids so far."""
        return self._search.tokens

    def accept(self, audio: npt.ArrayLike) -> bool:
        """Take audio, [n] or [n, channels], float32 in [-1, 1] or any integer type.

        Returns whether the best tokens have changed.

        Raises:
            AudioError: what is no audio; nothing was taken then. See ``models.AudioConverter``.
            RuntimeError: the stream was finished.
        """
        if self._finished:
            raise RuntimeError("the stream is finished; make a new Transcriber for more audio")
        return self._take(self._converter.accept(audio))

    def _take(self, samples: Samples) -> bool:
        self._samples += len(samples)
        return self._advance(self._encoded.accept(samples))

    def _advance(self, steps: Iterable[Encoded]) -> bool:
        before: list[int] | None = None
        for step in steps:
            if before is None:
                before = self._search.tokens[:]
            self._options.refresh(self._search)
            self._search.advance(step.out)
            self._phones.add(step)
        return before is not None and self._search.tokens != before

    @property
    def partial(self) -> Transcript:
        """The words so far."""
        search = self._search
        return make_transcript(
            self._model.vocabulary,
            search.tokens,
            search.frames,
            search.log_probs,
            frame_seconds=self._model.info.frame_seconds,
            seconds=self._samples / SAMPLE_RATE,
            lower=self._lower,
        )

    def lattice(self) -> Lattice:
        """Return everything that may have been said so far."""
        lattice = word_lattice(self._model, self._search.lattice(), self._options.lattice, lower=self._lower)
        if self._second is None:
            return lattice
        return self._second.rescore(lattice, self._phones.log_probs(), self.partial.words)

    def finish(self) -> Transcript:
        """End the stream and return all its words; again and again the same."""
        if not self._finished:
            self._finished = True
            self._take(self._converter.finish())
            self._advance(self._encoded.finish())
            self._result = self.partial
            if self._second is not None and self._result.words:
                words = best_words(self.lattice(), self._result.words)
                self._result = replace(self._result, text=" ".join(word.text for word in words), words=words)
        return self._result


def transcribe_file(model: Transducer, path: str | Path, search: SearchOptions = DEFAULT_SEARCH) -> Transcript:
    """Return the words of an audio file.

    Raises:
        AudioError: the file is not usable audio; names it.
    """
    transcriber = Transcriber(model, search)
    for block in stream_audio(path):
        transcriber.accept(block)
    return transcriber.finish()
