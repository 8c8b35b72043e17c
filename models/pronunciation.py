"""How words are said: letters to phones, by a small network with CTC on onnxruntime."""

import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import ModelFileError
from .model_path import ModelPath, PackedPath
from .session import describe, open_session

MAX_LETTERS = 64
"""Letters of a word beyond these are not said."""
CACHED_WORDS = 50_000
"""Words whose phones are kept (about 250 bytes each)."""
BATCH_LETTERS = 2048
"""Letters that go through the network at once: what is between its layers then stays in the processor's cache."""

Phones = tuple[int, ...]


class Pronouncer:
    """A loaded model. Safe to share between threads."""

    def __init__(self, path: ModelPath, *, threads: int = 1) -> None:
        self._session = open_session(path, threads)
        metadata = dict(self._session.get_modelmeta().custom_metadata_map)
        letters = metadata.get("letters", "")
        self.phones: tuple[str, ...] = tuple(metadata.get("phones", "").split())
        """Names of the classes; the first is the CTC blank."""
        names = [tensor.name for tensor in describe(path, self._session.get_inputs() + self._session.get_outputs())]
        if names != ["letters", "best", "log_probs"] or not letters.isascii() or not letters or len(self.phones) < 2:
            raise ModelFileError(
                path,
                f"not a pronunciation model: it has {', '.join(names[:4])}; expected letters, best, log_probs, "
                "and metadata 'letters' (ASCII) and 'phones' (blank first)",
            )
        self._letters = frozenset(letters)
        self._ids = np.zeros(128, np.int64)
        self._ids[list(letters.encode())] = np.arange(1, len(letters) + 1)
        self._cache: dict[str, Phones] = {}
        self._lock = threading.Lock()
        try:
            shape = self._run("log_probs", [letters]).shape
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            reason = str(error).replace("\n", " ")[:160]
            raise ModelFileError(path, f"does not run: {reason}") from error
        if len(shape) != 3 or shape[2] != len(self.phones):
            raise ModelFileError(path, f"log_probs has shape {shape}; expected [N, T, {len(self.phones)}]")

    @classmethod
    def load(cls, path: str | ModelPath, *, threads: int = 1) -> "Pronouncer":
        """Load ``pronounce.onnx``; ``path`` is the file, or the folder or packed model that holds it.

        Raises:
            ModelFileError: missing, truncated, or not a model of this kind.
        """
        opened = Path(path) if isinstance(path, str) else path
        holds_it = not opened.is_file() and (isinstance(opened, PackedPath) or Path(str(opened)).is_dir())
        return cls(opened / "pronounce.onnx" if holds_it else opened, threads=threads)

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        """Return the phones of each word, as classes (see ``phones``): the most probable class of every slot.

        Letters count without case and accents; what is not a letter of the model is passed over, and of a word
        without letters nothing is said.
        """
        try:
            return [self._cache[word] for word in words]
        except KeyError:
            pass
        known = {word: self._cache.get(word) for word in words}
        missing = {word: self._spell(word) for word, phones in known.items() if phones is None}
        said = self._say(set(missing.values()))
        new = {word: said[letters] for word, letters in missing.items()}
        with self._lock:
            self._cache.update(new)
            for word in list(self._cache)[: max(len(self._cache) - CACHED_WORDS, 0)]:
                del self._cache[word]
        return [known[word] or new.get(word, ()) for word in words]

    def by_letter(self, words: Sequence[str]) -> "list[tuple[Phones, ...]]":
        """Return the phones of each word by its characters, one entry for each of these; see ``__call__``.

        Together they are what ``__call__`` says; characters that are no letters of the model have none.
        """
        spelled = [[self._spell(character)[:1] for character in word] for word in words]
        texts = ["".join(letters)[:MAX_LETTERS] for letters in spelled]
        said = self._say_by_letter({text for text in texts if text})
        out: list[tuple[Phones, ...]] = []
        for letters, text in zip(spelled, texts, strict=True):
            rest = iter(said.get(text, ()))
            out.append(tuple([next(rest, ()) if letter else () for letter in letters]))
        return out

    def _say_by_letter(self, words: Iterable[str]) -> dict[str, tuple[Phones, ...]]:
        per_letter, before = self._slots
        said: dict[str, tuple[Phones, ...]] = {}
        for part in _batches(words):
            best = self._run("best", part)
            kept = best != 0
            kept[:, 1:] &= best[:, 1:] != best[:, :-1]
            rows: list[list[list[int]]] = [[[] for _ in word] for word in part]
            last = len(part[0]) - 1
            for row, slot in zip(*(place.tolist() for place in kept.nonzero()), strict=True):
                # what is said at the marks around a word is of its first or last letter
                rows[row][min(max(slot // per_letter - before, 0), last)].append(int(best[row, slot]))
            said.update(zip(part, (tuple(map(tuple, letters)) for letters in rows), strict=True))
        return said

    @cached_property
    def _slots(self) -> tuple[int, int]:
        """How many classes a letter puts out, and how many marks stand before a word."""
        letter = next(iter(self._letters))
        one, two = (self._run("best", [letter * count]).shape[1] for count in (1, 2))
        per_letter = max(two - one, 1)
        return per_letter, (one // per_letter - 1) // 2

    def _spell(self, word: str) -> str:
        if not word.isascii():
            word = unicodedata.normalize("NFKD", word)
        return "".join(filter(self._letters.__contains__, word.lower()))[:MAX_LETTERS]

    def _run(self, output: str, words: Sequence[str]) -> npt.NDArray[np.generic]:
        """Words of one length to [N, T] or [N, T, classes]: without padding, a word's phones are its own."""
        letters = self._ids[np.frombuffer("".join(words).encode(), np.uint8)].reshape(len(words), -1)
        out: npt.NDArray[np.generic] = self._session.run([output], {"letters": letters})[0]
        return out

    def _say(self, words: Iterable[str]) -> dict[str, Phones]:
        said: dict[str, Phones] = {"": ()}
        for part in _batches(words):
            best = self._run("best", part)
            kept = best != 0
            kept[:, 1:] &= best[:, 1:] != best[:, :-1]
            classes = best[kept].tolist()
            start = 0
            for word, end in zip(part, kept.sum(1).cumsum().tolist(), strict=True):
                said[word] = tuple(classes[start:end])
                start = end
        return said


def _batches(words: Iterable[str]) -> Iterator[list[str]]:
    """Yield words of one length at a time, without those that have no letters."""
    by_length: dict[int, list[str]] = {}
    for word in words:
        by_length.setdefault(len(word), []).append(word)
    by_length.pop(0, None)
    for length, group in by_length.items():
        size = max(BATCH_LETTERS // length, 1)
        for first in range(0, len(group), size):
            yield group[first : first + size]
