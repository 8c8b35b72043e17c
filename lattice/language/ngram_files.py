"""N-gram models in files: ARPA's text, which every tool reads, and a compact binary form of a few MB.

The binary form is a NumPy archive (``.npz``, compressed) whose scores have 16 bits: errors are below 0.0002.
"""

import gzip
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from .arpa import LOG_10, read_arpa, write_arpa
from .errors import LanguageModelError
from .ngram import NgramModel
from .trie import NgramTrie

Array: TypeAlias = "npt.NDArray[Any]"
MAX_BYTES = 2_000_000_000
"""Size of a file, and of what it unpacks to."""
FORMAT = "nearword-ngram"
VERSION = 1
LEVELS = 65_535
"""Steps from the lowest score to 0."""
LOWEST = -13.0
"""Scores below are stored so (natural logarithm); but ARPA's -99 stays."""


class Readable(Protocol):
    """What can be opened, as a ``pathlib.Path`` or a file within another."""

    def open(self, mode: Literal["rb"], /) -> IO[bytes]:
        """Open it."""


def load_ngram(path: str | os.PathLike[str] | Readable, symbols: Sequence[str] | None = None) -> NgramModel:
    """Read a model, ARPA (also with gzip) or binary, whichever it is.

    Args:
        path: the file, or what can be opened as one.
        symbols: number the tokens so, by name: ``vocabulary.tokens`` of the speech model that it is for.

    Raises:
        LanguageModelError: the file is none, names what is wrong.
        OSError: it cannot be read.
    """
    source: Readable = Path(path) if isinstance(path, (str, os.PathLike)) else path
    try:
        with source.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            magic = file.read(2)
            file.seek(0)
            if size > MAX_BYTES:
                model = _too_large(size)
            elif magic == b"PK":
                model = _read_binary(file)
            elif magic == b"\x1f\x8b":
                with gzip.open(file) as packed:
                    model = read_arpa(packed)
            else:
                model = read_arpa(file)
    except UnicodeDecodeError as error:
        raise LanguageModelError(f"{path}: is no language model; expected ARPA text or the compact form") from error
    except (LanguageModelError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LanguageModelError(f"{path}: {error}") from error
    return model if symbols is None else model.aligned(symbols)


def save_ngram(model: NgramModel, path: str | os.PathLike[str]) -> None:
    """Write a model; as ARPA if the name ends in ``.arpa`` or ``.arpa.gz``, else in the binary form.

    The file appears only when it is whole.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    try:
        if path.name.endswith(".arpa.gz"):
            with gzip.open(partial, "wt", encoding="utf-8") as file:
                write_arpa(model, file)
        elif path.suffix == ".arpa":
            with partial.open("w", encoding="utf-8") as file:
                write_arpa(model, file)
        else:
            partial.write_bytes(to_bytes(model))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def to_bytes(model: NgramModel) -> bytes:
    """Return the model in the binary form."""
    trie = model.trie
    wide = np.uint32 if len(model.symbols) + 2 > 65_535 else np.uint16
    children = np.diff(trie.first)
    header = {"format": FORMAT, "version": VERSION, "unit": model.unit, "symbols": model.symbols}
    out = io.BytesIO()
    arrays: dict[str, Array] = {
        "header": np.frombuffer(json.dumps(header, ensure_ascii=False).encode(), np.uint8),
        "word": trie.word[1:].astype(wide),
        "children": children.astype(wide),
        "log_prob": _pack(trie.log_prob[1:]),
        # who has no children backs off with 1 always
        "backoff": trie.backoff[children > 0].astype(np.float16),
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, array, allow_pickle=False)
            # a fixed date: equal models make equal files
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, one.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def _pack(log_probs: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    scaled = np.rint(np.clip(log_probs, LOWEST, 0.0) * ((LEVELS - 1) / LOWEST))
    scaled[log_probs < -90 * LOG_10] = LEVELS
    return np.asarray(scaled, np.uint16)


def _unpack(packed: npt.NDArray[np.uint16], out: npt.NDArray[np.float32]) -> None:
    """Write the log-probabilities that ``packed`` stands for, all of which a table holds, into ``out``."""
    table = np.arange(1 << 16) * (LOWEST / (LEVELS - 1))
    table[LEVELS] = -99.0 * LOG_10
    np.take(table.astype(np.float32), packed, out=out)


def _too_large(size: int) -> NgramModel:
    raise LanguageModelError(f"{size} bytes; the limit is {MAX_BYTES}")


def _read_binary(file: IO[bytes]) -> NgramModel:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size <= MAX_BYTES:
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return _from_arrays(arrays)
    except LanguageModelError:
        raise
    # RuntimeError: what zipfile raises for encryption and ways of packing that it does not know, as of damaged entries
    except (zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError, OSError, EOFError, RuntimeError) as error:
        raise LanguageModelError(f"is no n-gram model, or damaged ({error})") from error
    raise LanguageModelError(f"unpacks to more than {MAX_BYTES} bytes")


def _from_arrays(arrays: Mapping[str, Array]) -> NgramModel:
    header = json.loads(arrays["header"].tobytes())
    if (header["format"], header["version"]) != (FORMAT, VERSION):
        raise LanguageModelError(f"is not a {FORMAT} file of version {VERSION}")
    symbols, unit = tuple(map(str, header["symbols"])), str(header["unit"])
    word, children, packed, inner = (arrays[name] for name in ("word", "children", "log_prob", "backoff"))
    if not (
        word.ndim == 1
        and packed.dtype == np.uint16
        and (not len(word) or word.max() < len(symbols) + 2)
        and children.shape == (len(word) + 1,)
        and packed.shape == word.shape
        and inner.shape == (np.count_nonzero(children),)
    ):
        raise LanguageModelError("its arrays do not fit together")
    # straight into what is kept: a model of millions of n-grams has room for no second copy
    words, log_prob = np.empty(len(word) + 1, np.int32), np.empty(len(word) + 1, np.float32)
    words[0], words[1:], log_prob[0] = -1, word, 0.0
    _unpack(packed, log_prob[1:])
    backoff = np.zeros(len(children), np.float32)
    backoff[children > 0] = inner
    first = np.empty(len(children) + 1, np.int32)
    first[0] = 1
    np.cumsum(children, dtype=np.int32, out=first[1:])
    first[1:] += 1
    trie = NgramTrie(words, log_prob, backoff, first)
    return NgramModel(symbols, trie, unit)
