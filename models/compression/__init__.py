"""Models in little memory: perfect hashing without stored names, weights of few bits, files that are mapped.

Numpy alone. The method is that of Strimel et al. 2018, "Statistical model compression for small-footprint natural
language understanding": a minimal perfect hash says where the weights of a feature lie, so that no name is stored;
weights are rounded to 256 levels, and what rounds to zero is gone.
"""

from .errors import CompressionError
from .fingerprints import FingerprintHash
from .packed import PackedInts
from .perfect_hash import PerfectHash
from .sections import Sections, read_sections, write_sections
from .sparse_rows import Rows, SparseRows

__all__ = [
    "CompressionError",
    "FingerprintHash",
    "PackedInts",
    "PerfectHash",
    "Rows",
    "Sections",
    "SparseRows",
    "read_sections",
    "write_sections",
]
