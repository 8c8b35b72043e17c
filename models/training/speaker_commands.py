"""The recipe's commands for the speaker vector and the whisper: what a finished model hears, a head, one graph."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from .options import Speech, Work, made_by, parts_of, suit_training

Model = Annotated[Path, typer.Argument(help="The finished model's folder.", exists=True)]
VOICES, VALIDATION, NOISE = "voices", "voices-validation", "noise.npy"
LAYERS = "0"
Layers = Annotated[str, typer.Option(help="Layers of the encoder whose values are heard.")]


def speaker_prepare(
    model: Model,
    speech: Speech,
    work: Work = Path("work"),
    layers: Layers = LAYERS,
    part: Annotated[str, typer.Option(help="Take only part I of N of the recordings, as I/N, each a process.")] = "1/1",
    seed: int = 1,
) -> None:
    """Run a finished model's encoder over training speakers; goes on where it was broken off."""
    import numpy as np
    from rich.progress import track

    from ..transducer import Transducer
    from .prepare import noise_features
    from .speaker_data import Take, cache_tap, encode_voices, plan
    from .speaker_sets import read_utterances, split_of

    number, parts = parts_of(part)
    loaded = Transducer.load(model)
    tap = cache_tap(loaded, map(int, layers.split()))
    if not loaded.encoder.fits(tap):
        raise typer.BadParameter(f"{layers!r}: the encoder has {loaded.encoder.initial[0].shape[0]} layers, from 0 on")
    work.mkdir(parents=True, exist_ok=True)
    if not (work / NOISE).exists():
        np.save(work / NOISE, noise_features(speech, seed))
    noise, everybody = np.load(work / NOISE), read_utterances(speech)
    takes = plan([one for one in everybody if split_of(one.speaker) == "train"])[number - 1 :: parts]
    steps = track(itertools.count(), "voices", total=len(takes))
    encode_voices(takes, noise, loaded, tap, work / VOICES / f"{number}-{parts}", seed + number, progress=steps)
    if number == 1:
        kept = [Take(one, "plain") for one in everybody if split_of(one.speaker) == "validation"]
        steps = track(itertools.count(), "validation", total=len(kept))
        encode_voices(kept, noise, loaded, tap, work / VALIDATION, seed, distorted=0.0, progress=steps)


def speaker_train(
    work: Work = Path("work"),
    layers: Layers = LAYERS,
    updates: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 3000,
    hidden: Annotated[int, typer.Option(min=8, help="Width of the layer over frames.")] = 128,
    size: Annotated[int, typer.Option(min=8, help="Numbers of a vector.")] = 128,
    width: Annotated[int, typer.Option(min=1, help="Numbers of a frame in the encoder.")] = 384,
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "speaker",
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train the head on what speaker-prepare has encoded; says how it does on speakers it was not trained on."""
    suit_training()
    import torch
    from rich.progress import track

    from .speaker import CHECKPOINT, Batches, HeadConfig, HeadTraining, SpeakerHead, save_head, train, vectors_of
    from .speaker_data import VoiceCorpus
    from .speaker_trials import centre_and_threshold

    torch.set_num_threads(threads)
    made_by("speaker-prepare", work / VOICES, work)
    heard = tuple(map(int, layers.split()))
    config = HeadConfig(heard, width, hidden, size=size)
    corpora = [VoiceCorpus(path.parent, width * len(heard)) for path in sorted((work / VOICES).glob("*/index.jsonl"))]
    options = HeadTraining(updates=updates, seed=seed)
    batches, folder = Batches(corpora, options), work / run_name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    head = SpeakerHead(config)
    print(f"{len(batches.speakers)} speakers, {sum(p.numel() for p in head.parameters())} parameters")
    train(head, batches, options, folder, track(range(updates), "updates"))
    kept = vectors_of(head, VoiceCorpus(work / VALIDATION, width * len(heard)))
    threshold, told = centre_and_threshold(head, kept)
    save_head(head, threshold, folder / CHECKPOINT)
    print(told)


def speaker_export(
    model: Model,
    work: Work = Path("work"),
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "speaker",
    threshold: Annotated[
        float | None,
        typer.Option(min=-1, max=1, help="Cosine of one speaker, as live trials tell; else of training's validation."),
    ] = None,
) -> None:
    """Write speaker.onnx into the model's folder."""
    from ..transducer import Transducer
    from .speaker import CHECKPOINT, load_head
    from .speaker_data import cache_tap
    from .speaker_export import export_head

    head, of_validation = load_head(made_by("speaker-train", work / run_name / CHECKPOINT, work))
    loaded = Transducer.load(model)
    export_head(head, cache_tap(loaded, head.config.layers), of_validation if threshold is None else threshold, model)
