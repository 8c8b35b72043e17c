"""Word error rate over a manifest, with what a careful reader asks for: parts, interval, speed, memory."""

import csv
import json
import re
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..models import NearwordError

_KEPT = re.compile(r"[^\w\s']|_")


class ManifestError(NearwordError, ValueError):
    """A manifest cannot be read, or does not hold what it should."""


@dataclass(frozen=True)
class Entry:
    """One line of a manifest."""

    path: Path
    text: str


@dataclass(frozen=True)
class Result:
    """One entry after recognition."""

    entry: Entry
    hypothesis: str
    """Normalised words."""
    seconds: float
    """Length of the audio."""


@dataclass(frozen=True)
class Score:
    """The figures of a manifest."""

    utterances: int
    words: int
    """Words of all references."""
    error_rate: float
    low: float
    """Lower end of the 95 % bootstrap interval of ``error_rate``."""
    high: float
    substitutions: int
    deletions: int
    insertions: int
    audio_seconds: float
    cpu_seconds: float
    """Processor time of the recognition, reading the files included."""
    wall_seconds: float
    peak_memory: int
    """Bytes resident at most, of the whole process."""

    @property
    def real_time_factor(self) -> float:
        """Processor seconds per second of audio."""
        return self.cpu_seconds / self.audio_seconds if self.audio_seconds else 0.0


def normalise(text: str) -> str:
    """Return lower-case words with single spaces; all punctuation but apostrophes becomes a space."""
    return " ".join(_KEPT.sub(" ", text.lower().replace("\u2019", "'")).split())


def read_manifest(manifest: Path, *, text_key: str = "text", root: Path | None = None) -> list[Entry]:
    """Read a manifest: TSV with a header, or JSON lines; ``path`` and ``text_key`` count, the rest is left aside.

    Paths are relative to ``root``; without it to the manifest's folder, or to the folder above if the first file is
    there and not here. Lines without text are left out.

    Raises:
        ManifestError: not readable, no such column, or no line with text.
    """
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise ManifestError(f"{manifest}: no such manifest") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{manifest}: cannot be read as UTF-8 text ({error})") from error
    is_json = bool(lines) and lines[0].lstrip().startswith("{")
    rows = list(
        _json_rows(manifest, lines) if is_json else csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    named = {key for row in rows for key in row}
    for key in ("path", text_key):
        if key not in named:
            there = ", ".join(sorted(str(name) for name in named)) or "nothing"
            raise ManifestError(
                f"{manifest}: no column {key!r} (found {there}); expected TSV with a header, or JSON lines"
            )
    rows = [row for row in rows if row.get("path") and row.get(text_key)]
    if not rows:
        raise ManifestError(f"{manifest}: no line has both 'path' and {text_key!r}")
    if root is None:
        first, here = Path(str(rows[0]["path"])), manifest.parent
        root = here.parent if not (here / first).exists() and (here.parent / first).exists() else here
    return [Entry(root / str(row["path"]), str(row[text_key])) for row in rows]


def _json_rows(manifest: Path, lines: Sequence[str]) -> Iterator[dict[str, object]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ManifestError(f"{manifest}: line {number} is not JSON ({error.msg})") from error
        if not isinstance(row, dict):
            raise ManifestError(f"{manifest}: line {number} is not a JSON object")
        yield row


def recognise_all(
    entries: Iterable[Entry],
    recognise: Callable[[Path], tuple[str, float]],
    failed: Callable[[Entry, NearwordError], None],
) -> Iterator[Result]:
    """Recognise every entry; those whose audio cannot be used are told to ``failed`` and left out.

    ``recognise`` gives the text and the seconds of audio of a path.
    """
    for entry in entries:
        try:
            text, seconds = recognise(entry.path)
        except NearwordError as error:
            failed(entry, error)
        else:
            yield Result(entry, normalise(text), seconds)


def score(results: Sequence[Result], cpu_seconds: float, wall_seconds: float) -> Score:
    """Count the errors (jiwer); the interval is a percentile bootstrap over utterances, seeded."""
    import jiwer  # noqa: PLC0415 (0.2 s that only evaluation needs)

    counts = np.zeros((len(results), 4), np.int64)
    for row, result in zip(counts, results, strict=True):
        reference = normalise(result.entry.text)
        if not reference:
            row[:] = 0, 0, 0, len(result.hypothesis.split())
            continue
        output = jiwer.process_words(reference, result.hypothesis)
        row[:] = len(reference.split()), output.substitutions, output.deletions, output.insertions
    words, substitutions, deletions, insertions = (int(value) for value in counts.sum(0))
    low = high = rate = 0.0
    if words:
        rate = (substitutions + deletions + insertions) / words
        draws = np.random.default_rng(0).integers(0, len(counts), (2000, len(counts)))
        sums = counts[draws].sum(1)
        low, high = np.quantile(sums[:, 1:].sum(1) / np.maximum(1, sums[:, 0]), (0.025, 0.975))
    return Score(
        len(results),
        words,
        rate,
        float(low),
        float(high),
        substitutions,
        deletions,
        insertions,
        sum(result.seconds for result in results),
        cpu_seconds,
        wall_seconds,
        peak_memory(),
    )


def peak_memory() -> int:
    """Return the most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
