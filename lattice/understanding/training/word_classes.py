"""Which words are used alike, from text without labels.

Words are described by what stands before and behind them (positive pointwise mutual information, the strongest
directions of it: Levy, Goldberg and Dagan 2015), and put into some hundred classes, these into some dozens.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UnderstandingError
from ..weights import ExactWeights
from ..words import PLAIN, attributes, tokenize

CONTEXTS = 3000
"""Words that count as context: the most frequent."""
DIRECTIONS = 100
LEAST_COUNT = 5
"""Words seen less often have no class."""
_BEFORE, _BEHIND, _GAP = -2, -3, -9
"""Numbers of a sentence's start, its end, and what parts sentences."""


@dataclass(frozen=True, eq=False)
class LearntClasses:
    """Classes of words."""

    words: tuple[str, ...]
    """The words."""
    fine: npt.NDArray[np.int64]
    """[words] Fine class of each, from 1."""
    coarse: npt.NDArray[np.int64]
    """[fine classes + 1] Coarse class of each fine one, from 1; 0 for no class."""

    def weights(self) -> ExactWeights:
        """Return the fine classes as weights of one column, by hash of the word."""
        keys = attributes(self.words)[:, PLAIN]
        return ExactWeights.gather(keys, np.zeros(len(keys), np.int64), self.fine, 1)


def learn_classes(
    sentences: Iterable[str], *, most_words: int = 10_000, fine: int = 1000, coarse: int = 64, seed: int = 0
) -> LearntClasses:
    """Return classes of the most frequent words of sentences.

    Args:
        sentences: text without labels, the more the better; 100,000 sentences are few.
        most_words: words that get a class.
        fine: number of fine classes, at most 1023.
        coarse: number of coarse classes, at most 255.
        seed: of the search for classes.

    Raises:
        UnderstandingError: too few words are frequent enough.
    """
    from scipy.sparse.linalg import svds
    from sklearn.cluster import KMeans, MiniBatchKMeans

    split = [[token.text for token in tokenize(sentence)] for sentence in sentences]
    counts = Counter(word for words in split for word in words)
    words = [word for word, count in counts.most_common(most_words) if count >= LEAST_COUNT]
    if len(words) < 2 * fine or not fine <= 1023 or not coarse <= min(fine, 255):
        raise UnderstandingError(
            f"{len(words)} words are seen {LEAST_COUNT} times or more; {fine} classes of words need twice as many"
        )
    table = _mutual_information(split, words)
    left, strengths, _ = svds(table, k=min(DIRECTIONS, min(table.shape) - 1), random_state=seed)
    points = left * np.sqrt(strengths)
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-9
    found = MiniBatchKMeans(fine, random_state=seed, n_init=1, batch_size=4096).fit(points)
    above = KMeans(coarse, random_state=seed, n_init=2).fit(found.cluster_centers_)
    return LearntClasses(
        tuple(words), found.labels_.astype(np.int64) + 1, np.concatenate([[0], above.labels_.astype(np.int64) + 1])
    )


def _mutual_information(split: Sequence[Sequence[str]], words: Sequence[str]) -> Any:
    """Return words by neighbours, sparse: two to either side, the nearer twice as heavy."""
    from scipy import sparse

    number = {word: place for place, word in enumerate(words)}
    contexts = min(CONTEXTS, len(words))
    line: list[int] = []
    for sentence in split:
        line += [_BEFORE, *(number.get(word, -1) for word in sentence), _BEHIND, _GAP, _GAP]
    said = np.array(line)
    blocks = []
    for distance, weight in ((1, 1.0), (-1, 1.0), (2, 0.5), (-2, 0.5)):
        near, far = (said[:-distance], said[distance:]) if distance > 0 else (said[-distance:], said[:distance])
        far = np.where(
            far == _BEFORE, contexts, np.where(far == _BEHIND, contexts + 1, np.where(far < contexts, far, -1))
        )
        both = (near >= 0) & (far >= 0)
        shape = (len(words), contexts + 2)
        blocks.append(sparse.coo_matrix((np.full(both.sum(), weight), (near[both], far[both])), shape).tocsr())
    counts = sparse.hstack(blocks).tocoo()
    of_word = np.bincount(counts.row, counts.data, len(words))
    # frequent contexts count a little less than they would
    of_context = np.bincount(counts.col, counts.data, counts.shape[1]) ** 0.75
    information = np.log(counts.data * of_context.sum() / (of_word[counts.row] * of_context[counts.col]))
    kept = information > 0
    return sparse.coo_matrix((information[kept], (counts.row[kept], counts.col[kept])), counts.shape).tocsr()
