"""Recordings with a known end of speech through end-pointers: what ``endpointing.scorecard`` counts."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...endpointing import Ending, EndpointSettings, Observation, Speculation, observation_from_dict
from ...models import SAMPLE_RATE, AudioError, Channel, Transducer, read_audio
from ...models.samples import Samples
from ..recognition.events import Event, Final, FinalReason, Reset, SpeculativeFinal
from ..recognition.recognizer import Recognizer
from .word_errors import ManifestError, locate, read_rows

END_KEYS = ("end", "aligned_end")
"""Columns that may hold the true end of speech, the first that is there counts."""
TAIL_SECONDS = 3.0
"""Silence that must follow the end of speech for the slowest end-pointer to decide; recordings are made so long."""
FRAME = SAMPLE_RATE // 50
"""Samples of 20 ms: in such pieces a peer hears the audio, as from a sound card."""


@dataclass(frozen=True)
class Recording:
    """One line of a manifest."""

    path: Path
    end: float
    """When the last word truly ends, in seconds."""


@dataclass(frozen=True)
class Decisions:
    """What one system decided on one recording."""

    speculations: tuple[Speculation, ...]
    endings: tuple[Ending, ...]
    unended: str
    """Words that no ending had."""


System = Callable[[Samples], Decisions]
"""Hears one recording, 16 kHz mono in [-1, 1], [samples], as a live stream."""


def read_ends(manifest: Path, *, end_key: str | None = None, root: Path | None = None) -> list[Recording]:
    """Read recordings with their true ends of speech from TSV with a header, or JSON lines.

    Paths are found as ``evaluation.read_manifest`` finds them. Lines without an end are left out.

    Args:
        manifest: the file.
        end_key: the column of the end, in seconds; by default ``end``, or else ``aligned_end``.
        root: the folder that paths are relative to.

    Raises:
        ManifestError: not readable, no such column, an end that is not a time, or no line with an end.
    """
    rows = read_rows(manifest, "path")
    named = {key for row in rows for key in row}
    key = end_key or next((key for key in END_KEYS if key in named), None)
    if key is None or key not in named:
        wanted = repr(end_key) if end_key else " or ".join(map(repr, END_KEYS))
        raise ManifestError(
            f"{manifest}: no column {wanted} with the end of speech (found {', '.join(sorted(map(str, named)))});"
            " name it with --end-key"
        )
    recordings = [
        Recording(locate(manifest, str(row["path"]), root), _seconds(manifest, row, key))
        for row in rows
        if row.get("path") and row.get(key) not in (None, "")
    ]
    if not recordings:
        raise ManifestError(f"{manifest}: no line has both 'path' and {key!r}")
    return recordings


def read_records(path: Path) -> dict[str, list[Observation]]:
    """Read what systems decided, by system, from JSON lines as ``nearword endpoints --details`` writes them.

    Without ``system`` on a line, it is called by the file's name.

    Raises:
        ManifestError: not readable, or a line is not a record.
    """
    systems: dict[str, list[Observation]] = {}
    for row in read_rows(path, "name", "end", "seconds"):
        try:
            systems.setdefault(str(row.get("system", path.stem)), []).append(observation_from_dict(row))
        except ValueError as error:
            raise ManifestError(f"{path}: {error}") from error
    return systems


def _seconds(manifest: Path, row: dict[str, object], key: str) -> float:
    try:
        seconds = float(str(row[key]))
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise ManifestError(f"{manifest}: {key} of {row['path']} is {row[key]!r}: expected seconds, more than 0")
    return seconds


def read_recording(recording: Recording, channel: Channel = "mix") -> Samples:
    """Return the audio of a channel, [samples], with enough silence after the end of speech.

    What is missing is made as loud as the recording's quietest tenth: absolute silence would be too easy.

    Raises:
        AudioError: not usable audio, or shorter than its end of speech.
    """
    samples = read_audio(recording.path, channel=channel)
    seconds = len(samples) / SAMPLE_RATE
    if recording.end > seconds + 0.1:
        raise AudioError(recording.path, f"lasts {seconds:.2f} s, but its speech is said to end at {recording.end} s")
    missing = round((recording.end + TAIL_SECONDS) * SAMPLE_RATE) - len(samples)
    if missing <= 0:
        return samples
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    level = float(np.quantile(np.sqrt((frames**2).mean(axis=1)), 0.1)) if len(frames) else 0.0
    noise = np.random.default_rng(0).normal(0.0, level, missing).astype(np.float32)
    return np.concatenate([samples, noise])


def observe(system: System, name: str, end: float, samples: Samples) -> Observation:
    """Return what a system decided on one recording."""
    decided = system(samples)
    seconds = len(samples) / SAMPLE_RATE
    return Observation(name, end, seconds, decided.speculations, decided.endings, decided.unended)


def own_system(model: Transducer, settings: EndpointSettings) -> System:
    """Return this project's end-pointers with these settings."""

    def hear(samples: Samples) -> Decisions:
        recognizer = Recognizer(model, settings)
        return decisions([*recognizer.accept(samples), *recognizer.finish()])

    return hear


def decisions(events: Iterable[Event]) -> Decisions:
    """Return what end-pointers decided, of all events of a stream."""
    speculations: list[Speculation] = []
    endings: list[Ending] = []
    unended = ""
    for event in events:
        if isinstance(event, SpeculativeFinal):
            speculations.append(Speculation(event.time, event.text))
        elif isinstance(event, Reset):
            last = speculations.pop()
            speculations.append(Speculation(last.time, last.text, event.time))
        elif isinstance(event, Final) and event.text:
            if event.reason is FinalReason.end_of_stream:
                unended = event.text
            else:
                endings.append(Ending(event.time, event.text))
    return Decisions(tuple(speculations), tuple(endings), unended)
