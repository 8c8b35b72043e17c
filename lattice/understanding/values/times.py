"""Times of day, dates and durations in words."""

import re
from collections.abc import Iterator

from .numbers import Words, read_below_100, read_number, read_ordinal, read_year, word_at

Text = tuple[str, int] | None
"""A value as text, and the place behind it."""

MONTHS = {name: number for number, name in enumerate(
    "january february march april may june july august september october november december".split(), 1)}  # fmt: skip
WEEKDAYS = {name: number for number, name in enumerate(
    "monday tuesday wednesday thursday friday saturday sunday".split(), 1)}  # fmt: skip
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(am|pm)?", re.ASCII)
_HOUR_AND_HALF = re.compile(r"(\d{1,2})(am|pm)", re.ASCII)
_UNITS = {"second": "S", "minute": "M", "hour": "H", "day": "D", "week": "W", "month": "MO", "year": "Y"}
_COUNTED = {*_UNITS, "percent", "degree", "hundred", "thousand", "million", "point", "and"}
_SECONDS = {"S": 1, "M": 60, "H": 3600}
_DAYS = {"today": "P0D", "tonight": "P0D", "tomorrow": "P1D", "yesterday": "-P1D", "overmorrow": "P2D"}
_FURTHER_DAYS: dict[tuple[str, ...], str] = {
    ("day", "after", "tomorrow"): "P2D",
    ("day", "before", "yesterday"): "-P2D",
}
DATE_BEGINNINGS = frozenset(
    {*_DAYS, *MONTHS, *WEEKDAYS, *(days[0] for days in _FURTHER_DAYS), "the", "this", "next", "last"}
)
"""Words that dates may begin with, beside those of ordinals."""
TIME_BEGINNINGS = frozenset({"noon", "midday", "midnight", "half", "quarter", "another"})
"""Words that times and durations may begin with, beside those of numbers."""
_PARTS_OF_TODAY = {"morning", "afternoon", "evening"}


def read_time(words: Words, at: int) -> Text:
    """Read a time of day as HH:MM; one that may be in either half of the day as it was said, from 1:00 to 12:59.

    "twenty to nine" is 8:40, "seven thirty p m" 19:30, "noon" 12:00 and "eight in the evening" 20:00. Times that are
    sure have two digits for the hour.
    """
    word = word_at(words, at)
    if word in {"noon", "midday"}:
        return "12:00", at + 1
    if word == "midnight":
        return "00:00", at + 1
    named = {"noon": "12:00", "midday": "12:00", "midnight": "00:00"}.get(word_at(words, at + 1))
    if word in {"twelve", "12"} and named:
        return named, at + 2
    clock = _CLOCK.fullmatch(word)
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60:
        half, end = (clock[3], at + 1) if clock[3] else _half_of_day(words, at + 1)
        return _told(int(clock[1]), int(clock[2]), half), end
    joined = _HOUR_AND_HALF.fullmatch(word)
    if joined and 1 <= int(joined[1]) <= 12:
        return _told(int(joined[1]), 0, joined[2]), at + 1
    return _read_past_or_to(words, at) or _read_half(words, at) or _read_hour(words, at)


def _read_half(words: Words, at: int) -> Text:
    """Read "half nine", which is half past nine in Britain."""
    hour = read_below_100(words, at + 1) if word_at(words, at) == "half" else None
    if hour is None or not 1 <= hour[0] <= 12 or not _stands_alone(words, hour[1]):
        return None
    half, end = _half_of_day(words, hour[1])
    return _told(hour[0], 30, half), end


def _read_past_or_to(words: Words, at: int) -> Text:
    start = at
    word = word_at(words, at)
    if word in {"half", "quarter"}:
        minutes, at = (30 if word == "half" else 15), at + 1
    elif word == "a" and word_at(words, at + 1) == "quarter":
        minutes, at = 15, at + 2
    else:
        read = read_below_100(words, at)
        if read is None or not 1 <= read[0] <= 59:
            return None
        minutes, at = read
        at += word_at(words, at) in {"minute", "minutes"}
    side = word_at(words, at)
    if side not in {"past", "after", "to", "till", "before", "of"} or (side == "of" and minutes != 15):
        return None
    if side in {"to", "till", "before", "of"} and minutes == 30 and word_at(words, start) == "half":
        return None
    named = {"noon": 12, "midnight": 0}.get(word_at(words, at + 1))
    if named is not None:
        total = (60 * named + (minutes if side in {"past", "after"} else -minutes)) % 1440
        return f"{total // 60:02}:{total % 60:02}", at + 2
    hour = read_below_100(words, at + 1)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    end = hour[1] + (word_at(words, hour[1]) == "o'clock")
    half, end = _half_of_day(words, end)
    total = 60 * (hour[0] % 12) + (minutes if side in {"past", "after"} else -minutes)
    total %= 720
    return _told(total // 60 or 12, total % 60, half), end


def _read_hour(words: Words, at: int) -> Text:
    """Read an hour with something that says that it is one."""
    leading = word_at(words, at) in {"oh", "zero"}
    read = read_below_100(words, at + leading)
    if read is None or read[0] > 24:
        return None
    hour, end = read
    after = word_at(words, end)
    if leading:
        # "oh eight hundred", "zero eight thirty": as soldiers and timetables say it
        minute, behind = (0, end + 1) if after == "hundred" else _minute(words, end)
        told = minute is not None and 1 <= hour <= 9 and _stands_alone(words, behind)
        return (f"{hour:02}:{minute:02}", behind + (word_at(words, behind) == "hours")) if told else None
    if after in {"o'clock", "oclock"}:
        half, end = _half_of_day(words, end + 1)
        return _told(hour, 0, half), end
    if after == "hundred" and word_at(words, end + 1) == "hours":
        return f"{hour % 24:02}:00", end + 2
    minute, behind = _minute(words, end)
    half, behind = _half_of_day(words, behind)
    if half or (minute is not None and _stands_alone(words, behind)):
        return (_told(hour, minute or 0, half), behind) if hour <= 12 or not half or half == "pm" else None
    if word_at(words, at - 1) == "at" and _stands_alone(words, end):
        return _told(hour, 0, ""), end
    return None


def _minute(words: Words, at: int) -> tuple[int | None, int]:
    if word_at(words, at) in {"oh", "o"}:
        unit = read_below_100(words, at + 1)
        return (unit[0], unit[1]) if unit and 1 <= unit[0] <= 9 else (None, at)
    read = read_below_100(words, at)
    return read if read and 10 <= read[0] <= 59 else (None, at)


def _stands_alone(words: Words, at: int) -> bool:
    """Whether a number ends here, and counts nothing."""
    after = word_at(words, at)
    return after.removesuffix("s") not in _COUNTED and read_below_100(words, at) is None


def _half_of_day(words: Words, at: int) -> tuple[str, int]:
    """Read what says which half of the day is meant."""
    if word_at(words, at) in {"am", "pm", "a.m.", "p.m.", "a.m", "p.m"}:
        return word_at(words, at)[0] + "m", at + 1
    if word_at(words, at) in {"a", "p"} and word_at(words, at + 1) == "m":
        return word_at(words, at) + "m", at + 2
    if word_at(words, at) == "in" and word_at(words, at + 1) == "the":
        half = {"morning": "am", "afternoon": "pm", "evening": "pm"}.get(word_at(words, at + 2))
        if half:
            return half, at + 3
    if tuple(words[at : at + 2]) == ("at", "night"):
        return "night", at + 2
    if word_at(words, at) == "tonight":
        return "pm", at  # it is a date as well
    return "", at


def _told(hour: int, minute: int, half: str) -> str:
    if half == "night":
        half = "am" if hour in {12, 1, 2, 3, 4} else "pm"
    if half and hour <= 12:
        return f"{hour % 12 + (12 if half == 'pm' else 0):02}:{minute:02}"
    return f"{hour}:{minute:02}" if 1 <= hour <= 12 else f"{hour % 24:02}:{minute:02}"


def read_date(words: Words, at: int) -> Text:
    """Read a date: 2026-05-03, or what is known of it.

    "the third of may" is --05-03, "monday" is W-1 (the day of the week, ISO 8601's numbers), "next monday" W+1-1,
    "tomorrow" P1D: so far from today.
    """
    word = word_at(words, at)
    if word in _DAYS:
        return _DAYS[word], at + 1
    start = at + (word == "the")
    further = _FURTHER_DAYS.get(tuple(words[start : start + 3]))
    if further:
        return further, start + 3
    if word == "this" and word_at(words, at + 1) in _PARTS_OF_TODAY:
        return "P0D", at + 2
    for next_word, sign in (("next", ""), ("last", "-"), ("this", None)):
        if word == next_word:
            day = word_at(words, at + 1)
            if day in WEEKDAYS:
                week = {"": "+1", "-": "-1", None: "+0"}[sign]
                return f"W{week}-{WEEKDAYS[day]}", at + 2
            if sign is not None and day in {"week", "month", "year"}:
                return f"{sign}P1{day[0].upper()}", at + 2
    if word in WEEKDAYS:
        dated = read_date(words, at + 1) if word_at(words, at + 1) in {"the", *MONTHS} else None
        return (
            dated if dated and dated[0][0] in "-0123456789" and "P" not in dated[0] else (f"W-{WEEKDAYS[word]}", at + 1)
        )
    return _read_day_of_month(words, at) or _read_month_and_day(words, at)


def _read_day_of_month(words: Words, at: int) -> Text:
    """Read "the third of may", "3rd may"."""
    article = word_at(words, at) == "the"
    day = read_ordinal(words, at + article)
    if day is None or not 1 <= day[0] <= 31:
        return None
    number, end = day
    of = word_at(words, end) == "of"
    month = MONTHS.get(word_at(words, end + of))
    if month is None:
        return None
    return _with_year(words, month, number, end + of + 1)


def _read_month_and_day(words: Words, at: int) -> Text:
    """Read "may third", "may the third", "may 3"."""
    month = MONTHS.get(word_at(words, at))
    if month is None:
        return None
    article = word_at(words, at + 1) == "the"
    day = read_ordinal(words, at + 1 + article) or (None if article else read_below_100(words, at + 1))
    if day is not None and 1 <= day[0] <= 31 and read_year(words, at + 1) is None:
        return _with_year(words, month, *day)
    year = read_year(words, at + 1)
    return (f"{year[0]}-{month:02}", year[1]) if year else None


def _with_year(words: Words, month: int, day: int, end: int) -> Text:
    year = read_year(words, end + (word_at(words, end) in {"in", ","}))
    if year is None:
        return f"--{month:02}-{day:02}", end
    return f"{year[0]:04}-{month:02}-{day:02}", year[1]


def read_duration(words: Words, at: int) -> Text:
    """Read a duration as ISO 8601 has it: "an hour and a half" is PT1H30M, "two weeks" P2W."""
    seconds, long, end = 0.0, "", at
    first = True
    while True:
        read = next(_one_duration(words, end if first else end + (word_at(words, end) == "and")), None)
        if read is None:
            break
        amount, unit, behind = read
        if unit in _SECONDS:
            seconds += amount * _SECONDS[unit]
        elif first and not long and amount == int(amount):
            long = f"P{int(amount)}{unit[0]}"
        elif first and unit in {"D", "W"}:
            seconds += amount * 86400 * (7 if unit == "W" else 1)
        else:
            break
        end, first = behind, False
        if long:
            break
    if first:
        return None
    if not long and seconds >= 3600 and word_at(words, end) and end == at + 2:
        # "one hour thirty"
        minutes = read_below_100(words, end)
        if minutes and 10 <= minutes[0] <= 59 and _stands_alone(words, minutes[1]):
            seconds, end = seconds + 60 * minutes[0], minutes[1]
    return long or _iso(seconds), end


def _one_duration(words: Words, at: int) -> Iterator[tuple[float, str, int]]:
    """Yield an amount of a unit, if there is one: amount, unit, place behind it."""
    amount: float | None = None
    end = at
    word = word_at(words, at)
    if tuple(words[at : at + 3]) == ("a", "couple", "of"):
        amount, end = 2, at + 3
    elif tuple(words[at : at + 4]) == ("three", "quarters", "of", "an"):
        amount, end = 0.75, at + 4
    elif word in {"half", "quarter"} or (word == "a" and word_at(words, at + 1) in {"half", "quarter"}):
        skip = 1 + (word == "a")
        amount = 0.5 if "half" in words[at : at + skip] else 0.25
        end = at + skip + (word_at(words, at + skip) == "of")
        if word_at(words, end) not in {"a", "an"}:
            return
        end += 1
    elif word in {"a", "an", "another"} and word_at(words, at + 1) in _UNITS:
        amount, end = 1, at + 1
    else:
        read = read_number(words, at)
        if read is not None:
            amount, end = read
            end += word_at(words, end) == "more"
    unit = _UNITS.get(word_at(words, end).removesuffix("s")) if word_at(words, end) != "s" else None
    if amount is None or amount < 0 or unit is None or (word_at(words, end) == "second" and _is_day(words, at, amount)):
        return
    end += 1
    for phrase, more in ((("and", "a", "half"), 0.5), (("and", "a", "quarter"), 0.25)):
        if tuple(words[end : end + 3]) == phrase and word_at(words, end + 3) not in _UNITS:
            amount, end = amount + more, end + 3
    yield amount, unit, end


def _is_day(words: Words, at: int, number: float) -> bool:
    """Whether "second" behind a number ends an ordinal: "the twenty second", "two hundred and seventy second"."""
    return number % 10 == 0 and (number > 100 or (number >= 20 and word_at(words, at - 1) == "the"))


def _iso(seconds: float) -> str:
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{amount}{unit}" for amount, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if amount]
    return "PT" + ("".join(parts) or "0S")
