"""Models of requests in files: the weights of ``lattice.understanding``, kept in few bits by ``models.compression``.

The two leaves do not know each other: the stored form is opened here, and handed in as ``Weights``.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...biasing import read_source
from ...lattice.understanding import (
    ExactWeights,
    Listed,
    PathSettings,
    Rejection,
    UnderstandingError,
    UnderstandingModel,
    WordClasses,
)
from ...lattice.understanding.words import tokenize
from ...models.catalog import BUNDLED
from ...models.compression import CompressionError, Sections, SparseRows, read_sections, write_sections
from ...models.compression.sections import Values

FORMAT = "understanding"
CLASSES_FORMAT = "word classes"
SUFFIX = ".nlu"
BUNDLED_FOLDER = BUNDLED / "understanding"
BUNDLED_CLASSES = BUNDLED_FOLDER / "word-classes.bin"
CLASS_LEVELS = 2048
"""Classes are whole numbers up to 1023, stored as weights of step 1."""
LANGUAGE_FINGERPRINT_BITS = 12
"""N-grams that are not known are many; one that is taken for a known one speaks loudly."""
CLASS_FINGERPRINT_BITS = 10


@dataclass(frozen=True)
class Precision:
    """How exactly weights are stored."""

    levels: int = 256
    """Values that a weight may have."""
    fingerprint_bits: int = 6
    """One in 2 to this number of unknown features is taken for a known one."""
    most_intent_levels: int = 32
    """Values at most that a weight of an intent may have: many more weights fit, and none is missed."""
    most_slot_levels: int = 64
    """Values at most that a weight of a label may have."""
    intent_power: float = 2.0
    """How much more exactly small weights of intents are stored than large ones; with 1 all alike."""
    slot_power: float = 1.5
    """The same of labels."""


def list_understanding_models() -> dict[str, Path]:
    """Return the models that are in the package, by name."""
    return {path.stem: path for path in sorted(BUNDLED_FOLDER.glob("*" + SUFFIX))}


def resolve_understanding(name: str | os.PathLike[str]) -> Path:
    """Return the file of a model given by name or by path.

    Raises:
        UnderstandingError: neither; says which names there are.
    """
    bundled = list_understanding_models()
    if str(name) in bundled:
        return bundled[str(name)]
    path = Path(name)
    if path.is_file():
        return path
    names = ", ".join(bundled) or "none"
    raise UnderstandingError(f"{path}: no such file; expected one of 'nearword understand train', or a name: {names}")


def save_understanding(
    model: UnderstandingModel, path: str | os.PathLike[str], precision: Precision = Precision()
) -> int:
    """Write a model whose weights are exact; returns the size of the file in bytes.

    Raises:
        OSError: it cannot be written.
    """
    return write_sections(path, FORMAT, sections_of(model, precision))


def sections_of(model: UnderstandingModel, precision: Precision) -> Sections:
    """Return what is stored of a model whose weights are exact."""
    paths, rejection = model.paths, model.rejection
    values = {
        "intents": list(model.intents),
        "none_of_them": int(model.none_of_them),
        "labels": list(model.labels),
        "rejection": list(rejection.weights),
        "least": rejection.least,
        "label_temperature": model.label_temperature,
        "known_values": ["\t".join((slot, *known)) for slot, known in model.known_values.items()],
        "paths": [paths.posterior_scale, paths.search, paths.language, paths.labels, paths.word],
    }
    whole = Sections({"model": values}, {"allowed": np.packbits(model.allowed.ravel())})
    intents, slots = (
        replace(precision, levels=min(precision.levels, most))
        for most in (precision.most_intent_levels, precision.most_slot_levels)
    )
    whole |= _stored(model.intent_weights, intents, precision.intent_power).sections("intents")
    whole |= _stored(model.slot_weights, slots, precision.slot_power).sections("slots")
    language = Precision(precision.levels, max(precision.fingerprint_bits, LANGUAGE_FINGERPRINT_BITS))
    whole |= _stored(model.language_weights, language).sections("language")
    return whole if model.classes is None else whole | classes_sections(model.classes)


def load_understanding(path: str | os.PathLike[str]) -> UnderstandingModel:
    """Map the file of a model and return it; see ``resolve_understanding`` for those by name.

    Raises:
        UnderstandingError: the file is damaged or none; names it and what is wrong.
        OSError: it cannot be read.
    """
    try:
        stored = read_sections(path, FORMAT)
        return _model(stored)
    except CompressionError as error:
        told = str(error)
        raise UnderstandingError(told if told.startswith(str(path)) else f"{path}: {told}") from error


def load_word_classes(path: str | os.PathLike[str] = BUNDLED_CLASSES) -> WordClasses:
    """Map a file of word classes and return them; raises as ``load_understanding``."""
    try:
        return _classes(read_sections(path, CLASSES_FORMAT))
    except CompressionError as error:
        told = str(error)
        raise UnderstandingError(told if told.startswith(str(path)) else f"{path}: {told}") from error


def save_word_classes(classes: WordClasses, path: str | os.PathLike[str]) -> int:
    """Write word classes; returns the size of the file in bytes."""
    return write_sections(path, CLASSES_FORMAT, classes_sections(classes))


def _stored(weights: object, precision: Precision, power: float = 1.0) -> SparseRows:
    if isinstance(weights, SparseRows):
        return weights
    if not isinstance(weights, ExactWeights):
        raise UnderstandingError(f"{type(weights).__name__} cannot be stored; expected exact weights")
    return SparseRows.build(
        weights.keys, weights.row_of, weights.columns, weights.weights, weights.num_columns,
        levels=precision.levels, fingerprint_bits=precision.fingerprint_bits, power=power,
    )  # fmt: skip


def classes_sections(classes: WordClasses) -> Sections:
    """Return what is stored of word classes."""
    fine = classes.fine
    if isinstance(fine, ExactWeights):
        fine = SparseRows.build(
            fine.keys, fine.row_of, fine.columns, fine.weights, 1,
            levels=CLASS_LEVELS, fingerprint_bits=CLASS_FINGERPRINT_BITS, step=1.0,
        )  # fmt: skip
    if not isinstance(fine, SparseRows):
        raise UnderstandingError(f"{type(fine).__name__} cannot be stored; expected exact weights")
    return Sections({}, {"coarse": classes.coarse.astype(np.uint8)}) | fine.sections("classes")


def _model(stored: Sections) -> UnderstandingModel:
    values = stored.values_of("model")
    intents, labels = values.texts("intents"), values.texts("labels")
    none_of_them = values.whole_number("none_of_them") == 1
    if not intents or (none_of_them and len(intents) < 2) or not labels or labels[0] != "O":
        raise CompressionError("has no intents, or no labels")
    if any(label[:2] not in {"B-", "I-"} for label in labels[1:]):
        raise CompressionError("has a label that is none")
    rejection = _finite(values, "rejection", 4)
    paths = _finite(values, "paths", 5)
    temperature = values.number("label_temperature")
    if temperature <= 0 or paths[0] <= 0:
        raise CompressionError("has a temperature or a scale that is not above 0")
    return UnderstandingModel(
        intents,
        none_of_them,
        labels,
        _allowed(stored, len(intents), len(labels)),
        _rows(stored, "intents", len(intents)),
        _rows(stored, "slots", len(labels)),
        _rows(stored, "language", 2),
        _classes(stored) if "coarse" in stored.arrays else None,
        Rejection((rejection[0], rejection[1], rejection[2], rejection[3]), values.number("least")),
        temperature,
        PathSettings(*paths),
        _known_values(values),
    )


def _known_values(values: Values) -> dict[str, tuple[str, ...]]:
    if "known_values" not in values.values:  # files of before
        return {}
    rows = [row.split("\t") for row in values.texts("known_values")]
    return {slot: tuple(known) for slot, *known in rows}


def _finite(values: Values, name: str, count: int) -> Sequence[float]:
    found = values.numbers(name)
    if len(found) != count:
        raise CompressionError(f"has {len(found)} numbers in {name}; expected {count}")
    return found


def _rows(stored: Sections, name: str, columns: int) -> SparseRows:
    rows = SparseRows.from_sections(stored, name)
    if rows.num_columns != columns:
        raise CompressionError(f"has {rows.num_columns} columns of {name}; expected {columns}")
    return rows


def _allowed(stored: Sections, intents: int, labels: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    packed = stored.array("allowed")
    if packed.dtype != np.uint8 or len(packed) != (intents * labels + 7) // 8:
        raise CompressionError("does not say which labels go with which intents")
    allowed = np.unpackbits(packed, count=intents * labels).reshape(intents, labels).astype(bool)
    if not allowed[:, 0].all():
        raise CompressionError("has an intent that allows no words outside of slots")
    return allowed


def _classes(stored: Sections) -> WordClasses:
    coarse, fine = stored.array("coarse"), SparseRows.from_sections(stored, "classes")
    if coarse.dtype != np.uint8 or not len(coarse) or fine.num_columns != 1:
        raise CompressionError("has classes of words that do not fit together")
    return WordClasses(fine, coarse)


def size_by_part(path: str | os.PathLike[str]) -> dict[str, tuple[int, int, int]]:
    """Return bytes, features and weights of each part of a file; raises as ``load_understanding``."""
    stored = read_sections(path, FORMAT)
    parts: dict[str, tuple[int, int, int]] = {}
    for name in ("intents", "slots", "language", "classes"):
        size = sum(array.nbytes for key, array in stored.arrays.items() if key.startswith(f"{name}."))
        if size:
            rows = SparseRows.from_sections(stored, name)
            parts[name] = (size, rows.keys.count, rows.columns.count)
    rest = Path(path).stat().st_size - sum(size for size, _, _ in parts.values())
    return parts | {"names and the like": (rest, 0, 0)}


def listed_phrases(paths: Iterable[str | Path], told: Callable[[str], None]) -> Listed:
    """Return the phrases of files by class, as ``biasing`` reads them; what of them is not used is told.

    Raises:
        BiasingError: a file cannot be used; names it.
    """
    phrases: dict[tuple[str, ...], str] = {}
    for path in paths:
        source = read_source(path)
        for refused in source.phrases.refused:
            told(str(refused))
        for phrase in source.phrases.phrases:
            words = tuple(token.text for token in tokenize(phrase.text))
            if words and phrase.cls:
                phrases[words] = phrase.cls
    return Listed(phrases)
