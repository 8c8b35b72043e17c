"""Speech as a finished model hears it, for another encoder to follow: no text is needed.

A teacher's word is kept once: what it gives to the joiner, its phones, and the tokens before each frame that its own
greedy search puts out. A student is taught to give the same (Hinton et al. 2015, "Distilling the knowledge in a neural
network", arXiv 1503.02531): the same vectors for the joiner, and so the same odds of tokens and phones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..audio import read_audio
from ..features import NUM_BINS
from .dataset import WEIGHTS, shares
from .model import Encoding, TransducerModel
from .prepare import Recording, trim
from .speaker_data import features_of

FRAMES = 512
"""Feature frames of a window."""
DISTORTED = 0.6
"""Share of the recordings that are distorted."""
QUIETEST = -24.0
"""Decibels of the quietest recording below full scale."""
HELD = 20
"""One recording in so many is never trained on, by a hash of its name."""
_AT_ONCE = 8
_FIELDS = ("features", "first", "out", "phones", "contexts")


@dataclass(frozen=True)
class Windows:
    """Stretches of speech of one length, and what the teacher makes of each."""

    features: Tensor
    """[N, T, 80] float16, T as ``ModelConfig.padded_frames`` has it."""
    first: Tensor
    """[N] Position of the first encoder frame."""
    out: Tensor
    """[N, T', joiner_dim] float16, what the joiner gets, a frame per 80 ms."""
    phones: Tensor
    """[N, 2 T', phones] float16, log-probabilities."""
    contexts: Tensor
    """[N, T', context_size] int16, tokens before each frame; negative: none."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.first)

    def at(self, rows: Tensor | slice) -> "Windows":
        """Return some of them."""
        return Windows(*(getattr(self, name)[rows] for name in _FIELDS))

    def save(self, path: Path) -> None:
        """Write them; the file appears only when it is whole."""
        partial = path.with_suffix(".part")
        torch.save({name: getattr(self, name) for name in _FIELDS}, partial)
        partial.replace(path)

    @staticmethod
    def load(path: Path) -> "Windows":
        """Read what ``save`` wrote, page by page as it is needed."""
        return Windows(**torch.load(path, weights_only=True, mmap=True))


def is_held(recording: Recording) -> bool:
    """Return whether a recording is one of those that are never trained on."""
    return crc32(recording.path.name.encode()) % HELD == 0


def recordings_by_share(
    sets: Mapping[str, Sequence[Recording]], rng: np.random.Generator, weights: Mapping[str, float] = WEIGHTS
) -> Iterator[Recording]:
    """Yield recordings without end: sets by their shares of the recipe, those of a set in turns of chance."""
    known = {name: list(items) for name, items in sets.items() if items}
    by_set = shares({name: len(items) for name, items in known.items()}, weights)
    names, odds = list(by_set), list(by_set.values())
    turns: dict[str, list[Recording]] = {name: [] for name in names}
    while True:
        name = names[int(rng.choice(len(names), p=odds))]
        if not turns[name]:
            turns[name] = [known[name][k] for k in rng.permutation(len(known[name]))]
        yield turns[name].pop()


def windows_of(
    recordings: Iterator[Recording],
    noise: Tensor,
    teacher: TransducerModel,
    count: int,
    rng: np.random.Generator,
    progress: Callable[[int], None] = lambda _: None,
) -> Windows:
    """Return ``count`` windows of recordings, one after the other, some distorted, and what the teacher makes of them.

    Args:
        recordings: without end.
        noise: [frames, 80] Features of sounds without words.
        teacher: ready to run.
        count: how many.
        rng: of levels, silences, distortions and positions.
        progress: is told how many there are.
    """
    length = teacher.config.padded_frames(FRAMES)
    rest = np.zeros((0, NUM_BINS), np.float32)
    parts: list[Windows] = []
    done = 0
    while done < count:
        wanted = min(_AT_ONCE, count - done)
        while len(rest) < wanted * length:
            samples = trim(read_audio(next(recordings).path))
            rest = np.concatenate([rest, features_of(samples, noise, rng, QUIETEST, DISTORTED)])
        features = torch.from_numpy(rest[: wanted * length].reshape(wanted, length, NUM_BINS)).half()
        rest = rest[wanted * length :]
        first = torch.from_numpy(rng.integers(0, teacher.config.positions, wanted))
        parts.append(heard(teacher, features, first))
        done += wanted
        progress(done)
    return Windows(*(torch.cat([getattr(part, name) for part in parts]) for name in _FIELDS))


@torch.inference_mode()
def heard(teacher: TransducerModel, features: Tensor, first: Tensor) -> Windows:
    """Return what the teacher makes of features [N, T, 80] from positions ``first`` [N] on."""
    encoding = teacher.encoder(features.float(), first)
    log_probs = functional.log_softmax(encoding.phones, -1)
    contexts = greedy_contexts(teacher, encoding.out)
    return Windows(features, first, encoding.out.half(), log_probs.half(), contexts.short())


@torch.inference_mode()
def greedy_contexts(model: TransducerModel, out: Tensor) -> Tensor:
    """Return the tokens before each frame [N, T, context_size] on the path of greedy search, one a frame at most.

    ``out`` [N, T, joiner_dim] is what the joiner gets.
    """
    size = model.config.context_size
    context = torch.full((len(out), size), -1)
    context[:, -1] = 0
    contexts = []
    for frame in out.unbind(1):
        contexts.append(context)
        best = model.joiner(frame, model.predictor(context)).argmax(-1)
        context = torch.where((best > 0)[:, None], torch.cat([context[:, 1:], best[:, None]], 1), context)
    return torch.stack(contexts, 1)


class Apart(NamedTuple):
    """How far a student is from its teacher, each on average over frames."""

    vectors: Tensor
    """1 - cosine of what the joiner gets, and a tenth of smooth L1."""
    tokens: Tensor
    """Kullback-Leibler divergence of the joiner's odds from the teacher's, at the teacher's contexts."""
    phones: Tensor
    """The same of the phones."""

    def total(self) -> Tensor:
        """Return what is minimised."""
        return self.vectors + self.tokens + 0.5 * self.phones

    def values(self) -> dict[str, float]:
        """Return plain numbers."""
        return {name: round(float(value.detach()), 5) for name, value in zip(self._fields, self, strict=True)}


def apart(encoding: Encoding, windows: Windows, teacher: TransducerModel) -> Apart:
    """Return how far what a student makes of ``windows`` is from what the teacher has made of them.

    The student is read by the teacher's own predictor and joiner, whose vectors must be as wide.
    """
    other = windows.out.float()
    cosine = functional.cosine_similarity(encoding.out, other, dim=-1)
    vectors = (1 - cosine).mean() + 0.1 * functional.smooth_l1_loss(encoding.out, other)
    with torch.no_grad():
        predicted = teacher.predictor(windows.contexts.long())
        wanted = functional.log_softmax(teacher.joiner(other, predicted), -1)
    said = functional.log_softmax(teacher.joiner(encoding.out, predicted), -1)
    phones = functional.log_softmax(encoding.phones, -1)
    return Apart(vectors, divergence(said, wanted), divergence(phones, windows.phones.float()))


def divergence(said: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence of log-probabilities [..., classes] from those that are wanted."""
    return (wanted.exp() * (wanted - said)).sum(-1).mean()


@torch.inference_mode()
def apart_on(encode: Callable[[Tensor, Tensor], Encoding], windows: Windows, teacher: TransducerModel) -> Apart:
    """Return how far ``encode`` (features, first) is from the teacher on all of ``windows``."""
    sums, weights = [0.0] * len(Apart._fields), 0
    for begin in range(0, len(windows), _AT_ONCE):
        some = windows.at(slice(begin, begin + _AT_ONCE))
        found = apart(encode(some.features.float(), some.first), some, teacher)
        sums = [a + len(some) * float(b) for a, b in zip(sums, found, strict=True)]
        weights += len(some)
    return Apart(*(torch.tensor(value / weights) for value in sums))
