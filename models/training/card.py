"""The model card: what the model is and how well it does, measured by ``nearword evaluate`` in processes of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from ..transducer import ModelInfo, Transducer

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Way(NamedTuple):
    """A way to search."""

    precision: str
    """Of the graphs."""
    beam: int
    """Hypotheses followed."""
    language: bool
    """Whether the folder's n-gram helps."""
    phones: bool
    """Whether the phones do, at the end of an utterance."""
    sentences: bool
    """Whether whole sentences are scored then."""


WAYS = (
    Way("int8", 12, language=True, phones=True, sentences=True),
    Way("int8", 12, language=True, phones=True, sentences=False),
    Way("int8", 12, language=True, phones=False, sentences=False),
    Way("int8", 12, language=False, phones=False, sentences=False),
    Way("int8", 1, language=False, phones=False, sentences=False),
    Way("float", 12, language=True, phones=True, sentences=True),
)
"""One for each row."""


def evaluate(folder: Path, manifest: Path, way: Way) -> dict[str, float]:
    """Run ``nearword evaluate`` on one manifest and return its figures."""
    key = "aligned_text" if manifest.suffix == ".jsonl" else "text"
    command = [sys.executable, "-m", "nearword.runtime.cli", "evaluate", str(manifest), "--text-key", key]
    precision = "auto" if way.precision == "int8" else way.precision
    command += ["--model", str(folder), "--precision", precision, "--beam", str(way.beam), "--format", "json"]
    command += [] if way.language else ["--lm", "none"]
    command += [] if way.phones else ["--no-phones"]
    command += [] if way.sentences else ["--no-sentences"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(output)
    return figures


def figures_table(folder: Path, manifests: list[Path]) -> str:
    """Return the table of error rates: every manifest, int8 and float where the folder has both."""
    has_float = any(not path.name.endswith(".int8.onnx") for path in folder.glob("encoder*.onnx"))
    heads = ("set", "graphs", "beam", "n-gram", "phones", "sentences", "utterances", "words", "WER %", "95 % interval")
    lines = [
        "| " + " | ".join((*heads, "sub / del / ins", "CPU s per s")) + " |",
        "| --- " * 12 + "|",
    ]
    for manifest in manifests:
        for way in WAYS:
            if way.precision == "float" and not has_float:
                continue
            row = evaluate(folder, manifest, way)
            interval = f"{100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f}"
            parts = f"{row['substitutions']} / {row['deletions']} / {row['insertions']}"
            cells = [
                f"{manifest.parent.name}/{manifest.stem}",
                way.precision,
                way.beam,
                *("yes" if used else "no" for used in way[2:]),
                row["utterances"],
                row["words"],
                f"{100 * row['wer']:.1f}",
                interval,
                parts,
                f"{row['real_time_factor']:.4f}",
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def facts(info: ModelInfo) -> str:
    """Return the facts that the files tell."""
    size = f"{info.size_bytes / 1e6:.1f} MB of graphs in use ({info.precision} encoder)"
    steps = f"steps of {info.chunk_shift * 10} ms with {info.look_ahead_seconds * 1000:.0f} ms of look-ahead"
    frames = f"{info.frame_seconds * 1000:.0f} ms per encoder frame"
    return f"{size}; {steps}; {frames}; {info.vocab_size} word pieces; the predictor sees {info.context_size}."


def write_card(folder: Path, speech: Path, output: Path, notes: Path | None) -> Path:
    """Write the figures into ``output`` between its marks, or a new card of ``notes`` and figures; returns its path."""
    manifests = sorted((speech / "dev").glob("*.tsv")) + sorted((speech / "dev").glob("*.jsonl"))
    info = Transducer.load(folder).info
    figures = f"{BEGIN}\n{facts(info)}\n\n{figures_table(folder, manifests)}\n{END}"
    text = output.read_text() if output.exists() else f"# {folder.name}\n\n{BEGIN}{END}\n"
    if notes is not None:
        text = notes.read_text() + f"\n{BEGIN}{END}\n"
    before, rest = text.split(BEGIN, 1)
    output.write_text(before + figures + rest.split(END, 1)[1])
    return output
