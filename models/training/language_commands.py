"""The recipe's commands that learn from text: sentences for the n-gram, the transformer, letters to sounds."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Speech, Work, writable

HEAD = 32
"""Width of an attention head."""


def texts(
    speech: Speech,
    output: Annotated[Path, typer.Argument(callback=writable, help="Text file to write, a sentence a line.")],
    templates: Annotated[
        int, typer.Option(min=0, help="Sentences from the templates, beside those of text/.")
    ] = 80_000,
    strings: Annotated[int, typer.Option(min=0, help="Strings of common words, for what no request holds.")] = 15_000,
    general: Annotated[int, typer.Option(min=0, help="Sentences of general English, from a grammar.")] = 20_000,
    exclude: Annotated[
        list[Path] | None, typer.Option(help="Manifests (TSV) whose sentences are left out, e.g. a test set's.")
    ] = None,
    seed: int = 777,
) -> None:
    """Write the sentences that the n-gram in the model folder is trained on: `nearword lm train` takes them."""
    from itertools import islice

    from .manifest import read_rows
    from .phrases import generate, label_text, word_strings
    from .sentences import sentences
    from .synthesize import read_texts

    left_out = {label_text(row["text"]) for manifest in exclude or [] for row in read_rows(manifest)}
    made = (
        *islice(generate(seed), templates),
        *islice(word_strings(seed), strings),
        *islice(sentences(seed), general),
    )
    lines = [text for text in (*read_texts(speech), *made) if text not in left_out]
    output.write_text("\n".join(lines) + "\n")
    print(f"{output}: {len(lines):,} sentences")


def lm_transformer(
    speech: Speech,
    folder: Annotated[Path, typer.Argument(help="The language model's folder to write.")],
    exclude: Annotated[
        list[Path] | None, typer.Option(help="Text files whose sentences are left out of training, one a line.")
    ] = None,
    vocab_size: Annotated[int, typer.Option(min=100, help="Word pieces of its own SentencePiece model.")] = 1500,
    dim: Annotated[int, typer.Option(min=16, help="Width; a multiple of 4.")] = 128,
    blocks: Annotated[int, typer.Option(min=1, help="Layers.")] = 4,
    updates: Annotated[int, typer.Option(min=1, help="Steps, about 0.15 s each on a core.")] = 2500,
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train a small causal transformer for rescoring on text/ and templates, and export it to ONNX."""
    import torch

    from .language_model import LanguageModelConfig, LanguageModelTraining, train_language_model, train_tokenizer
    from .language_model_export import export_language_model
    from .phrases import label_text
    from .synthesize import read_texts

    if dim % 4:
        raise typer.BadParameter(f"is {dim}; expected a multiple of 4", param_hint="--dim")
    torch.set_num_threads(threads)
    left_out = {label_text(line) for path in exclude or [] for line in path.read_text("utf-8").splitlines()}
    texts = [text for text in read_texts(speech) if text not in left_out]
    folder.mkdir(parents=True, exist_ok=True)
    encode = train_tokenizer(texts, vocab_size, folder / "tokenizer.model")
    config = LanguageModelConfig(vocab_size=vocab_size, dim=dim, blocks=blocks)
    model = train_language_model(
        texts, encode, config, LanguageModelTraining(updates=updates, seed=seed),
        lambda update, loss, fit: print(f"{update:6}  loss {loss:.3f} per piece, perplexity {fit:.1f} per word"),
    )  # fmt: skip
    export_language_model(model, folder / "tokenizer.model", folder)
    print(f"{folder}: {model.parameter_count():,} parameters")


def lm_sentences(
    texts: Annotated[Path, typer.Argument(help="What it learns, a sentence a line: what `texts` writes.", exists=True)],
    output: Annotated[Path, typer.Argument(callback=writable, help="The graph to write: lm.onnx of a model folder.")],
    pieces: Annotated[Path, typer.Option(help="bpe.model of that folder.", exists=True)],
    work: Work = Path("work"),
    dim: Annotated[int, typer.Option(min=32, help="Width; a multiple of 32.")] = 192,
    blocks: Annotated[int, typer.Option(min=1, help="Layers.")] = 4,
    updates: Annotated[int, typer.Option(min=1, help="Steps, about 0.15 s each on a core.")] = 22_000,
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train the transformer that scores whole sentences at the end of an utterance; goes on where it was cut off."""
    import torch
    from rich.progress import Progress

    from ..pieces import open_pieces
    from .language_model import LanguageModelConfig, LanguageModelTraining, train_language_model
    from .language_model_export import export_sentence_model

    if dim % HEAD:
        raise typer.BadParameter(f"is {dim}; expected a multiple of {HEAD}", param_hint="--dim")
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    processor = open_pieces(pieces)
    config = LanguageModelConfig(
        vocab_size=processor.get_piece_size() + 1, dim=dim, blocks=blocks, heads=dim // HEAD, max_positions=96,
        dropout=0.0, begin=0, end=processor.get_piece_size(),
    )  # fmt: skip
    training = LanguageModelTraining(
        updates=updates, batch_tokens=1536, generated=0.0, peak_rate=2e-3, held_out=2000, seed=seed
    )
    with Progress() as bar:
        task = bar.add_task("Train", total=updates)
        model = train_language_model(
            texts.read_text("utf-8").splitlines(), lambda text: list(processor.EncodeAsIds(text)), config, training,
            lambda update, loss, fit: bar.print(
                f"{update:6}  loss {loss:.3f} per piece, perplexity {fit:.1f} per word"
            ),
            checkpoint=work / "sentences.pt",
            step=lambda update: bar.update(task, completed=update),
        )  # fmt: skip
    export_sentence_model(model, output)
    print(f"{output}: {model.parameter_count():,} parameters")


def pronunciation(
    speech: Speech,
    output: Annotated[
        Path, typer.Argument(callback=writable, help="The graph to write: pronounce.onnx of a model folder.")
    ],
    work: Work = Path("work"),
    common: Annotated[int, typer.Option(min=0, help="Commonest English words to learn from.")] = 80_000,
    sentences: Annotated[int, typer.Option(min=1, help="Sentences to take names and words from.")] = 60_000,
    epochs: Annotated[int, typer.Option(min=1, help="Times that every word is seen.")] = 10,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 4e-3,
    init_from: Annotated[
        Path | None, typer.Option(help="Train on the weights of an earlier run, its pronunciation.pt.", exists=True)
    ] = None,
    threads: int = 1,
    seed: int = 1,
) -> None:
    """Train letters to phones on flite's lexicon and rules; prints the errors on words held out."""
    import onnx
    import torch
    from rich.progress import Progress

    from ..pronunciation import Pronouncer
    from . import pronunciation as recipe

    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    words, names, commonest = recipe.collect_words(speech, common, sentences, seed)
    with Progress() as bar:
        said = bar.add_task("Pronounce", total=len(words))
        lexicon = recipe.read_lexicon(words, work / "lexicon.tsv", lambda done: bar.update(said, completed=done))
        task = bar.add_task("Train", total=None)
        network = recipe.train_pronunciation(
            {word: phones for word, phones in lexicon.items() if not recipe.is_held_out(word)},
            recipe.PronunciationConfig(),
            recipe.PronunciationTraining(epochs=epochs, peak_rate=peak_rate, seed=seed),
            lambda update, updates, loss: bar.update(
                task, completed=update, total=updates, description=f"Train, loss {loss:.3f}"
            ),
            torch.load(init_from, weights_only=True) if init_from else None,
            commonest,
        )
    torch.save(network.state_dict(), work / "pronunciation.pt")
    onnx.save(recipe.graph(network), output)
    pronouncer = Pronouncer.load(output)
    held_out = {word: phones for word, phones in lexicon.items() if recipe.is_held_out(word)}
    for kind, part in (("words", held_out), ("names", {word: held_out[word] for word in names & held_out.keys()})):
        fit = recipe.measure(pronouncer, part)
        print(f"{fit.words:,} {kind} held out: {fit.word_errors:.1%} wrong, {fit.phone_errors:.1%} of their phones")
