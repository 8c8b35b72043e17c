"""The recipe's commands for models that are small: speech for an encoder to follow, weights of few levels and zeros."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Block, Group, Speech, Work, made_by, suit_training, writable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MADE_UP_ON = 64
"""Windows on which the errors of rounding are made up for before training."""
FOLLOWED, HELD_OUT = "followed.pt", "followed-held.pt"
Finished = Annotated[
    Path, typer.Argument(help="The finished model's folder, int8, as `export` writes it.", exists=True)
]


def telling(shown: "Progress", task: "TaskID") -> Callable[[int], None]:
    """Return what shows how far a task is."""
    return lambda done: shown.update(task, completed=done)


def follow_prepare(
    model: Finished,
    speech: Speech,
    work: Work = Path("work"),
    minutes: Annotated[float, typer.Option(min=0.2, help="Speech to keep, with what the model makes of it.")] = 90.0,
    seed: int = 1,
) -> None:
    """Run a finished model over training speech, for another encoder to follow; no text is needed."""
    import numpy as np
    import torch
    from rich.progress import Progress

    from .finished import read_model
    from .follow import FRAMES, is_held, recordings_by_share, windows_of
    from .prepare import noise_features, read_manifest

    torch.set_num_threads(1)
    teacher = read_model(model)
    sets = {
        path.stem: [one for one in read_manifest(path, speech, path.stem) if one.speed == 1.0 and not one.bent]
        for path in sorted((speech / "train").glob("*.tsv"))
    }
    if not any(sets.values()):
        raise typer.BadParameter(f"{speech}: no train/*.tsv there", param_hint="--speech")
    work.mkdir(parents=True, exist_ok=True)
    noise = torch.from_numpy(noise_features(speech, seed))
    total = max(2, round(6000 * minutes / FRAMES))
    parts = ((HELD_OUT, True, min(48, -(-total // 20))), (FOLLOWED, False, total))
    with Progress() as shown:
        for name, wanted, count in parts:
            rng = np.random.default_rng((seed, wanted))
            some = {key: [one for one in items if is_held(one) == wanted] for key, items in sets.items()}
            task = shown.add_task(name, total=count)
            windows = windows_of(recordings_by_share(some, rng), noise, teacher, count, rng, telling(shown, task))
            windows.save(work / name)


def small_train(
    model: Finished,
    output: Annotated[Path, typer.Argument(help="The model folder to write, to be packed then.")],
    work: Work = Path("work"),
    bits: Annotated[
        int, typer.Option(help="Levels that weights may have: 5 or 4 bits; 8: those they have at the start.")
    ] = 4,
    zeros: Annotated[float, typer.Option(min=0, max=95, help="Percent of the weights that become zero.")] = 0.0,
    pull: Annotated[float, typer.Option(min=0, help="How strongly weights are pulled to levels.")] = 0.1,
    group: Group = 64,
    block: Block = 1,
    start: Annotated[
        Path | None,
        typer.Option(help="Model folder to begin with, rounded or thinned already. Default: MODEL.", exists=True),
    ] = None,
    gradual: Annotated[
        bool, typer.Option(help="Begin with the weights as they are, and make zeros step by step.")
    ] = False,
    updates: Annotated[int, typer.Option(min=1, help="Length of the schedule.")] = 300,
    rows: Annotated[int, typer.Option(min=1, help="Windows of 5 s in an update.")] = 4,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 1e-4,
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "small",
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train an encoder's weights to few levels and zeros while it follows what it was; resumable."""
    suit_training()
    import shutil

    import torch
    from rich.progress import Progress

    from ..compression.rounding import Rounding
    from .compress import CompressConfig
    from .finished import encoder_file, read_model
    from .follow import Windows, apart_on
    from .levels import begin_on_levels, levels_of, moments_of, with_parameters
    from .small import SmallConfig, SmallRun, train

    torch.set_num_threads(threads)
    made_by("follow-prepare", work / FOLLOWED, work)
    rounding = Rounding(bits, zeros / 100, group, block)
    windows, held = (Windows.load(work / name) for name in (FOLLOWED, HELD_OUT))
    begin = encoder_file(start or model)
    teacher, student, levels = read_model(model), read_model(begin.parent), levels_of(begin.read_bytes(), rounding)
    compress = CompressConfig(rounding, pull, 0, updates * 2 // 3 if gradual else 1, every=10)
    run = SmallRun(
        work / run_name, teacher, student, levels, SmallConfig(compress, updates, rate, rows=rows, seed=seed)
    )
    if run.update == 0 and not gradual and start is None:
        some = windows.at(slice(0, MADE_UP_ON))
        moments = moments_of(teacher, lambda: apart_on(teacher.encoder, some, teacher))
        begin_on_levels(student, levels, moments, rounding.zeros)
    with Progress() as shown:
        task = shown.add_task("updates", total=updates)
        train(run, windows, held, progress=telling(shown, task))
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(model.iterdir()):
        if path.is_file():
            shutil.copyfile(path, output / path.name)
    (output / begin.name).write_bytes(with_parameters(begin.read_bytes(), run.parameters()))


def sizes_search(
    model: Finished,
    work: Work = Path("work"),
    minutes: Annotated[float, typer.Option(min=0, help="No candidate is begun after so long.")] = 30.0,
    most: Annotated[int, typer.Option(min=3, help="Candidates to train, those of earlier calls counted.")] = 40,
    stride: Annotated[float, typer.Option(min=0.01, max=0.5, help="Of the grid: share of the largest.")] = 0.25,
    updates: Annotated[int, typer.Option(min=1, help="Of each candidate's training.")] = 60,
    rows: Annotated[int, typer.Option(min=1, help="Windows of 5 s in an update.")] = 2,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", callback=lambda file: file and writable(file), help="SVG to draw.")
    ] = None,
    threads: int = 1,
) -> None:
    """Search sizes of the encoder: short trainings, a Pareto front of bytes, operations and error; resumable."""
    suit_training()
    import json
    import time

    import torch
    from rich.progress import Progress

    from .finished import read_model
    from .follow import Windows
    from .sizes_search import ShortTraining, draw, found, read_tried, search, table

    torch.set_num_threads(threads)
    made_by("follow-prepare", work / FOLLOWED, work)
    windows, held = (Windows.load(work / name) for name in (FOLLOWED, HELD_OUT))
    teacher, training, folder = read_model(model), ShortTraining(updates, rows), work / "sizes"
    with Progress() as shown:
        task = shown.add_task("candidates", total=most, completed=len(read_tried(folder)))
        tried = search(
            folder, teacher, windows, held, stride=stride, training=training, most=most,
            until=time.monotonic() + 60 * minutes, progress=lambda _: shown.advance(task),
        )  # fmt: skip
    if len(tried) < 3:
        raise typer.BadParameter(f"only {len(tried)} candidates trained; 3 make a front", param_hint="--minutes")
    result = found(tried, teacher, stride, training)
    (folder / "front.json").write_text(json.dumps(result, indent=1))
    print(table(result))
    if output is not None:
        draw(result, output)
