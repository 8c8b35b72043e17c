"""The recipe's commands for the cheap branch: what a finished model's encoder makes of speech, a branch, two graphs."""

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Speech, Work, made_by, suit_training

if TYPE_CHECKING:
    from ..transducer import Transducer
    from .model import ModelConfig

Model = Annotated[Path, typer.Argument(help="The finished model's folder.", exists=True)]
STEPS, NOISE = "branch-steps", "noise.npy"


def branch_prepare(
    model: Model,
    speech: Speech,
    work: Work = Path("work"),
    hours: Annotated[float, typer.Option(min=0.01, help="Of speech and pauses; 1.1 GB each.")] = 1.4,
    seed: int = 1,
) -> None:
    """Run a finished model's encoder over training speech, texts aside; goes on where it was broken off."""
    import numpy as np
    from rich.progress import track

    from ..features import FRAME_SECONDS
    from ..transducer import Transducer
    from .branching_data import Streams, hear_streams
    from .prepare import noise_features, read_manifest

    loaded = Transducer.load(model)
    shape = shape_of(loaded)
    work.mkdir(parents=True, exist_ok=True)
    if not (work / NOISE).exists():
        np.save(work / NOISE, noise_features(speech, seed))
    sets = {path.stem: read_manifest(path, speech, path.stem) for path in sorted((speech / "train").glob("*.tsv"))}
    sets = {name: [one for one in found if one.speed == 1.0 and not one.bent] for name, found in sets.items()}
    wanted = round(hours * 3600 / (loaded.info.chunk_shift * FRAME_SECONDS))
    steps = track(itertools.count(), "steps", total=wanted)
    hear_streams(Streams(sets, np.load(work / NOISE), seed), loaded, shape, work / STEPS, wanted, steps)


def branch_train(
    model: Model,
    work: Work = Path("work"),
    updates: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 2000,
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "branch",
    minutes: Annotated[float, typer.Option(min=0.1, help="Stop after so many, to go on later.")] = 1e6,
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train branch and gate on what branch-prepare has heard; resumable."""
    suit_training()
    import torch

    from ..transducer import Transducer
    from .branching_data import HeardSteps, step_type
    from .branching_train import BranchRun, BranchTraining

    torch.set_num_threads(threads)
    made_by("branch-prepare", work / STEPS / "index.jsonl", work)
    loaded = Transducer.load(model)
    shape = shape_of(loaded)
    steps = HeardSteps(work / STEPS, step_type(loaded, shape))
    run = BranchRun(work / run_name, steps, model, shape, BranchTraining(updates, seed=seed))
    print(f"{len(steps)} steps, {sum(p.numel() for p in run.branch.parameters())} parameters, update {run.update}")
    run.train(time.monotonic() + 60 * minutes, lambda line: print(line, flush=True))


def branch_export(
    model: Model,
    work: Work = Path("work"),
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "branch",
    balanced: Annotated[float, typer.Option(min=1e-6, help="Loss (nats) below which balanced steps are cheap.")] = 0.03,
    low: Annotated[float, typer.Option(min=1e-6, help="The same with low effort.")] = 0.2,
) -> None:
    """Write branch_gate.onnx and branch.onnx into the model's folder."""
    from .branching import CHECKPOINT
    from .branching_export import export_branch
    from .branching_train import load_branch

    branch = load_branch(made_by("branch-train", work / run_name / CHECKPOINT, work))
    export_branch(branch, {"balanced": balanced, "low": low}, model)


def shape_of(model: "Transducer") -> "ModelConfig":
    """Return the shape of a finished model, as far as the branch wants it.

    Raises:
        ModelFileError: it is no model of ``export``.
    """
    from .model import ModelConfig
    from .speaker_data import cache_tap

    tap, info = cache_tap(model, [0]), model.info
    layers, _, past = model.encoder.initial[model.encoder.states.index("h0")].shape
    return ModelConfig(
        vocab_size=info.vocab_size,
        phones=len(model.phones),
        width=tap.width,
        layers=layers,
        joiner_dim=info.joiner_dim,
        context_size=info.context_size,
        chunk_frames=info.chunk_shift,
        look_ahead=info.delay_frames // 2 // layers,
        left=past // tap.width,
    )
