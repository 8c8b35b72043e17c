"""What each part of the recipe is worth, what size, chunk and look-ahead cost, what more data brings.

Many short runs make one table. Every run of ``PARTS`` and ``SHAPES`` takes the same trained weights on for the same
number of updates, without one part of the recipe or in another shape. That compares like with like, but understates
what a set of recordings is worth, because the weights have heard it before. The runs of ``SCRATCH`` and ``AMOUNTS``
therefore begin with random weights, without a part or on part of the recordings, and learn phones only, which takes
far fewer updates than words.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from ..pieces import open_pieces
from .augment import FLOOR, AugmentConfig
from .curriculum import CURRICULUM, Stage
from .dataset import Batch, Corpus, padded
from .decode import DevSet, word_error_rate
from .lexicon import build_lexicon
from .model import ModelConfig, TransducerModel
from .objectives import losses
from .train import Run, TrainConfig, load_weights, train

Start = tuple[ModelConfig, Mapping[str, Tensor]]
"""The shape of trained weights, and the weights by name."""


@dataclass(frozen=True)
class Variant:
    """One run: what it changes."""

    name: str
    model: Mapping[str, int] = field(default_factory=dict)
    """Fields of ``ModelConfig``."""
    augmentation: Mapping[str, float] = field(default_factory=dict)
    """Fields of ``AugmentConfig``."""
    without: tuple[str, ...] = ()
    """Sets that it does not hear."""
    only: tuple[str, ...] = ()
    """The sets that it hears; none: all of them."""
    stage: Mapping[str, float] = field(default_factory=dict)
    """Fields of ``Stage``."""
    share: float = 1.0
    """Part of each set's recordings that it hears, from the first on."""
    fresh: bool = False
    """Whether it begins with random weights."""


REAL = (
    *("speechocean762", "wuw", "wakeword", "digits", "kathleen", "librispeech", "librispeech_voices", "ljprompts"),
    "commonvoice",
)
SYNTHETIC = ("rhvoice", "synthetic", "kokoro")
DISTORTIONS = ("stretch", "warp", "room", "tilt", "noise", "burst", "telephone", "level", "mask")
PARTS = (
    Variant("all of it"),
    *(Variant(f"without {name}", without=(name,)) for name in (*REAL, *SYNTHETIC)),
    Variant("without synthetic voices", without=SYNTHETIC),
    Variant("without real voices", without=REAL),
    Variant("without augmentation", augmentation={"strength": 0.0}),
    *(Variant(f"without {name}", augmentation={name: 0.0}) for name in DISTORTIONS),
    Variant("without helper CTC", stage={"phone": 0.0, "token": 0.0}),
    Variant("without a teacher", stage={"follow": 0.0}),
    Variant("with a second view", stage={"consistency": 0.2}),
)
SHAPES = (
    Variant("as it is"),
    *(Variant(f"{10 * frames} ms chunks", model={"chunk_frames": frames}) for frames in (16, 64)),
    *(Variant(f"{80 * frames} ms look-ahead", model={"look_ahead": frames}) for frames in (0, 1, 4)),
    *(Variant(f"{left * 0.02:.2f} s before", model={"left": left}) for left in (48, 96)),
    *(Variant(f"{layers} of 4 layers", model={"layers": layers}) for layers in (3, 2)),
)
PHONES_ONLY = {"strength": 0.3, "transducer": 0.0, "phone": 1.0, "token": 0.0, "follow": 0.0}
SMALL = {"layers": 2, "width": 192, "heads": 3}
SCRATCH = tuple(replace(variant, model=SMALL, stage=PHONES_ONLY, fresh=True) for variant in PARTS if not variant.stage)
AMOUNTS = tuple(
    Variant(f"{name} of {kind}", model=SMALL, stage=PHONES_ONLY, share=share, only=heard, fresh=True)
    for kind, heard in (("the real sets", REAL), ("all sets", ()))
    for name, share in (("an eighth", 1 / 8), ("a quarter", 1 / 4), ("half", 1 / 2), ("all", 1.0))
)
"""Recordings follow one another by speaker, so less of a real set is fewer speakers."""


def reshaped(weights: Mapping[str, Tensor], old: ModelConfig, new: ModelConfig) -> dict[str, Tensor]:
    """Return weights for a network of as many or fewer layers; chunk, look-ahead and reach need no others."""
    kept = [round(k * (old.layers - 1) / max(1, new.layers - 1)) for k in range(new.layers)]
    out = {name: value for name, value in weights.items() if not name.startswith("encoder.layers.")}
    for target, source in enumerate(kept):
        start = f"encoder.layers.{source}."
        for name, value in weights.items():
            if name.startswith(start):
                out[f"encoder.layers.{target}.{name.removeprefix(start)}"] = value
    return out


def plain_batch(config: ModelConfig, examples: Sequence[tuple[Tensor, Sequence[int], Sequence[int]]]) -> Batch:
    """Return a batch of features [frames, 80], tokens and phones, without any distortion."""
    frames = torch.tensor([(len(features) + 7) // 8 for features, _, _ in examples])
    x = torch.full((len(examples), config.padded_frames(8 * int(frames.max())), 80), FLOOR)
    for row, (features, _, _) in zip(x, examples, strict=True):
        row[: len(features)] = features
    tokens, phones = padded([e[1] for e in examples]), padded([e[2] for e in examples])
    return Batch(x, frames, *tokens, *phones, torch.zeros(len(examples), dtype=torch.int64))


@torch.inference_mode()
def dev_loss(model: TransducerModel, dev: DevSet, corpus: Corpus, *, phones: bool = False) -> float:
    """Return the transducer loss per token on ``dev``, or the CTC loss per phone; natural logarithm."""
    pieces = open_pieces(corpus.folder / "bpe.model")
    lexicon = build_lexicon(dev.texts) if phones else {}
    stage = Stage(1, 1, 1, 0.0, transducer=0.0 if phones else 1.0, phone=1.0, token=0.0)
    examples = [
        (
            torch.from_numpy(features),
            pieces.encode(text),
            [phone for word in text.split() for phone in lexicon.get(word, ())],
        )
        for text, features in sorted(zip(dev.texts, dev.features, strict=True), key=lambda pair: len(pair[1]))
    ]
    total = count = 0.0
    for start in range(0, len(examples), 12):
        batch = plain_batch(model.config, examples[start : start + 12])
        labels = float((batch.phone_lengths if phones else batch.token_lengths).sum())
        values = losses(model, batch, stage)
        total += labels * (values.phone if phones else values.transducer).item()
        count += labels
    return total / count


def run_variant(
    variant: Variant,
    prepared: Path,
    folder: Path,
    dev_sets: Sequence[DevSet],
    config: TrainConfig,
    start: Start,
) -> dict[str, object]:
    """Train one variant on from ``start`` and return what came out."""
    corpus = Corpus(prepared)
    for name, items in corpus.by_corpus.items():
        heard = name in (variant.only or corpus.by_corpus) and name not in variant.without
        corpus.by_corpus[name] = items[: max(1, round(variant.share * len(items)))] if heard else []
    shape = replace(start[0], **variant.model)
    run = Run(folder, shape, config)
    if run.update == 0 and not variant.fresh:
        load_weights(run, reshaped(start[1], start[0], shape))
    stage = replace(CURRICULUM[-1], **variant.stage)  # type: ignore[arg-type]
    train(corpus, run, (), (stage,), augmentation=replace(AugmentConfig(), **variant.augmentation))
    averaged = TransducerModel(shape)
    averaged.load_state_dict(run.average)
    averaged.eval()
    row: dict[str, object] = {
        "variant": variant.name,
        "million parameters": round(run.model.parameter_count() / 1e6, 2),
        "chunk ms": 10 * shape.chunk_frames,
        "look-ahead ms": 20 * shape.delay,
    }
    if variant.fresh:
        items = [item for items in corpus.by_corpus.values() for item in items]
        row = {"variant": variant.name, "hours": round(sum(item.frames for item in items) / 360_000, 2)}
        return row | {
            f"{dev.name} phone loss": round(dev_loss(averaged, dev, corpus, phones=True), 3) for dev in dev_sets
        }
    for dev in dev_sets:
        row[f"{dev.name} loss"] = round(dev_loss(averaged, dev, corpus), 3)
        row[f"{dev.name} WER %"] = round(100 * word_error_rate(averaged, dev, prepared / "bpe.model")[0], 1)
    return row


def ablate(
    variants: Sequence[Variant],
    prepared: Path,
    folder: Path,
    dev_sets: Sequence[DevSet],
    config: TrainConfig,
    start: Start,
    report: Callable[[dict[str, object]], None],
) -> list[dict[str, object]]:
    """Run the variants that ``folder`` has no result of yet; returns all results, in order."""
    results = []
    for variant in variants:
        place = folder / variant.name.replace(" ", "-")
        done = place / "result.json"
        if not done.exists():
            result = run_variant(variant, prepared, place, dev_sets, config, start)
            done.write_text(json.dumps(result))
            (place / "checkpoint.pt").unlink()
            report(result)
        results.append(json.loads(done.read_text()))
    return results


def table(results: Sequence[Mapping[str, object]]) -> str:
    """Return results as a Markdown table."""
    names = list(results[0])
    lines = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in results)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
