"""From times and dates as they were said to those of a calendar: when "monday at seven" is, seen from now."""

import datetime as dt
import re

from .find import Value, ValueKind

_WEEKDAY = re.compile(r"W([+-]\d)?-(\d)")
_OFFSET = re.compile(r"(-?)P(\d+)([DWMY])")
_NO_YEAR = re.compile(r"--(\d\d)-(\d\d)")
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_LONG = re.compile(r"P(\d+)([DWMY])")
Resolved = dt.date | dt.time | dt.timedelta | None


def resolve(value: Value, now: dt.datetime) -> Resolved:
    """Return a time, date or duration as Python has it; None for what is none, or for a date that is not there.

    A time that may be in either half of the day is the next to come. A date without a year, or a day of the week, is
    the next from today on. A month counts 30 days in a duration, and is a calendar month from today.
    """
    text = str(value.value)
    if value.kind is ValueKind.time:
        return _time(text, now)
    if value.kind is ValueKind.date:
        return _date(text, now.date())
    if value.kind is ValueKind.duration:
        return _duration(text)
    return None


def _time(text: str, now: dt.datetime) -> dt.time:
    hours, minutes = map(int, text.split(":"))
    if len(text) == 5 and not 10 <= hours <= 12:
        return dt.time(hours, minutes)
    if not _may_be_either(text):
        return dt.time(hours, minutes)
    choices = [dt.time(hours % 12, minutes), dt.time(hours % 12 + 12, minutes)]
    return min(choices, key=lambda time: (_until(time, now), time))


def _may_be_either(text: str) -> bool:
    return text[0] != "0" and int(text.partition(":")[0]) <= 12 and len(text) == 4


def _until(time: dt.time, now: dt.datetime) -> int:
    wait = 60 * (time.hour - now.hour) + time.minute - now.minute
    return wait if wait > 0 else wait + 1440


def _date(text: str, today: dt.date) -> dt.date | None:
    try:
        return _dated(text, today)
    except (ValueError, OverflowError):  # the thirtieth of february
        return None


def _dated(text: str, today: dt.date) -> dt.date | None:
    if match := _WEEKDAY.fullmatch(text):
        day = int(match[2]) - today.isoweekday()
        if match[1] is None:
            return today + dt.timedelta(day % 7)
        return today + dt.timedelta(day + 7 * int(match[1]))
    if match := _OFFSET.fullmatch(text):
        number = int(match[2]) * (-1 if match[1] else 1)
        if match[3] in "DW":
            return today + dt.timedelta(number * (7 if match[3] == "W" else 1))
        months = 12 * today.year + today.month - 1 + number * (12 if match[3] == "Y" else 1)
        year, month = divmod(months, 12)
        last = (dt.date(year + (month == 11), (month + 1) % 12 + 1, 1) - dt.timedelta(1)).day
        return dt.date(year, month + 1, min(today.day, last))
    if match := _NO_YEAR.fullmatch(text):
        for year in range(today.year, today.year + 9):  # the 29th of february is not there every year
            try:
                date = dt.date(year, int(match[1]), int(match[2]))
            except ValueError:
                continue
            if date >= today:
                return date
        return None
    return dt.date.fromisoformat(text) if text.count("-") == 2 else None


def _duration(text: str) -> dt.timedelta | None:
    if match := _DURATION.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if match := _LONG.fullmatch(text):
        return dt.timedelta(int(match[1]) * {"D": 1, "W": 7, "M": 30, "Y": 365}[match[2]])
    return None
