"""The recipe's commands: ``python -m nearword.models.training prepare|train|export|texts|card|...``."""

import json
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from ..errors import NearwordError
from . import (
    anchor_commands,
    branching_commands,
    contextual_commands,
    language_commands,
    small_commands,
    speaker_commands,
)
from .options import (
    Bits,
    Block,
    Group,
    Pull,
    SmallFrom,
    SmallUntil,
    Speech,
    Work,
    Zeros,
    made_by,
    suit_training,
    writable,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train, export and describe a streaming transducer.",
)


class Engine(str, Enum):
    """Speech synthesisers of the recipe."""

    flite = "flite"
    espeak = "espeak"
    pico = "pico"
    rhvoice = "rhvoice"
    accent = "accent"


@app.command()
def prepare(
    speech: Speech,
    work: Work = Path("work"),
    synthetic: Annotated[int, typer.Option(help="Sentences to synthesise.")] = 50_000,
    engine: Annotated[
        list[Engine] | None,
        typer.Option(help="Synthesise with this; again for more. Default: all.", show_default=False),
    ] = None,
    extra: Annotated[
        list[Path] | None, typer.Option(help="More manifests (TSV: path, text), paths beside them.")
    ] = None,
    whisper: Annotated[
        Path | None,
        typer.Option(
            help="Whisper's weights to start from and to follow: CTranslate2's model.bin or the hub's"
            " model.safetensors, tiny.en or another; without, training starts from nothing."
        ),
    ] = None,
    kokoro: Annotated[
        Path | None,
        typer.Option(help="Folder of the neural synthesiser Kokoro (*.onnx, vocab.json, voices/*.bin), to speak too."),
    ] = None,
    spoken: Annotated[int, typer.Option(min=0, help="Sentences that Kokoro speaks.")] = 10_000,
    vocab_size: Annotated[int, typer.Option(help="SentencePiece vocabulary.")] = 256,
    seed: int = 1,
) -> None:
    """Synthesise speech, compute features, train the vocabulary."""
    from .prepare import prepare as run
    from .prepare import read_manifest
    from .synthesize import SHARES, plan, read_texts, synthesize

    recordings = [
        recording
        for manifest in sorted((speech / "train").glob("*.tsv"))
        for recording in read_manifest(manifest, speech, manifest.stem)
    ]
    for manifest in extra or []:
        recordings += read_manifest(manifest, manifest.parent, "extra")
    if not recordings and not synthetic:
        raise typer.BadParameter(f"{speech}: no train/*.tsv there, and nothing to synthesise", param_hint="--speech")
    if synthetic:
        folder = work / "synthetic"
        if not (folder / "manifest.tsv").exists():
            shares = {name: share for name, share in SHARES.items() if not engine or name in engine}
            utterances = plan(read_texts(speech), synthetic, seed, shares)
            try:
                synthesize(utterances, folder)
            except FileNotFoundError as error:
                raise typer.BadParameter(f"{error}; or leave it out", param_hint="--engine") from None
        recordings += read_manifest(folder / "manifest.tsv", folder, "synthetic")
    if kokoro is not None:
        from .kokoro import Kokoro, speak_all

        manifest = speak_all(Kokoro.read(kokoro), read_texts(speech), spoken, work / "kokoro", seed)
        recordings += read_manifest(manifest, manifest.parent, "kokoro")
    noises = sorted(path for path in (speech / "noise").glob("*") if path.suffix in (".flac", ".opus", ".wav"))
    run(recordings, noises, work / "prepared", vocab_size, seed, whisper)


@app.command()
def train(
    speech: Speech,
    work: Work = Path("work"),
    updates: Annotated[int, typer.Option(help="Length of the learning-rate schedule.")] = 40_000,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate of all but the encoder.")] = 1.5e-3,
    encoder_rate: Annotated[
        float | None,
        typer.Option(help="Highest learning rate of the encoder.", show_default="1e-4, from nothing as --peak-rate"),
    ] = None,
    init_from: Annotated[
        Path | None, typer.Option(help="Start from a checkpoint's averaged weights or an exported model folder.")
    ] = None,
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "run",
    device: Annotated[str, typer.Option(help="Where to train: cpu, cuda.")] = "cpu",
    threads: int = 2,
    seed: int = 1,
    word_errors_from: Annotated[
        int | None,
        typer.Option(help="Update from which the expected word errors over an n-best list count (MWER).", min=1),
    ] = None,
    bits: Bits = 8,
    zeros: Zeros = 0,
    pull: Pull = 0.0,
    group: Group = 64,
    block: Block = 1,
    small_from: SmallFrom = 0,
    small_until: SmallUntil = 10_000,
) -> None:
    """Train, or go on with a run that was interrupted; the dev sets are decoded on the way."""
    suit_training()
    from ..compression.rounding import Rounding
    from .compress import CompressConfig, Compressor
    from .curriculum import CURRICULUM, FROM_NOTHING, Stage, with_word_errors
    from .dataset import Corpus
    from .decode import load_dev_sets
    from .export import read_weights
    from .model import ModelConfig
    from .train import Run, TrainConfig, load_weights
    from .train import train as go
    from .whisper import shape_of

    corpus = Corpus(made_by("prepare", work / "prepared" / "index.jsonl", work).parent, device)
    pretrained = bool(corpus.start) or init_from is not None
    config = TrainConfig(
        updates=updates,
        peak_rate=peak_rate,
        encoder_rate=encoder_rate or (1e-4 if pretrained else peak_rate),
        threads=threads,
        seed=seed,
    )
    shape = ModelConfig(vocab_size=corpus.vocab_size)
    if corpus.start:
        shape = shape_of({k.removeprefix("encoder."): v for k, v in corpus.start.items()}, corpus.vocab_size)
    small = CompressConfig(Rounding(bits, zeros / 100, group, block), pull, small_from, small_until)
    wanted = pull > 0 or zeros > 0
    run = Run(work / run_name, shape, config, device, Compressor(small) if wanted else None)
    if run.update == 0:
        load_weights(run, read_weights(init_from) if init_from is not None else corpus.start)
    print({name: len(items) for name, items in corpus.by_corpus.items()}, f"{run.model.parameter_count()} parameters")
    curriculum: tuple[Stage, ...] = CURRICULUM if pretrained else FROM_NOTHING
    if word_errors_from is not None:
        curriculum = with_word_errors(curriculum, word_errors_from)
    go(corpus, run, load_dev_sets(speech), curriculum)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="The model folder to write.")],
    work: Work = Path("work"),
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run, inside the work folder.")] = "run",
    per_channel: Annotated[bool, typer.Option(help="One int8 scale per output channel instead of per matrix.")] = True,
    keep_float: Annotated[bool, typer.Option(help="Leave the float graphs beside the int8 ones.")] = True,
    temperature: Annotated[
        float, typer.Option(min=0.1, max=10.0, help="Logits are divided by it: above 1 for a model too sure of itself.")
    ] = 1.0,
) -> None:
    """Write the averaged weights as ONNX graphs with cached states, float and int8."""
    from .export import export as write
    from .train import load_averaged

    write(
        load_averaged(made_by("train", work / run_name / "checkpoint.pt", work).parent),
        made_by("prepare", work / "prepared" / "tokens.txt", work).parent,
        folder,
        per_channel=per_channel,
        temperature=temperature,
    )
    if not keep_float:
        for name in ("encoder", "decoder", "joiner"):
            (folder / f"{name}.onnx").unlink()


@app.command()
def card(
    folder: Annotated[Path, typer.Argument(help="A model folder with float and int8 graphs.")],
    speech: Speech,
    output: Annotated[
        Path | None, typer.Option(help="Where to write; the model folder's MODEL_CARD.md by default.")
    ] = None,
    notes: Annotated[Path | None, typer.Option(help="Markdown to put before the figures (data, limits).")] = None,
) -> None:
    """Measure the model on the dev sets, float and int8, and write its card."""
    from .card import write_card

    path = write_card(folder, speech, output or folder / "MODEL_CARD.md", notes)
    print(path)


class Subject(str, Enum):
    """What ``ablate`` varies."""

    parts = "parts"
    shapes = "shapes"
    scratch = "scratch"
    amounts = "amounts"


@app.command()
def ablate(
    subject: Annotated[
        Subject, typer.Argument(help="Leave out parts of the recipe, change the network's shape, or hear less.")
    ],
    speech: Speech,
    work: Work = Path("work"),
    run_name: Annotated[str, typer.Option("--run", help="Folder of the run whose weights all start from.")] = "run",
    only: Annotated[list[str] | None, typer.Option(help="Variant to run; again for more. Default: all.")] = None,
    updates: Annotated[int, typer.Option(min=4, help="Updates of each variant.")] = 300,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 5e-4,
    threads: int = 2,
) -> None:
    """Train the weights of a run on, shortly, without one part or in another shape each; prints a table; resumable.

    With scratch and amounts: train from nothing, on phones only, without one part each, or with an eighth to all of
    the recordings.
    """
    suit_training()
    import torch

    from .ablation import AMOUNTS, PARTS, SCRATCH, SHAPES, table
    from .ablation import ablate as go
    from .decode import load_dev_sets
    from .train import TrainConfig, config_from

    choice = {"parts": PARTS, "shapes": SHAPES, "scratch": SCRATCH, "amounts": AMOUNTS}[subject.value]
    known = [variant.name for variant in choice]
    for name in only or []:
        if name not in known:
            raise typer.BadParameter(f"no variant {name!r}; expected one of: {', '.join(known)}", param_hint="--only")
    made_by("prepare", work / "prepared" / "index.jsonl", work)
    saved = torch.load(made_by("train", work / run_name / "checkpoint.pt", work), weights_only=True)
    start = (config_from(saved["config"]), saved["average"])
    variants = [variant for variant in choice if not only or variant.name in only]
    config = TrainConfig(updates=updates, peak_rate=peak_rate, warmup=min(50, updates // 4), threads=threads)
    folder = work / f"ablate-{subject.value}"
    print(table(go(variants, work / "prepared", folder, load_dev_sets(speech), config, start, print)))


@app.command()
def label(
    folder: Annotated[Path, typer.Argument(help="Recordings without text, also in folders below.", exists=True)],
    output: Annotated[Path, typer.Argument(callback=writable, help="Manifest (TSV) to write, for `prepare --extra`.")],
    recogniser: Annotated[
        str, typer.Option(help="Whisper's size (fetched), or a folder of faster-whisper's.")
    ] = "base.en",
    least: Annotated[float, typer.Option(min=0, max=1, help="Certainty that a recording needs to be taken.")] = 0.7,
    beam: Annotated[int, typer.Option(min=1)] = 5,
    threads: int = 2,
) -> None:
    """Have a bigger recogniser say what is in recordings without text; what it is unsure of is left out. Resumable."""
    from rich.progress import track

    from .label import label_folder, recordings_in, whisper_labeller

    recordings_in(folder)
    labeller = whisper_labeller(recogniser, threads, beam)
    labelled, kept = label_folder(folder, output, labeller, least, lambda paths: iter(track(paths, "labelling")))
    print(f"{output}: {kept} of {labelled} recordings, those of certainty {least} and more")


@app.command()
def heldout(
    speech: Speech,
    folder: Annotated[Path, typer.Argument(help="Where to write the recordings and their manifest.tsv.")],
    count: int = 200,
    seed: int = 4242,
) -> None:
    """Synthesise a test set with an engine and voice that training never uses (festival, festvox-kdlpc16k)."""
    from .synthesize import held_out, read_texts, synthesize

    print(synthesize(held_out(read_texts(speech), count, seed), folder))


@app.command()
def log(work: Work = Path("work"), run_name: Annotated[str, typer.Option("--run")] = "run") -> None:
    """Print the error rates a run has logged."""
    for line in made_by("train", work / run_name / "log.jsonl", work).read_text().splitlines():
        row = json.loads(line)
        if "wer" in row:
            print(row["update"], row["wer"])


for command in (
    language_commands.texts,
    language_commands.lm_transformer,
    language_commands.lm_sentences,
    language_commands.pronunciation,
    contextual_commands.bias_prepare,
    contextual_commands.bias_train,
    contextual_commands.bias_export,
    contextual_commands.bias_gate,
    speaker_commands.speaker_prepare,
    speaker_commands.speaker_train,
    speaker_commands.speaker_export,
    small_commands.follow_prepare,
    small_commands.small_train,
    small_commands.sizes_search,
    anchor_commands.anchor_prepare,
    anchor_commands.anchor_train,
    anchor_commands.anchor_export,
    branching_commands.branch_prepare,
    branching_commands.branch_train,
    branching_commands.branch_export,
):
    app.command()(command)


def main() -> None:
    """Run a command; a file that is no use is told in one line."""
    try:
        app()
    except NearwordError as error:
        sys.exit(f"error: {error}")
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; expected `pip install 'nearword[train]'`")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")


if __name__ == "__main__":
    main()
