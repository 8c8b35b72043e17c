"""A perfect hash that tells most of what is no key: a few bits of each key are kept.

Of what is no key, one in 2 to the width is taken for a key.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import CompressionError
from .mixing import Keys, mixed
from .packed import PackedInts
from .perfect_hash import PerfectHash
from .sections import Sections

_SALT = 0


@dataclass(frozen=True, eq=False)
class FingerprintHash:
    """Numbers for keys, and -1 for nearly everything else."""

    hash: PerfectHash
    """Which number a key has."""
    fingerprints: PackedInts
    """Bits of the key with each number."""

    def __post_init__(self) -> None:
        if self.fingerprints.count != self.hash.count:
            raise CompressionError(f"{self.fingerprints.count} fingerprints for {self.hash.count} keys")

    @classmethod
    def build(cls, keys: Keys, width: int) -> "FingerprintHash":
        """Return the hash of keys, [n] uint64, each once, with fingerprints of ``width`` bits (0 to 24).

        Raises:
            CompressionError: as ``PerfectHash.build``.
        """
        found = PerfectHash.build(keys)
        fingerprints = np.zeros(len(keys), np.int64)
        fingerprints[found.numbers(keys)] = _fingerprints(keys, width)
        return cls(found, PackedInts.pack(fingerprints, width))

    @property
    def count(self) -> int:
        """Keys that it was built of."""
        return self.hash.count

    def numbers(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Return the number of each key, [n]; -1 for what is none, but for one in 2 ** width."""
        numbers = np.full(len(keys), -1, np.int64)
        place, found = self.known(keys)
        numbers[place] = found
        return numbers

    def known(self, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the places of those that are keys, and of one in 2 ** width of the others, and their numbers."""
        if not self.count:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        bit = self.hash.places(keys)
        numbers = self.hash.ranks_of(bit)
        right = self.fingerprints.take(numbers) == _fingerprints(keys, self.fingerprints.width)
        right &= bit >= 0
        place = right.nonzero()[0]
        return place, numbers.take(place)

    def sections(self, prefix: str) -> Sections:
        """Return the parts under names that begin with ``prefix``."""
        values = {"sizes": list(self.hash.sizes), "seed": self.hash.seed, "width": self.fingerprints.width}
        arrays: dict[str, npt.NDArray[Any]] = {
            "bits": self.hash.bits,
            "ranks": self.hash.ranks,
            "prints": self.fingerprints.data,
        }
        return Sections({prefix: values}, {f"{prefix}.{name}": array for name, array in arrays.items()})

    @classmethod
    def from_sections(cls, stored: Sections, prefix: str) -> "FingerprintHash":
        """Return what ``sections`` was called on.

        Raises:
            CompressionError: parts are missing or do not fit together.
        """
        values = stored.values_of(prefix)
        found = PerfectHash(
            stored.array(f"{prefix}.bits"),
            stored.array(f"{prefix}.ranks"),
            values.whole_numbers("sizes"),
            values.whole_number("seed"),
        )
        prints = PackedInts(stored.array(f"{prefix}.prints"), values.whole_number("width"), found.count)
        return cls(found, prints)


def _fingerprints(keys: Keys, width: int) -> npt.NDArray[np.int64]:
    if not width:
        return np.zeros(len(keys), np.int64)
    bits: npt.NDArray[np.int64] = (mixed(keys, _SALT) >> np.uint64(64 - width)).view(np.int64)
    return bits
