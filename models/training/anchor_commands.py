"""The recipe's commands for following one speaker: scenes as a finished model hears them, a network, one graph."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from .options import Speech, Work, made_by, parts_of, suit_training

Model = Annotated[Path, typer.Argument(help="The finished model's folder, with speaker.onnx.", exists=True)]
SCENES, VALIDATION = "scenes", "scenes-validation"


def anchor_prepare(
    model: Model,
    speech: Speech,
    work: Work = Path("work"),
    scenes: Annotated[int, typer.Option(min=1, help="Scenes to make, about 8 s each.")] = 8000,
    validation: Annotated[int, typer.Option(min=1, help="Scenes of speakers who are kept for validation.")] = 400,
    part: Annotated[str, typer.Option(help="Make only part I of N of the scenes, as I/N, each a process.")] = "1/1",
    seed: int = 1,
) -> None:
    """Run a finished model's first layer over scenes of a wake word, a request, and others' speech; resumable."""
    from rich.progress import track

    from ..transducer import Transducer
    from .anchor import encode_scenes
    from .anchor_scenes import Scenes
    from .speaker_data import cache_tap
    from .speaker_sets import read_utterances, split_of

    number, parts = parts_of(part)
    loaded = Transducer.load(model)
    tap, everybody = cache_tap(loaded, (0,)), read_utterances(speech)
    noises = sorted(path for path in (speech / "noise").glob("*.*") if path.suffix in (".flac", ".opus", ".wav"))

    def of(split: str) -> Scenes:
        return Scenes([one for one in everybody if split_of(one.speaker) == split], noises)

    count = scenes // parts
    steps = track(itertools.count(), "scenes", total=count)
    encode_scenes(of("train"), count, loaded, tap, work / SCENES / f"{number}-{parts}", seed + number, steps)
    if number == 1:
        steps = track(itertools.count(), "validation", total=validation)
        encode_scenes(of("validation"), validation, loaded, tap, work / VALIDATION, seed, steps)


def anchor_train(
    model: Model,
    work: Work = Path("work"),
    updates: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 2500,
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "anchor",
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train the network on what anchor-prepare has made; says how it does on speakers it was not trained on."""
    suit_training()
    import onnx
    import torch
    from rich.progress import track

    from ..voice import SPEAKER
    from .anchor import (
        CHECKPOINT,
        AnchorConfig,
        AnchorNetwork,
        AnchorTraining,
        SceneCorpus,
        judged,
        save_network,
        train,
    )
    from .equal_error import equal_error_rate

    torch.set_num_threads(threads)
    made_by("anchor-prepare", work / VALIDATION, work)
    config = AnchorConfig()
    corpus = SceneCorpus(sorted(path.parent for path in (work / SCENES).glob("*/index.jsonl")), config.width)
    kept, folder = SceneCorpus([work / VALIDATION], config.width), work / run_name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network = AnchorNetwork(config)
    network.start_from(onnx.load(str(model / SPEAKER)))
    print(f"{len(corpus.rows)} scenes, {sum(p.numel() for p in network.parameters())} parameters")
    options = AnchorTraining(updates=updates, seed=seed)
    train(network, corpus, kept, options, folder, track(range(updates), "updates"))
    save_network(network, folder / CHECKPOINT)
    odds, truth = (values.double().numpy() for values in judged(network, kept))
    rate = equal_error_rate(odds[truth > 0], odds[truth == 0])
    print(f"frames of {len(kept.rows)} scenes of other speakers: {100 * rate:.1f} % wrong at equal errors")


def anchor_export(
    model: Model,
    work: Work = Path("work"),
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "anchor",
) -> None:
    """Write anchor.onnx into the model's folder."""
    from ..transducer import Transducer
    from .anchor import CHECKPOINT, load_network
    from .anchor_export import export_network
    from .speaker_data import cache_tap

    network = load_network(made_by("anchor-train", work / run_name / CHECKPOINT, work))
    loaded = Transducer.load(model)
    export_network(network, loaded, cache_tap(loaded, (0,)), model)
