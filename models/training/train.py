"""Training: a curriculum from clean and short to hard and long, resumable at any moment.

Small data and random weights sit for a long time on the plateau where only the language model is learnt, so
stage one is short, clean utterances in small batches with the CTC helpers leading.
"""

import json
import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from .augment import AugmentConfig
from .dataset import WEIGHTS, Batch, Batches, Corpus
from .decode import DevSet, word_error_rate
from .loss import NEGATIVE, transducer_loss
from .model import ModelConfig, TransducerModel

AUGMENTATION = AugmentConfig()


@dataclass(frozen=True)
class Stage:
    """One part of the curriculum; it ends at update ``until``."""

    until: int
    batch_frames: int
    """Feature frames per batch (100 per second)."""
    max_frames: int
    """Longest utterance taken, in feature frames."""
    strength: float
    """Augmentation, 0 to 1."""
    transducer: float
    """Weight of the transducer loss; the phone CTC's weight is ``phone``, the token CTC's is ``token``."""
    phone: float
    token: float
    delay_penalty: float = 0.0
    consistency: float = 0.0
    """Weight of what two views of a recording differ in; above 0 a batch holds two of each."""


CURRICULUM = (
    Stage(500, 3000, 300, 0.0, 0.0, 1.0, 0.3),
    Stage(1500, 3500, 400, 0.15, 0.5, 1.0, 0.3),
    Stage(3500, 5000, 700, 0.4, 1.0, 0.5, 0.2),
    Stage(8000, 3500, 700, 0.5, 1.0, 0.5, 0.15),
    Stage(14000, 3500, 1000, 0.8, 1.0, 0.5, 0.1, 0.004),
    Stage(10**9, 3500, 1000, 1.0, 1.0, 0.5, 0.1, 0.004, 0.2),
)


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run; everything that is not the network's shape."""

    updates: int = 52_000
    """Length of the learning-rate schedule, to its first low."""
    restart: int = 0
    """Updates after that, in which the rate goes up once more, and down."""
    peak_rate: float = 2e-3
    restart_rate: float = 0.4
    """Where it goes to then, relative to the peak."""
    warmup: int = 300
    final_rate: float = 0.01
    """Learning rate at the end, relative to the peak (cosine)."""
    weight_decay: float = 0.02
    average: float = 0.999
    """Decay of the running average of the weights that is evaluated and exported."""
    save_every: float = 180.0
    """Seconds between checkpoints."""
    evaluate_every: int = 2000
    """Updates between evaluations on the dev sets."""
    threads: int = 2
    bfloat16: bool = True
    """Round the factors of matrix products to bfloat16 (sums stay float32) where the processor has instructions for
    that: twice as fast."""
    seed: int = 1


def learning_rate(config: TrainConfig, update: int) -> float:
    """Linear warm-up, then a cosine down to ``final_rate``; both again in a restart (Loshchilov and Hutter 2017)."""
    length, peak = config.updates, config.peak_rate
    if update >= length and config.restart:
        update, length, peak = update - length, config.restart, peak * config.restart_rate
    if update < config.warmup:
        return peak * (update + 1) / config.warmup
    progress = min(1.0, (update - config.warmup) / max(1, length - config.warmup))
    lowest = config.final_rate * config.peak_rate
    return lowest + (peak - lowest) * 0.5 * (1 + math.cos(math.pi * progress))


def contexts(tokens: Tensor, size: int) -> Tensor:
    """Return the predictor's context before each label and after the last: [N, U] -> [N, U + 1, size]."""
    start = torch.full((tokens.shape[0], size), -1, dtype=tokens.dtype)
    start[:, -1] = 0
    return torch.cat([start, tokens], dim=1).unfold(1, size, 1)


def disagreement(log_probs: Tensor, frames: Tensor) -> Tensor:
    """Return how far the CTC outputs [2 N, T, classes] of two views are apart.

    CR-CTC, Yao et al. 2024 (arXiv 2410.05101): each one's Kullback-Leibler divergence from the other, which is
    taken as given, summed over ``frames`` [2 N].
    """
    first, second = log_probs.chunk(2)
    other = torch.cat([second, first]).detach()
    per_frame = (other.exp() * (other - log_probs)).sum(-1)
    return (per_frame * (torch.arange(log_probs.shape[1]) < frames[:, None])).sum()


def phone_loss(logits: Tensor, batch: Batch, consistency: float) -> Tensor:
    """Return the CTC loss per phone of ``logits`` [N, T, phones], with what two views differ in, so weighted."""
    log_probs, frames = functional.log_softmax(logits, -1), 2 * batch.frames
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1), batch.phones, frames, batch.phone_lengths, reduction="sum", zero_infinity=True
    )
    if consistency:
        loss = loss + consistency * disagreement(log_probs, frames)
    return loss / batch.phone_lengths.sum().clamp(min=1)


def arc_scores(model: TransducerModel, encoded: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what ``transducer_loss`` takes, of ``encoded`` [N, T, dim]: [N, T, U + 1] and [N, T, U].

    With a token per frame at most, no path has more tokens behind it than frames, or more ahead than frames are left.
    The joiner runs where paths can be, which is a third of all; elsewhere is ``NEGATIVE``.
    """
    predicted = model.predictor(contexts(batch.tokens, model.config.context_size))
    frame = torch.arange(encoded.shape[1])[None, :, None]
    label = torch.arange(predicted.shape[1])[None, None, :]
    frames_left, labels_left = batch.frames[:, None, None] - frame, batch.token_lengths[:, None, None] - label
    reached = (label <= frame) & (labels_left >= 0) & (frames_left > 0) & (labels_left <= frames_left)
    row, at, behind = reached.nonzero(as_tuple=True)
    # as few sizes as may be, for each of which oneDNN makes itself a program
    fill = (0, -len(row) % 512)
    # an embedding's backward pass is faster than an index's
    joined = model.joiner(
        functional.embedding(functional.pad(row * encoded.shape[1] + at, fill), encoded.flatten(0, 1)),
        functional.embedding(functional.pad(row * predicted.shape[1] + behind, fill), predicted.flatten(0, 1)),
    )
    log_probs = functional.log_softmax(joined, -1)[: len(row)]
    next_token = functional.pad(batch.tokens, (0, 1))[row, behind]
    nowhere = torch.full(reached.shape, NEGATIVE)
    log_token = nowhere.masked_scatter(reached, log_probs.gather(1, next_token[:, None]))
    return nowhere.masked_scatter(reached, log_probs[:, 0]), log_token[:, :, :-1]


def losses(model: TransducerModel, batch: Batch, stage: Stage) -> tuple[Tensor, Tensor, Tensor]:
    """Return transducer, phone CTC and token CTC losses, each per label; CTC with what two views differ in."""
    state = model.encoder.initial_state(len(batch.features))
    encoding = model.encoder(batch.features, state)
    encoded = encoding.out
    labels = batch.token_lengths.sum().clamp(min=1)
    token_log_probs = functional.log_softmax(model.token_head(functional.silu(encoded)), -1)
    phone = 0.5 * (
        phone_loss(encoding.phones, batch, stage.consistency)
        + phone_loss(encoding.early_phones, batch, stage.consistency)
    )
    token = (
        functional.ctc_loss(
            token_log_probs.transpose(0, 1),
            batch.tokens,
            batch.frames,
            batch.token_lengths,
            reduction="sum",
            zero_infinity=True,
        )
        / labels
    )
    if stage.consistency:
        token = token + stage.consistency * disagreement(token_log_probs, batch.frames) / labels
    if stage.transducer == 0:
        return torch.zeros(()), phone, token
    log_blank, log_token = arc_scores(model, encoded, batch)
    value = transducer_loss(log_blank, log_token, batch.frames, batch.token_lengths, stage.delay_penalty)
    return value.sum() / labels, phone, token


@contextmanager
def fast_products(wanted: bool) -> Iterator[None]:
    """Have float32 matrix products take factors rounded to bfloat16, if ``wanted`` and the processor is made for it."""
    products = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = products.fp32_precision
    if wanted and torch.cpu.get_capabilities().get("avx512_bf16"):
        products.fp32_precision = "bf16"
    try:
        yield
    finally:
        products.fp32_precision = before


class Run:
    """A training run in a folder: its weights, optimiser, running average and log."""

    def __init__(self, folder: Path, model: ModelConfig, config: TrainConfig) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.folder, self.config = folder, config
        self.model = TransducerModel(model)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=config.peak_rate,
            betas=(0.9, 0.98),
            eps=1e-8,
            fused=True,
        )
        self.update = 0
        self.seconds = 0.0
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume(torch.load(self.checkpoint, weights_only=True))

    def resume(self, saved: dict[str, object]) -> None:
        """Take up a saved run where it stopped."""
        self.model.load_state_dict(saved["model"])  # type: ignore[arg-type]
        self.average = saved["average"]  # type: ignore[assignment]
        self.optimizer.load_state_dict(saved["optimizer"])  # type: ignore[arg-type]
        self.update, self.seconds = int(saved["update"]), float(saved["seconds"])  # type: ignore[call-overload, arg-type]

    def save(self) -> None:
        """Write the checkpoint; a run cut off while writing keeps the one before."""
        partial = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
                "update": self.update,
                "seconds": self.seconds,
                "config": self.model.config.to_dict(),
            },
            partial,
        )
        partial.replace(self.checkpoint)

    def step(self, batch: Batch, stage: Stage) -> tuple[float, float, float, float]:
        """Do one update; returns the three losses and the gradient's norm."""
        rate = learning_rate(self.config, self.update)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        with fast_products(self.config.bfloat16):
            transducer, phone, token = losses(self.model, batch, stage)
            loss = stage.transducer * transducer + stage.phone * phone + stage.token * token
            loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 3.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.update += 1
        decay = min(self.config.average, self.update / (self.update + 20))
        values = list(self.model.state_dict().values())
        torch._foreach_lerp_(list(self.average.values()), values, 1 - decay)
        return transducer.item(), phone.item(), token.item(), norm.item()


def evaluate(run: Run, dev_sets: Sequence[DevSet], bpe_model: Path) -> dict[str, float]:
    """Return the averaged weights' word error rate on each dev set."""
    averaged = TransducerModel(run.model.config)
    averaged.load_state_dict(run.average)
    averaged.eval()
    return {dev.name: round(word_error_rate(averaged, dev, bpe_model)[0], 4) for dev in dev_sets}


def train(
    corpus: Corpus,
    run: Run,
    dev_sets: Sequence[DevSet] = (),
    curriculum: tuple[Stage, ...] = CURRICULUM,
    *,
    weights: Mapping[str, float] = WEIGHTS,
    augmentation: AugmentConfig = AUGMENTATION,
) -> None:
    """Train until the schedule's end; interrupting saves.

    ``weights`` are the sets' shares of the frames (see `dataset.shares`); ``augmentation``'s strength is the stage's,
    times its own.
    """
    torch.set_num_threads(run.config.threads)
    # a job that is told to go, not only one that is interrupted at the keyboard, saves before it does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run.model.train()
    last_save = last_log = time.monotonic()
    audio, sums, count = 0.0, [0.0] * 4, 0
    log = (run.folder / "log.jsonl").open("a")
    try:
        end = run.config.updates + run.config.restart
        while run.update < end:
            stage = next(stage for stage in curriculum if run.update < stage.until)
            batches = Batches(
                corpus,
                run.model.config,
                batch_frames=stage.batch_frames,
                max_frames=stage.max_frames,
                augmentation=replace(augmentation, strength=stage.strength * augmentation.strength),
                weights=weights,
                seed=run.config.seed + run.update,
                views=2 if stage.consistency else 1,
            )
            for batch in batches:
                values = run.step(batch, stage)
                sums = [a + b for a, b in zip(sums, values, strict=True)]
                count += 1
                audio += float(batch.frames.sum()) * 0.08
                now = time.monotonic()
                if count == 50:
                    run.seconds += now - last_log
                    line = {
                        "update": run.update,
                        "minutes": round(run.seconds / 60, 2),
                        "speed": round(audio / (now - last_log), 1),
                        "rate": round(learning_rate(run.config, run.update), 6),
                        **dict(
                            zip(
                                ("transducer", "phone", "token", "norm"),
                                (round(v / count, 4) for v in sums),
                                strict=True,
                            )
                        ),
                    }
                    print(line, flush=True)
                    log.write(json.dumps(line) + "\n")
                    log.flush()
                    audio, sums, count, last_log = 0.0, [0.0] * 4, 0, now
                if dev_sets and run.update % run.config.evaluate_every == 0:
                    rates = evaluate(run, dev_sets, corpus.folder / "bpe.model")
                    print(run.update, rates, flush=True)
                    log.write(json.dumps({"update": run.update, "wer": rates}) + "\n")
                if now - last_save > run.config.save_every:
                    run.save()
                    last_save = now
                if run.update >= min(stage.until, end):
                    break
    finally:
        run.save()
        log.close()


def load_weights(run: Run, weights: dict[str, Tensor]) -> None:
    """Start ``run`` from weights by name; those of another shape keep their random start values."""
    own = run.model.state_dict()
    run.model.load_state_dict({**own, **{k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}})
    run.average = {k: v.clone() for k, v in run.model.state_dict().items()}


def load_averaged(folder: Path, earlier: Path | None = None, share: float = 0.3) -> TransducerModel:
    """Load the averaged weights of the run in ``folder``, ready to export.

    With ``earlier``, a checkpoint kept from an earlier low of the learning rate, its averaged weights are mixed in
    with ``share`` (Izmailov et al. 2018, Wortsman et al. 2022): between two ends of a run there may be fewer errors on
    new speakers than at either.
    """
    saved = torch.load(folder / "checkpoint.pt", weights_only=True)
    model = TransducerModel(config_from(saved["config"]))
    model.load_state_dict(saved["average"])
    if earlier is not None:
        before = torch.load(earlier, weights_only=True)["average"]
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.lerp_(before[name], share)
    return model.eval()


def config_from(values: dict[str, object]) -> ModelConfig:
    """Rebuild a ``ModelConfig`` from a checkpoint's plain values."""
    names = {field.name for field in fields(ModelConfig)}
    return ModelConfig(**{k: v for k, v in values.items() if k in names})  # type: ignore[arg-type]
