"""Letters to phones: a small convolutional network with CTC, learnt from flite's lexicon and rules.

Non-autoregressive: every letter puts out two classes, CTC (Graves et al. 2006) aligns them with the phones, so one
pass over the letters says the whole word. It is trained with the rounding that the exported graph does (Jacob et al.
2018): values between layers as 8 bits of a fixed range, so that a word's phones do not depend on its batch, and
weights as 7 bits, so that sums of products fit into 16 bits on processors without wider ones.
"""

import math
import random
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice, pairwise
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import Tensor, nn
from torch.nn import functional

from ..pronunciation import Pronouncer
from .graph_writing import Graph, info
from .lexicon import PHONE_ID, PHONES, pronounce
from .phrases import calls, generate, label_text
from .synthesize import read_texts

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
"""Letter k is id k + 1; id 0 stands around a word."""
Lexicon: TypeAlias = dict[str, tuple[int, ...]]
_WORDS_PER_CALL = 250
ACTIVATION_STEP = 6 / 255
"""Of values between layers, 0 to 6."""
COMMONEST = 5000
"""Words that are seen more often than others: they are said most, and the least regular."""
WEIGHT_STEPS = 63
"""Largest weight of a row, in its steps."""


@dataclass(frozen=True)
class PronunciationConfig:
    """Shape of the network."""

    dim: int = 90
    """Width of a letter's vector."""
    blocks: int = 5
    """Convolutions over three letters."""
    boundary: int = 2
    """Marks before and after a word: room for the phones of a single letter."""
    slots: int = 2
    """Classes that a letter puts out."""


@dataclass(frozen=True)
class PronunciationTraining:
    """Settings of a run."""

    epochs: int = 14
    """Times that every word is seen."""
    batch_letters: int = 512
    """Letters in a step, about."""
    repeats: int = 4
    """Times that the commonest words are seen while others are seen once."""
    peak_rate: float = 4e-3
    """Highest learning rate; warms up over the first 5 %, then falls as a cosine."""
    weight_decay: float = 0.02
    """Of matrices."""
    seed: int = 1
    """Of weights and order."""


def collect_words(speech: Path, common: int, sentences: int, seed: int) -> tuple[list[str], set[str], set[str]]:
    """Return words to learn from; which of them are names of people; and which are the commonest.

    Args:
        speech: folder with the sentences of ``text/``.
        common: the so many commonest English words (wordfreq).
        sentences: sentences to take from the templates, and as many requests that name people.
        seed: of these.
    """
    from wordfreq import top_n_list

    named = {word for text in islice(calls(seed), sentences) for word in text.split()}
    words = {word for text in (*read_texts(speech), *islice(generate(seed), sentences)) for word in text.split()}
    words |= {word for word in top_n_list("en", common, wordlist="large") if label_text(word) == word}
    found = sorted(word for word in words | named if word.strip("'"))
    commonest = set(top_n_list("en", COMMONEST))
    return found, named.intersection(found) - commonest, commonest.intersection(found)


def _pronounce_together(words: Sequence[str]) -> Lexicon:
    """Pronounce words in one call of flite: an empty line between two keeps each an utterance of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n\n".join(words) + "\n")
        file.flush()
        command = ["flite", "-ps", "-f", file.name, "none"]
        spoken = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout.splitlines()
    if len(spoken) != len(words):
        return {word: pronounce(word) for word in words}
    return {
        word: tuple(PHONE_ID[phone] for phone in line.split() if phone in PHONE_ID)
        for word, line in zip(words, spoken, strict=True)
    }


def read_lexicon(words: Sequence[str], cache: Path, told: Callable[[int], None] = lambda _: None) -> Lexicon:
    """Return flite's pronunciation of every word that has one.

    Args:
        words: lower case.
        cache: TSV of words and phones; read, and added to as words are pronounced, so that a run can be broken off.
        told: called with the number of words that are done.
    """
    lexicon: Lexicon = {}
    if cache.exists():
        text = cache.read_text()
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # broken off within a line
            cache.write_text(whole)
        for line in whole.splitlines():
            word, _, phones = line.partition("\t")
            lexicon[word] = tuple(PHONE_ID[phone] for phone in phones.split())
    missing = [word for word in words if word not in lexicon]
    parts = [missing[k : k + _WORDS_PER_CALL] for k in range(0, len(missing), _WORDS_PER_CALL)]
    done = len(words) - len(missing)
    told(done)
    with ThreadPoolExecutor(2) as pool, cache.open("a") as file:
        for part in pool.map(_pronounce_together, parts):
            lexicon |= part
            file.writelines(f"{word}\t{' '.join(PHONES[i - 1] for i in ids)}\n" for word, ids in part.items())
            file.flush()
            done += len(part)
            told(done)
    return {word: lexicon[word] for word in words if lexicon[word]}


def is_held_out(word: str) -> bool:
    """Tell whether a word is kept out of training: one in twenty, the same ones always."""
    return zlib.crc32(word.encode()) % 20 == 0


def _rounded(values: Tensor, step: Tensor | float) -> Tensor:
    """Round to multiples of ``step``; the gradient passes as if it had not been."""
    return values + (torch.round(values / step) * step - values).detach()


def _steps(weight: Tensor) -> Tensor:
    """Return the step of 7-bit weights of each row [rows, 1]."""
    return weight.detach().abs().amax(1, keepdim=True).clamp(min=1e-6) / WEIGHT_STEPS


class PronunciationNetwork(nn.Module):
    """Letters to the log-odds of blank and phones."""

    def __init__(self, config: PronunciationConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(len(LETTERS) + 1, config.dim)
        self.norms = nn.ModuleList(nn.LayerNorm(config.dim) for _ in range(config.blocks + 1))
        outputs = [config.dim] * config.blocks + [config.slots * (len(PHONES) + 1)]
        self.convolutions = nn.ModuleList(nn.Linear(3 * config.dim, size, bias=False) for size in outputs[:-1])
        self.output = nn.Linear(config.dim, outputs[-1])
        nn.init.normal_(self.embedding.weight, std=0.5)

    def forward(self, letters: Tensor) -> Tensor:
        """Letters [N, L] to logits [N, slots * (L + 2 * boundary), 1 + phones]."""
        padded = functional.pad(letters, (self.config.boundary, self.config.boundary))
        x = self.embedding(padded)
        *norms, last = cast("list[nn.LayerNorm]", list(self.norms))
        for norm, convolution in zip(norms, cast("list[nn.Linear]", list(self.convolutions)), strict=True):
            window = functional.pad(self._activate(norm(x)), (0, 0, 1, 1))
            window = torch.cat((window[:, :-2], window[:, 1:-1], window[:, 2:]), 2)
            x = x + functional.linear(window, _rounded(convolution.weight, _steps(convolution.weight)))
        weight = self.output.weight
        x = functional.linear(self._activate(last(x)), _rounded(weight, _steps(weight)), self.output.bias)
        return x.reshape(len(letters), -1, len(PHONES) + 1)

    def _activate(self, x: Tensor) -> Tensor:
        return _rounded(x.clamp(0.0, 255 * ACTIVATION_STEP), ACTIVATION_STEP)


def encode(word: str) -> list[int]:
    """Return the ids of a word's letters."""
    return [LETTERS.index(letter) + 1 for letter in word]


def batches(words: Sequence[str], letters: int, rng: random.Random) -> list[list[str]]:
    """Return the words in batches of one length each, in random order, of about ``letters`` letters."""
    by_length: dict[int, list[str]] = {}
    for word in rng.sample(words, len(words)):
        by_length.setdefault(len(word), []).append(word)
    parts = [
        group[k : k + size]
        for length, group in by_length.items()
        for size in [max(letters // (length + 2), 1)]
        for k in range(0, len(group), size)
    ]
    rng.shuffle(parts)
    return parts


def train_pronunciation(
    lexicon: Mapping[str, tuple[int, ...]],
    config: PronunciationConfig,
    training: PronunciationTraining,
    told: Callable[[int, int, float], None] = lambda *_: None,
    start: Mapping[str, Tensor] | None = None,
    commonest: Collection[str] = (),
) -> PronunciationNetwork:
    """Train a network on a lexicon.

    Args:
        lexicon: words and their phones; what has more phones than the network puts out is left out.
        config: shape.
        training: settings.
        told: called after every update with its number, the number of all, and the loss per phone.
        start: weights of a network of this shape, to train on.
        commonest: words that are seen more often.
    """
    torch.manual_seed(training.seed)
    rng = random.Random(training.seed)
    fits = {
        word: ids
        for word, ids in lexicon.items()
        if len(ids) + sum(a == b for a, b in pairwise(ids)) <= config.slots * (len(word) + 2 * config.boundary)
    }
    seen = [word for word in fits for _ in range(training.repeats if word in commonest else 1)]
    network = PronunciationNetwork(config)
    if start is not None:
        network.load_state_dict(start)
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=training.peak_rate, betas=(0.9, 0.98), foreach=True,
    )  # fmt: skip
    updates = training.epochs * len(batches(seen, training.batch_letters, rng))
    endless = (part for _ in count() for part in batches(seen, training.batch_letters, rng))
    for update, words in zip(range(1, updates + 1), endless, strict=False):
        rate = min(update / max(0.05 * updates, 1), 0.5 + 0.5 * math.cos(math.pi * update / updates))
        for group in optimizer.param_groups:
            group["lr"] = training.peak_rate * rate
        log_probs = network(torch.tensor([encode(word) for word in words])).log_softmax(2).transpose(0, 1)
        phones = [fits[word] for word in words]
        sizes = torch.tensor([len(ids) for ids in phones])
        times = torch.full((len(words),), len(log_probs))
        targets = torch.tensor([i for ids in phones for i in ids])
        loss = functional.ctc_loss(log_probs, targets, times, sizes, reduction="sum") / len(targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        told(update, updates, loss.item())
    return network.eval()


def graph(network: PronunciationNetwork) -> onnx.ModelProto:
    """Write the network: letters [N, L] int64 -> best [N, T] int64, log_probs [N, T, 1 + phones]."""
    config = network.config
    g = Graph({name: value.detach().numpy() for name, value in network.state_dict().items()})
    step = g.constant("step", np.float32(ACTIVATION_STEP))
    zero = g.constant("zero", np.uint8(0))

    def multiply(x: str, name: str) -> str:
        weight = torch.from_numpy(g.weights[name])
        scale = _steps(weight)
        whole = torch.round(weight / scale).to(torch.int8).numpy()
        product = g.op("Cast", g.op("MatMulInteger", x, g.constant(name, whole.T), zero), to=TensorProto.FLOAT)
        return g.op("Mul", product, g.constant(f"{name}.scale", scale[:, 0].numpy() * np.float32(ACTIVATION_STEP)))

    marks = config.boundary
    x = g.op("Pad", "letters", g.ints(0, marks, 0, marks), g.constant("mark", np.int64(0)))
    table = g.constant("embedding", g.weights["embedding.weight"].astype(np.float16))
    x = g.op("Gather", g.op("Cast", table, to=TensorProto.FLOAT), x, axis=0)
    for k in range(config.blocks):
        window = g.op("QuantizeLinear", g.norm(x, f"norms.{k}"), step, zero)
        window = g.op("Pad", window, g.ints(0, 1, 0, 0, 1, 0), zero)
        window = g.op("Concat", *(g.part(window, i, end) for i, end in enumerate((-2, -1, 2**31))), axis=2)
        x = g.op("Add", x, multiply(window, f"convolutions.{k}.weight"))
    x = multiply(g.op("QuantizeLinear", g.norm(x, f"norms.{config.blocks}"), step, zero), "output.weight")
    x = g.op("Add", x, g.constant("output.bias", g.weights["output.bias"]))
    x = g.op("Reshape", x, g.ints(0, -1, len(PHONES) + 1))
    g.op("ArgMax", x, axis=2, keepdims=0, output="best")
    g.op("LogSoftmax", x, axis=2, output="log_probs")
    return g.model(
        [info("letters", ["N", "L"], TensorProto.INT64)],
        [info("best", ["N", "T"], TensorProto.INT64), info("log_probs", ["N", "T", len(PHONES) + 1])],
        {"model_type": "pronunciation", "letters": LETTERS, "phones": " ".join(("<blk>", *PHONES))},
    )


@dataclass(frozen=True)
class Fit:
    """How well words are pronounced."""

    words: int
    """Words compared."""
    word_errors: float
    """Share of words with any wrong phone."""
    phone_errors: float
    """Edits per phone of the lexicon."""


def measure(pronouncer: Pronouncer, lexicon: Mapping[str, tuple[int, ...]]) -> Fit:
    """Compare an exported model with a lexicon (not empty)."""
    import jiwer

    said = pronouncer(list(lexicon))
    wrong = sum(ids != right for ids, right in zip(said, lexicon.values(), strict=True))
    expected, found = ([" ".join(PHONES[i - 1] for i in ids) for ids in part] for part in (lexicon.values(), said))
    return Fit(len(said), wrong / len(said), float(jiwer.wer(expected, found)))
