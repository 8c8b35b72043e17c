"""How sure a word is: a number that means what it says.

Two things speak for a word: the probability of its tokens when they were put out, and the share of the lattice in
which it stands. Each is too sure of itself; their product orders words better than either, and is calibrated with
constants that were fitted on speech of which the words are known. These lie beside the model they hold for.
"""

import dataclasses
import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...lattice import Calibration, Lattice, word_confidences
from ...models import ModelFileError
from ...models.model_path import ModelPath
from .transcript import Word

FILE = "confidence.json"
"""In a model's folder. Without it confidences are not calibrated."""
LONGEST_FILE = 10_000
"""Bytes."""


def with_confidences(words: tuple[Word, ...], lattice: Lattice, calibration: Calibration | None) -> tuple[Word, ...]:
    """Return words with the confidence they have in a lattice.

    Args:
        words: with the probabilities of their tokens as confidence.
        lattice: what may have been said; if it does not hold the words, their tokens alone count.
        calibration: what makes probabilities of confidences; None leaves them alone.
    """
    sure = np.array([word.confidence for word in words], np.float64)
    path = lattice.find([word.text for word in words])
    if path is not None:
        sure *= word_confidences(lattice, path)
    if calibration is not None:
        sure = calibration(sure)
    return tuple(
        dataclasses.replace(word, confidence=round(value, 4)) for word, value in zip(words, sure.tolist(), strict=True)
    )


@lru_cache
def read_calibration(folder: ModelPath) -> Calibration | None:
    """Return the calibration of a model, None if its folder has none.

    Raises:
        ModelFileError: the file is there, but is not what ``write_calibration`` writes.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(LONGEST_FILE))
        names = [field.name for field in dataclasses.fields(Calibration)]
        calibration = Calibration(**{name: float(values[name]) for name in names})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ModelFileError(path, f"cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelFileError(path, "expected JSON with the numbers temperature, bias and margin") from error
    if not (
        0 < calibration.temperature < math.inf and 0 < calibration.margin < 0.5 and math.isfinite(calibration.bias)
    ):
        raise ModelFileError(path, "expected a temperature above 0, a finite bias and a margin between 0 and 0.5")
    return calibration


def write_calibration(folder: Path, calibration: Calibration) -> Path:
    """Write a model's calibration into its folder; returns the file."""
    path = folder / FILE
    path.write_text(json.dumps(dataclasses.asdict(calibration), indent=2) + "\n", encoding="utf-8")
    read_calibration.cache_clear()
    return path
