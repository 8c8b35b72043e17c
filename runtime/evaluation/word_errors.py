"""Word error rate over a manifest, with what a careful reader asks for: parts, interval, speed, memory."""

import csv
import json
import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...models import NearwordError
from ..recognition.text import normalise

if TYPE_CHECKING:
    from jiwer import WordOutput

BOOTSTRAP_DRAWS = 2000


class ManifestError(NearwordError, ValueError):
    """A manifest cannot be read, or does not hold what it should."""


class EvaluationError(NearwordError):
    """Something that only evaluation needs is not there."""


@dataclass(frozen=True)
class Entry:
    """One line of a manifest."""

    path: Path
    text: str
    labels: Mapping[str, object] = field(default_factory=dict, compare=False)
    """The whole line: column to what stands there."""


@dataclass(frozen=True)
class Result:
    """One entry after recognition."""

    entry: Entry
    hypothesis: str
    """Normalised words."""
    seconds: float
    """Length of the audio."""

    @property
    def reference(self) -> str:
        """The entry's text, normalised as the hypothesis is."""
        return normalise(self.entry.text)


@dataclass(frozen=True)
class Score:
    """The figures of a manifest."""

    utterances: int
    words: int
    """Words of all references."""
    error_rate: float
    """Errors per reference word; NaN without reference words."""
    low: float
    """Lower end of the 95 % bootstrap interval of ``error_rate``."""
    high: float
    """Its upper end."""
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

    @property
    def wall_real_time_factor(self) -> float:
        """Seconds by the clock per second of audio."""
        return self.wall_seconds / self.audio_seconds if self.audio_seconds else 0.0


def read_manifest(manifest: Path, *, text_key: str = "text", root: Path | None = None) -> list[Entry]:
    """Read a manifest: TSV with a header, or JSON lines; ``path`` and ``text_key`` count, the rest is left aside.

    Paths are relative to ``root``; without it to the manifest's folder, or, for a file that is not there, to the
    folder above if it is in that one. Lines without text are left out.

    Raises:
        ManifestError: not readable, no such column, or no line with text.
    """
    rows = read_rows(manifest, "path", text_key)
    entries = [
        Entry(locate(manifest, str(row["path"]), root), str(row[text_key]), row)
        for row in rows
        if row.get("path") and row.get(text_key)
    ]
    if not entries:
        raise ManifestError(f"{manifest}: no line has both 'path' and {text_key!r}")
    return entries


def read_rows(manifest: Path, *keys: str) -> list[dict[str, object]]:
    """Read the lines of a manifest: TSV with a header, or JSON lines.

    Raises:
        ManifestError: not readable, or one of ``keys`` is on no line.
    """
    try:
        # utf-8-sig: spreadsheets put a byte order mark first. Lines end in \n only: JSON may hold U+2028 as it is.
        lines = [line.rstrip("\r") for line in manifest.read_text(encoding="utf-8-sig").split("\n")]
    except FileNotFoundError as error:
        raise ManifestError(f"{manifest}: no such manifest") from error
    except OSError as error:
        raise ManifestError(f"{manifest}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{manifest}: is not UTF-8 text; expected TSV with a header, or JSON lines") from error
    is_json = bool(lines) and lines[0].lstrip().startswith("{")
    try:
        rows = list(_json_rows(manifest, lines) if is_json else _table_rows(lines))
    except csv.Error as error:
        raise ManifestError(f"{manifest}: is not a table of tab-separated values ({error})") from error
    named = {key for row in rows for key in row}
    for key in keys:
        if key not in named:
            there = ", ".join(sorted(str(name) for name in named)) or "nothing"
            raise ManifestError(
                f"{manifest}: no column {key!r} (found {there}); expected TSV with a header, or JSON lines"
            )
    return rows


def locate(manifest: Path, path: str, root: Path | None) -> Path:
    """Return where a manifest's path leads; see ``read_manifest``."""
    if root is not None:
        return root / path
    beside, above = manifest.parent / path, manifest.absolute().parent.parent / path
    return above if not _exists(beside) and _exists(above) else beside


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def _table_rows(lines: Sequence[str]) -> Iterator[dict[str, object]]:
    yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)


def _json_rows(manifest: Path, lines: Sequence[str]) -> Iterator[dict[str, object]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ManifestError(f"{manifest}: line {number} is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise ManifestError(f"{manifest}: line {number} is not a JSON object")
        yield row


def recognise_all(
    entries: Iterable[Entry],
    recognise: Callable[[Path], tuple[str, float]],
    failed: Callable[[Entry, Exception], None],
) -> Iterator[Result]:
    """Recognise every entry; those that cannot be, for whatever reason, are told to ``failed`` and left out.

    ``recognise`` gives the text and the seconds of audio of a path.
    """
    for entry in entries:
        try:
            text, seconds = recognise(entry.path)
        except Exception as error:  # noqa: BLE001 (what goes wrong with one leaves the others as they are)
            failed(entry, error)
        else:
            yield Result(entry, normalise(text), seconds)


def score(results: Sequence[Result], cpu_seconds: float, wall_seconds: float) -> Score:
    """Count the errors (jiwer); the interval is a percentile bootstrap over utterances, seeded."""
    memory = peak_memory()  # of the recognition: before jiwer is loaded and the bootstrap drawn
    counts = np.asarray([count_errors(result.reference, result.hypothesis) for result in results], np.int64)
    words, substitutions, deletions, insertions = (int(value) for value in counts.reshape(-1, 4).sum(0))
    low = high = rate = float("nan")
    if words:
        rate = (substitutions + deletions + insertions) / words
        low, high = _interval(counts[:, 1:].sum(1), counts[:, 0])
    return Score(
        len(results),
        words,
        rate,
        low,
        high,
        substitutions,
        deletions,
        insertions,
        sum(result.seconds for result in results),
        cpu_seconds,
        wall_seconds,
        memory,
    )


def count_errors(reference: str, hypothesis: str) -> tuple[int, int, int, int]:
    """Return the words of the reference, and how many were substituted, deleted and inserted."""
    if not reference:  # jiwer has no error rate for it; here every word is one too many
        return 0, 0, 0, len(hypothesis.split())
    output = align_words(reference, hypothesis)
    return len(reference.split()), output.substitutions, output.deletions, output.insertions


def align_words(reference: str, hypothesis: str) -> "WordOutput":
    """Return the alignment with the fewest errors of a hypothesis to a reference that has words (jiwer).

    Raises:
        EvaluationError: jiwer is not installed.
    """
    try:
        import jiwer  # noqa: PLC0415 (0.2 s that only evaluation needs)
    except ImportError as error:
        raise EvaluationError(
            "counting errors needs the package jiwer; run: pip install 'nearword[evaluate]'"
        ) from error
    return jiwer.process_words(reference, hypothesis)


def _interval(errors: npt.NDArray[np.int64], words: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the 95 % interval of the error rate: errors [utterances], words [utterances]."""
    rng = np.random.default_rng(0)
    rates = np.empty(BOOTSTRAP_DRAWS)
    for number in range(BOOTSTRAP_DRAWS):
        draw = rng.integers(0, len(words), len(words))
        rates[number] = errors[draw].sum() / max(1, words[draw].sum())
    low, high = np.quantile(rates, (0.025, 0.975))
    return float(low), float(high)


def peak_memory() -> int:
    """Return the most memory this process has held, in bytes."""
    try:
        # Linux's ru_maxrss begins with what the parent held when it started this process; this does not
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
