"""A small causal transformer over word pieces, for rescoring: its network, its text, its training.

Pre-norm blocks after GPT-2 (Radford et al. 2019) with the embedding shared between input and output. It is trained
for minutes on one core, that of a speech model's folder for an hour: sentences are whole and short, and what the files
say little about comes from templates.
"""

import io
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..pieces import open_pieces
from .phrases import generate
from .train import fast_products

UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
"""SentencePiece's own numbers."""
Encode: TypeAlias = Callable[[str], list[int]]
POOL = 4000
"""Sentences that are sorted by length at a time."""


@dataclass(frozen=True)
class LanguageModelConfig:
    """Shape of the network."""

    vocab_size: int = 1500
    """Word pieces, with the ones for unknown, begin and end."""
    dim: int = 160
    """Width of a token's vector."""
    blocks: int = 4
    """Attention and feed-forward layers."""
    heads: int = 4
    """Attention heads; they share the width."""
    max_positions: int = 128
    """Longest sentence in pieces, begin and end included; what is longer is cut off in training."""
    dropout: float = 0.1
    """Share of values left out in training."""
    begin: int = BEGIN_ID
    """Token before the first."""
    end: int = END_ID
    """Token behind the last."""

    def to_dict(self) -> dict[str, int | float]:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class LanguageModelTraining:
    """Settings of a run."""

    updates: int = 2500
    """Steps of the optimiser; a step takes about 0.15 s on a core."""
    batch_tokens: int = 1024
    """Pieces in a step at most, padding included."""
    generated: float = 0.3
    """Share of sentences from the templates, new ones all the time."""
    peak_rate: float = 3e-3
    """Highest learning rate; warms up over the first 5 %, then falls as a cosine."""
    weight_decay: float = 0.1
    """Of matrices."""
    held_out: int = 1000
    """Distinct sentences of the text that are kept out of training, to measure the fit on."""
    save_every: int = 500
    """Updates between checkpoints, where there is a file for them."""
    seed: int = 1
    """Of weights, order and templates."""


class Block(nn.Module):
    """Attention to what came before, then a feed-forward layer."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.norm = nn.LayerNorm(config.dim)
        self.query_key_value = nn.Linear(config.dim, 3 * config.dim)
        self.project = nn.Linear(config.dim, config.dim)
        self.feed_norm = nn.LayerNorm(config.dim)
        self.expand = nn.Linear(config.dim, 4 * config.dim)
        self.contract = nn.Linear(4 * config.dim, config.dim)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors [N, T, dim] to the same."""
        parts = self.query_key_value(self.norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        x = x + self._drop(self.project(seen.transpose(1, 2).flatten(2)))
        return x + self._drop(self.contract(functional.silu(self.expand(self.feed_norm(x)))))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, self.training)


class CausalLanguageModel(nn.Module):
    """Tokens to the log-odds of the next one."""

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Embedding(config.max_positions, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.dim)
        for table in (self.embedding, self.position):
            nn.init.normal_(table.weight, std=0.02)
        for block in cast("list[Block]", list(self.blocks)):
            for layer in (block.project, block.contract):
                nn.init.normal_(layer.weight, std=0.02 / math.sqrt(2 * config.blocks))

    def forward(self, ids: Tensor) -> Tensor:
        """Tokens [N, T] to logits [N, T, vocab_size]."""
        x = self.embedding(ids) + self.position.weight[: ids.shape[1]]
        x = functional.dropout(x, self.config.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return functional.linear(self.norm(x), self.embedding.weight)

    def parameter_count(self) -> int:
        """Return the number of trained values."""
        return sum(p.numel() for p in self.parameters())


def train_tokenizer(texts: Sequence[str], vocab_size: int, path: Path) -> Encode:
    """Write a SentencePiece unigram model to ``path`` and return what splits text by it.

    Raises:
        ValueError: the text has not as many pieces.
    """
    import sentencepiece

    trained = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=trained, vocab_size=vocab_size, model_type="unigram",
            character_coverage=1.0, unk_id=UNKNOWN_ID, bos_id=BEGIN_ID, eos_id=END_ID, minloglevel=2,
            normalization_rule_name="identity",
        )  # fmt: skip
    except RuntimeError as error:
        raise ValueError(f"vocab_size is {vocab_size}; the text is too little for it ({error})") from error
    path.write_bytes(trained.getvalue())
    processor = open_pieces(path)
    return lambda text: cast("list[int]", processor.encode(text))


def batches(
    texts: Sequence[str], encode: Encode, config: LanguageModelConfig, training: LanguageModelTraining
) -> Iterator[Tensor]:
    """Yield batches of sentences of like length [N, T] without end, padded with the token of the end."""
    rng = random.Random(training.seed)
    drawn = _drawn(texts, training.generated, rng, generate(training.seed))
    while True:
        pool = sorted(map(encode, islice(drawn, POOL)), key=len)
        packed: list[list[list[int]]] = [[]]
        for ids in pool:
            row = [config.begin, *ids, config.end][: config.max_positions]
            if packed[-1] and (len(packed[-1]) + 1) * len(row) > training.batch_tokens:
                packed.append([])
            packed[-1].append(row)
        rng.shuffle(packed)
        for rows in packed:
            yield _padded(rows, config.end)


def _drawn(texts: Sequence[str], generated: float, rng: random.Random, templates: Iterator[str]) -> Iterator[str]:
    """Yield the texts, each as often as all others, and templates between them."""
    while True:
        for text in rng.sample(texts, len(texts)) if texts else [next(templates)]:
            while rng.random() < generated:
                yield next(templates)
            yield text


def _padded(rows: Sequence[list[int]], end: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [end] * (longest - len(row)) for row in rows])


def sentence_log_probs(model: CausalLanguageModel, ids: Tensor) -> Tensor:
    """Return the log-probability of each sentence [N] of padded ``ids`` [N, T], its end included."""
    logits = model(ids[:, :-1]).float()
    losses = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    # of the ends only the first counts
    real = functional.pad(ids[:, 1:-1] != model.config.end, (1, 0), value=True)
    return -(losses * real).sum(1)


def perplexity(model: CausalLanguageModel, texts: Sequence[str], encode: Encode) -> float:
    """Return the perplexity per word and sentence end: comparable between models with other pieces."""
    model.eval()
    total, words = 0.0, 0
    ordered, config = sorted(texts, key=len), model.config
    with torch.no_grad():
        for first in range(0, len(ordered), 50):
            part = ordered[first : first + 50]
            rows = [[config.begin, *encode(text), config.end][: config.max_positions] for text in part]
            total += float(sentence_log_probs(model, _padded(rows, config.end)).sum())
            words += sum(len(text.split()) + 1 for text in part)
    return math.exp(-total / words)


def split(texts: Sequence[str], held_out: int, seed: int) -> tuple[list[str], list[str]]:
    """Return the text without ``held_out`` distinct sentences, wherever they stand in it, and those."""
    distinct = sorted(set(texts))
    kept_out = set(random.Random(seed).sample(distinct, min(held_out, len(distinct) // 10)))
    return [text for text in texts if text not in kept_out], sorted(kept_out)


def train_language_model(
    texts: Sequence[str],
    encode: Encode,
    config: LanguageModelConfig,
    training: LanguageModelTraining,
    told: Callable[[int, float, float], None] = lambda *_: None,
    *,
    checkpoint: Path | None = None,
    step: Callable[[int], None] = lambda _: None,
) -> CausalLanguageModel:
    """Train a model on ``texts`` (sentences; may repeat) and templates.

    Args:
        texts: lower case, without digits.
        encode: splits them.
        config: shape.
        training: settings.
        told: called now and then with update, loss per piece and perplexity per word on held-out sentences.
        checkpoint: file from which a run that was interrupted goes on; of other settings it is not read.
        step: called after each update.
    """
    torch.manual_seed(training.seed)
    kept, held_out = split(texts, training.held_out, training.seed)
    model = CausalLanguageModel(config)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": training.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=training.peak_rate, betas=(0.9, 0.98), foreach=True,
    )  # fmt: skip
    loss_sum, done = 0.0, 0
    settings = {**config.to_dict(), **asdict(training), "sentences": len(kept)}
    if checkpoint is not None and checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["settings"] == settings:
            model.load_state_dict(saved["model"])
            optimizer.load_state_dict(saved["optimizer"])
            done, loss_sum = saved["update"], saved["loss"]
    report_every = max(training.updates // 5, 1)
    numbered = zip(range(1, training.updates + 1), batches(kept, encode, config, training), strict=False)
    for update, ids in islice(numbered, done, None):
        rate = min(update / max(0.05 * training.updates, 1), 0.5 + 0.5 * math.cos(math.pi * update / training.updates))
        for group in optimizer.param_groups:
            group["lr"] = training.peak_rate * rate
        model.train()
        pieces = int((ids[:, 1:] != config.end).sum()) + len(ids)
        with fast_products(True, torch.device("cpu")):
            loss = -sentence_log_probs(model, ids).sum() / pieces
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss_sum += loss.item()
        step(update)
        if checkpoint is not None and (update % training.save_every == 0 or update == training.updates):
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "update": update, "loss": loss_sum, "settings": settings}, checkpoint)
        if update % report_every == 0 or update == training.updates:
            told(update, loss_sum / report_every, perplexity(model, held_out, encode) if held_out else math.nan)
            loss_sum = 0.0
    return model.eval()
