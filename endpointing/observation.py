"""What an end-pointer did with one recording: the record that a scorecard is computed from.

Plain data with a JSON form, so that any recogniser's end-pointing can be scored, not only this project's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Speculation:
    """A guess that the speaker had finished."""

    time: float
    """Seconds of audio at which it was made."""
    text: str
    """The words that downstream work would have started from."""
    reset: float | None = None
    """Seconds of audio at which it was taken back; None: a final confirmed it."""


@dataclass(frozen=True)
class Ending:
    """A decision, for good, that the speaker had finished. Endings without words are left out of a record."""

    time: float
    """Seconds of audio at which it was made."""
    text: str


@dataclass(frozen=True)
class Observation:
    """One recording, its true end of speech, and what was decided. All times in seconds of the recording.

    Raises:
        ValueError: a time is negative, not finite or out of order; names the recording and the field.
    """

    name: str
    """The recording, for the reader of a report."""
    end: float
    """When its last word truly ends."""
    seconds: float
    """Audio that was given, silence after the end included: what is not decided by then was not decided."""
    speculations: tuple[Speculation, ...] = ()
    """In order of time."""
    endings: tuple[Ending, ...] = ()
    """In order of time."""
    unended: str = ""
    """Words that no ending had when the audio was over."""

    def __post_init__(self) -> None:
        def check(field: str, value: float | None, least: float = 0.0) -> None:
            if value is not None and not (math.isfinite(value) and value >= least):
                raise ValueError(f"{self.name}: {field} is {value}: expected seconds, {least:g} or more")

        check("end", self.end)
        check("seconds", self.seconds)
        for field, times in (
            ("time of a speculation", [speculation.time for speculation in self.speculations]),
            ("time of an ending", [ending.time for ending in self.endings]),
        ):
            for before, time in zip([0.0, *times], times, strict=False):
                check(field, time, before)
        for speculation in self.speculations:
            check("reset of a speculation", speculation.reset, speculation.time)

    @property
    def is_heard(self) -> bool:
        """Whether any words were recognised."""
        return bool(self.endings or self.unended)

    @property
    def is_cut(self) -> bool:
        """Whether the speaker was cut off: an ending came before the true end."""
        return any(ending.time < self.end for ending in self.endings)

    @property
    def closing(self) -> Ending | None:
        """The first ending at or after the true end; None if there is none."""
        return next((ending for ending in self.endings if ending.time >= self.end), None)

    @property
    def standing(self) -> Speculation | None:
        """The speculation that the closing ending confirmed, if it did; every other one was wrong.

        One that an ending before the true end confirmed was wrong with it.
        """
        if self.closing is None:
            return None
        begin = max((ending.time for ending in self.endings if ending.time < self.end), default=-math.inf)
        within = [guess for guess in self.speculations if begin <= guess.time <= self.closing.time]
        return within[-1] if within and within[-1].reset is None else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def observation_from_dict(values: Mapping[str, Any]) -> Observation:
    """Return the observation that ``to_dict`` made ``values`` of; other keys are left aside.

    Raises:
        ValueError: something is missing, of the wrong type, or out of order; names it.
    """
    name = str(values.get("name", "a recording without a name"))

    def number(row: Mapping[str, Any], key: str) -> float:
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name}: {key} is {value!r}: expected seconds, a number")  # noqa: TRY004 (a value of JSON)
        return float(value)

    def rows(key: str) -> Sequence[Mapping[str, Any]]:
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            raise ValueError(f"{name}: {key} is not a list of objects")
        return value

    def guess(row: Mapping[str, Any]) -> Speculation:
        reset = None if row.get("reset") is None else number(row, "reset")
        return Speculation(number(row, "time"), str(row.get("text", "")), reset)

    return Observation(
        name,
        number(values, "end"),
        number(values, "seconds"),
        tuple(map(guess, rows("speculations"))),
        tuple(Ending(number(row, "time"), str(row.get("text", ""))) for row in rows("endings")),
        str(values.get("unended", "")),
    )
