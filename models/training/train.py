"""Training: first the streaming encoder follows the offline one, then the rest learns on it, then all of it together.

What Whisper's encoder knows must not be forgotten: the following loss stays to the end (distillation of a streaming
student from an offline teacher, as in Yu et al. 2021, arXiv 2010.06030). Resumable at any moment, on a processor or a
GPU, and from one to the other.
"""

import json
import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..pieces import open_pieces
from .augment import AugmentConfig
from .compress import Compressor
from .curriculum import CURRICULUM, Stage
from .dataset import WEIGHTS, Batch, Batches, Corpus
from .decode import DevSet, word_error_rate
from .model import ModelConfig, TransducerModel
from .objectives import Losses, losses

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

AUGMENTATION = AugmentConfig()


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run; everything that is not the network's shape."""

    updates: int = 40_000
    """Length of the learning-rate schedule."""
    peak_rate: float = 1.5e-3
    """Highest rate of all but the encoder."""
    encoder_rate: float = 1e-4
    """Highest rate of the encoder, what it starts from must not be forgotten; as ``peak_rate`` where it starts from
    nothing."""
    warmup: int = 200
    """Updates in which the rate rises, at the beginning and wherever the encoder is let go."""
    final_rate: float = 0.02
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
    that, or on a GPU: twice as fast."""
    seed: int = 1


def learning_rate(config: TrainConfig, update: int) -> float:
    """Return the rate beside its peak: a linear warm-up, then a cosine down to ``final_rate``."""
    if update < config.warmup:
        return (update + 1) / config.warmup
    progress = min(1.0, (update - config.warmup) / max(1, config.updates - config.warmup))
    return config.final_rate + (1 - config.final_rate) * 0.5 * (1 + math.cos(math.pi * progress))


@contextmanager
def fast_products(wanted: bool, device: torch.device) -> Iterator[None]:
    """Have matrix products take factors rounded to bfloat16, if ``wanted`` and the device is made for it."""
    if device.type == "cpu":
        wanted = wanted and bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    with torch.autocast(device.type, torch.bfloat16, enabled=wanted):
        yield


class Run:
    """A training run in a folder: its weights, optimiser, running average and log."""

    def __init__(
        self,
        folder: Path,
        model: ModelConfig,
        config: TrainConfig,
        device: torch.device | str = "cpu",
        compressor: Compressor | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        self.folder, self.config, self.device = folder, config, torch.device(device)
        self.compressor = compressor
        self.model = TransducerModel(model).to(self.device)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        groups = [
            {"params": [p for p in part if (p.ndim > 1) == matrix], "weight_decay": config.weight_decay * matrix}
            for part in self._parts()
            for matrix in (True, False)
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=config.peak_rate, betas=(0.9, 0.98), eps=1e-8, fused=True)
        self.update = 0
        self.seconds = 0.0
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume(torch.load(self.checkpoint, weights_only=True, map_location=self.device))

    def _parts(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return the parameters of the encoder proper, and all others."""
        own = [p for name, p in self.model.named_parameters() if of_encoder(name)]
        return own, [p for name, p in self.model.named_parameters() if not of_encoder(name)]

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

    def step(
        self, batch: Batch, stage: Stage, warm: float = 1.0, pieces: "SentencePieceProcessor | None" = None
    ) -> tuple[float, ...]:
        """Do one update, the encoder at ``warm`` of its rate; returns the losses and the gradient's norm."""
        rate = learning_rate(self.config, self.update)
        peaks = (self.config.encoder_rate * stage.encoder * warm, self.config.peak_rate)
        for group, peak in zip(self.optimizer.param_groups, (peaks[0], peaks[0], peaks[1], peaks[1]), strict=True):
            group["lr"] = rate * peak
        self.optimizer.zero_grad()
        with fast_products(self.config.bfloat16, self.device):
            values = losses(self.model, batch, stage, pieces)
            total = values.weighted(stage)
        if self.compressor is not None:
            total = total + self.compressor.penalty(self.model, self.update)
        with fast_products(self.config.bfloat16, self.device):
            total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 3.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.update += 1
        decay = min(self.config.average, self.update / (self.update + 20))
        torch._foreach_lerp_(list(self.average.values()), list(self.model.state_dict().values()), 1 - decay)
        if self.compressor is not None:
            self.compressor.thin(self.model, self.average, self.update)
        return (*(value.item() for value in values), norm.item())


def of_encoder(name: str) -> bool:
    """Return whether a parameter is of the encoder proper, which the teacher teaches, and not of what reads it."""
    return name.startswith("encoder.") and not name.startswith(("encoder.project", "encoder.phone_"))


def evaluate(run: Run, dev_sets: Sequence[DevSet], bpe_model: Path) -> dict[str, float]:
    """Return the averaged weights' word error rate on each dev set."""
    averaged = TransducerModel(run.model.config).to(run.device)
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
    pieces = open_pieces(corpus.folder / "bpe.model")
    last_save = last_log = time.monotonic()
    names = (*Losses._fields, "norm")
    audio, sums, count = 0.0, [0.0] * len(names), 0
    log = (run.folder / "log.jsonl").open("a")
    try:
        while run.update < run.config.updates:
            index = next(number for number, stage in enumerate(curriculum) if run.update < stage.until)
            stage, begin = curriculum[index], curriculum[index - 1].until if index else 0
            batches = Batches(
                corpus,
                run.model.config,
                batch_frames=stage.batch_frames,
                max_frames=stage.max_frames,
                augmentation=replace(augmentation, strength=stage.strength * augmentation.strength),
                weights=weights,
                seed=run.config.seed,
                views=2 if stage.consistency else 1,
                follow=stage.follow > 0,
            )
            while run.update < min(stage.until, run.config.updates):
                batch = batches.batch(run.update)
                warm = min(1.0, (run.update - begin + 1) / run.config.warmup)
                values = run.step(batch, stage, warm, pieces)
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
                        "rate": round(learning_rate(run.config, run.update) * run.config.peak_rate, 6),
                        **dict(zip(names, (round(v / count, 4) for v in sums), strict=True)),
                        **({} if run.compressor is None else run.compressor.state(run.model)),
                    }
                    print(line, flush=True)
                    log.write(json.dumps(line) + "\n")
                    log.flush()
                    audio, sums, count, last_log = 0.0, [0.0] * len(names), 0, now
                if dev_sets and run.update % run.config.evaluate_every == 0:
                    rates = evaluate(run, dev_sets, corpus.folder / "bpe.model")
                    print(run.update, rates, flush=True)
                    log.write(json.dumps({"update": run.update, "wer": rates}) + "\n")
                if now - last_save > run.config.save_every:
                    run.save()
                    last_save = now
    finally:
        run.save()
        log.close()


def load_weights(run: Run, weights: dict[str, Tensor]) -> None:
    """Start ``run`` from weights by name; those of another shape keep their random start values."""
    own = run.model.state_dict()
    run.model.load_state_dict({**own, **{k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}})
    run.average = {k: v.clone() for k, v in run.model.state_dict().items()}


def load_averaged(folder: Path) -> TransducerModel:
    """Load the averaged weights of the run in ``folder``, ready to export."""
    saved = torch.load(folder / "checkpoint.pt", weights_only=True, map_location="cpu")
    model = TransducerModel(config_from(saved["config"]))
    model.load_state_dict(saved["average"])
    return model.eval()


def config_from(values: dict[str, object]) -> ModelConfig:
    """Rebuild a ``ModelConfig`` from a checkpoint's plain values."""
    names = {field.name for field in fields(ModelConfig)}
    return ModelConfig(**{k: v for k, v in values.items() if k in names})  # type: ignore[arg-type]
