"""Trials of a speaker vector in training: what it makes of speakers it has not heard, and the threshold."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .equal_error import Floats, equal_error_rate
from .speaker import SpeakerHead

ENROLLED = 3
"""Pieces of a speaker that are enrolled in a trial."""
FALSE_ACCEPTS = 0.01
"""Share of other speakers that the threshold lets pass."""


def trials(vectors: Mapping[str, Tensor], enrolled: int = ENROLLED) -> tuple[Floats, Floats]:
    """Return the cosines of later pieces to the mean of the first ones, of the same speaker and of others."""
    names = [name for name, rows in vectors.items() if len(rows) > enrolled]
    unit = {name: functional.normalize(vectors[name]) for name in names}
    centroids = torch.stack([functional.normalize(unit[name][:enrolled].mean(0), dim=0) for name in names])
    same: list[Tensor] = []
    different: list[Tensor] = []
    for place, name in enumerate(names):
        scores = unit[name][enrolled:] @ centroids.T
        same.append(scores[:, place])
        different.append(torch.cat([scores[:, :place], scores[:, place + 1 :]], 1).flatten())
    return torch.cat(same).double().numpy(), torch.cat(different).double().numpy()


def centre_and_threshold(head: SpeakerHead, vectors: Mapping[str, Tensor]) -> tuple[float, str]:
    """Move a head's vectors so that those of speakers kept for validation lie around 0; return threshold and report."""
    before = equal_error_rate(*trials(vectors))
    mean = torch.stack([rows.mean(0) for rows in vectors.values()]).mean(0)
    centred = {name: rows - mean for name, rows in vectors.items()}
    with torch.no_grad():
        head.vector.bias.sub_(mean)
    same, different = trials(centred)
    threshold = float(np.quantile(different, 1 - FALSE_ACCEPTS))
    told = (
        f"{len(vectors)} speakers kept for validation: equal error rate {100 * equal_error_rate(same, different):.1f} %"
        f" ({100 * before:.1f} % before vectors were centred); threshold {threshold:.3f}: {100 * FALSE_ACCEPTS:g} % of"
        f" others taken, {100 * float(np.mean(same < threshold)):.1f} % refused"
    )
    return threshold, told
