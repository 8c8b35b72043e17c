"""The recipe's commands for attention biasing: what a finished model hears, layers beside it, two graphs."""

import itertools
import time
from pathlib import Path
from typing import Annotated

import typer

from .options import Speech, Work, made_by, suit_training

Model = Annotated[Path, typer.Argument(help="The finished model's folder, with pronounce.onnx.", exists=True)]
Gate = Annotated[
    float,
    typer.Option(
        min=0,
        max=0.999,
        help="What attention must leave to phrases for anything to be added: more helps less, harms less.",
    ),
]
HEARD, NAMED, NOISE = "heard", "named", "noise.npy"


def bias_prepare(
    model: Model,
    speech: Speech,
    work: Work = Path("work"),
    names: Annotated[int, typer.Option(min=0, help="Requests with names to synthesise (flite, espeak-ng).")] = 5000,
    only: Annotated[
        list[str] | None, typer.Option(help="Set of train/ to take; again for more. Default: all.", show_default=False)
    ] = None,
    seed: int = 1,
) -> None:
    """Run a finished model's encoder over training speech and requests with names; goes on where it was broken off."""
    import numpy as np
    from rich.progress import track

    from ..transducer import Transducer
    from .contextual_data import encode_recordings, plan_named
    from .prepare import noise_features, read_manifest
    from .synthesize import synthesize

    loaded = Transducer.load(model)
    work.mkdir(parents=True, exist_ok=True)
    if not (work / NOISE).exists():
        np.save(work / NOISE, noise_features(speech, seed))
    noise = np.load(work / NOISE)
    sets = {path.stem: read_manifest(path, speech, path.stem) for path in sorted((speech / "train").glob("*.tsv"))}
    for name in only or []:
        if name not in sets:
            raise typer.BadParameter(f"no set {name!r} in {speech / 'train'}; there are: {', '.join(sets)}")
    sets = {
        name: [one for one in recordings if one.speed == 1.0 and not one.bent and one.text]
        for name, recordings in sets.items()
        if not only or name in only
    }
    if names:
        try:
            manifest = synthesize(plan_named(names, seed), work / NAMED)
        except FileNotFoundError as error:
            raise typer.BadParameter(f"{error}; or --names 0") from None
        sets[NAMED] = read_manifest(manifest, work / NAMED, NAMED)
    for name, recordings in sets.items():
        steps = track(itertools.count(), name, total=len(recordings))
        encode_recordings(recordings, noise, loaded, work / HEARD / name, seed, progress=steps)


def bias_train(
    model: Model,
    work: Work = Path("work"),
    updates: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 6000,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 2e-3,
    rows: Annotated[int, typer.Option(min=1, help="Utterances of a batch.")] = 20,
    longest: Annotated[int, typer.Option(min=1, help="Phrases on a list that nobody says, at most.")] = 300,
    names: Annotated[int, typer.Option(min=100, help="Names and words that such phrases are drawn from.")] = 30_000,
    width: Annotated[int, typer.Option(min=8, help="Of the hidden layers.")] = 192,
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "bias",
    minutes: Annotated[float, typer.Option(min=0, help="Stop after so long, to be taken up again; 0: never.")] = 0.0,
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train the layers that attend to phrases, beside a model that stays as it is; resumable."""
    suit_training()
    import torch

    from ..pieces import open_pieces
    from ..pronunciation import Pronouncer
    from ..transducer import Transducer
    from .contextual_data import HeardCorpus
    from .contextual_lists import ListOptions, PhraseLists
    from .contextual_train import AttentionRun, AttentionTraining, absent_phrases, train

    torch.set_num_threads(threads)
    made_by("bias-prepare", work / HEARD, work)
    loaded = Transducer.load(model)
    folders = [path.parent for path in sorted((work / HEARD).glob("*/index.jsonl")) if path.stat().st_size]
    corpus = HeardCorpus(folders, loaded.info.joiner_dim, len(loaded.phones))
    bpe = loaded.vocabulary.bpe_model
    if bpe is None:
        raise typer.BadParameter(f"{model}: has no bpe.model, which says how words are written")
    options = AttentionTraining(
        updates=updates, rows=rows, peak_rate=peak_rate, width=width, seed=seed, lists=ListOptions(longest=longest)
    )
    others = absent_phrases(open_pieces(bpe).encode, names, seed + 1000)
    by_letter = Pronouncer.load(loaded.pronunciation).by_letter
    lists = PhraseLists(corpus, loaded.vocabulary.tokens, by_letter, others, options.lists)
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    train(AttentionRun(work / run_name, loaded, options), lists, until=until)


def bias_export(
    model: Model,
    work: Work = Path("work"),
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "bias",
    keep_float: Annotated[bool, typer.Option(help="Write float graphs, not int8.")] = False,
    gate: Gate = 0.99,
) -> None:
    """Write bias_encoder.onnx and bias_attention.onnx into the model's folder."""
    from .contextual_export import export_adapter
    from .contextual_train import CHECKPOINT, load_adapter

    folder = made_by("bias-train", work / run_name / CHECKPOINT, work).parent
    export_adapter(load_adapter(folder), model, quantised=not keep_float, gate=gate)


def bias_gate(model: Model, gate: Gate) -> None:
    """Change the gate of a folder's bias_attention.onnx, all else as it is."""
    from .contextual_export import set_gate

    print(f"{set_gate(model, gate):.3f} -> {gate:.3f}")
