from .alignment import Alignment as Alignment, align as align
from .calibration import Calibration as Calibration
from .confusion import (
    Choice as Choice,
    ConfusionNetwork as ConfusionNetwork,
    Slot as Slot,
    confusion_network as confusion_network,
)
from .determinize import DeterminizeSettings as DeterminizeSettings, determinize as determinize
from .errors import LatticeError as LatticeError
from .formats import (
    DEFAULT_LIMITS as DEFAULT_LIMITS,
    FORMATS as FORMATS,
    Format as Format,
    Limits as Limits,
    decode as decode,
    encode as encode,
    read_lattice as read_lattice,
    write_lattice as write_lattice,
)
from .insertion import AlignedPath as AlignedPath, Insertion as Insertion, insert as insert, path_alone as path_alone
from .lattice import ACOUSTIC as ACOUSTIC, BIAS as BIAS, LANGUAGE as LANGUAGE, Lattice as Lattice
from .minimize import minimize as minimize
from .nbest import Path as Path, n_best as n_best
from .oracle import OracleResult as OracleResult, oracle as oracle
from .posterior import posteriors as posteriors, total as total, word_confidences as word_confidences
from .prune import (
    best_only as best_only,
    limit_arcs as limit_arcs,
    limit_depth as limit_depth,
    prune as prune,
    subset as subset,
    to_budget as to_budget,
    trim as trim,
)
from .token_lattice import TokenArc as TokenArc, TokenLattice as TokenLattice
