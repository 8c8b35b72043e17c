"""Every time, date, duration, number and spelling has the value that it was said of, however it is said."""

import datetime as dt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nearword.lattice.understanding import ValueKind, find_values, resolve, value_of
from said import MONTHS, NATO, WEEKDAYS, below_100, in_words, ordinal_in_words

NOW = dt.datetime(2026, 5, 6, 15, 30)  # noqa: DTZ001 (a wall clock; it is a Wednesday)
HALVES = {
    "": "", "am": "a m", "pm": "p m", "morning": "in the morning", "afternoon": "in the afternoon",
    "evening": "in the evening",
}  # fmt: skip


def value(text, kind):
    found = value_of(text.split())
    assert found is not None, text
    assert found.kind is ValueKind(kind), text
    return found.value


def clock(hour, minute, half):
    """Say a time of the clock with hands, 1 to 12, as it is to be read."""
    if not half:
        return f"{hour}:{minute:02}"
    return f"{hour % 12 + (0 if half in ('am', 'morning') else 12):02}:{minute:02}"


@given(st.integers(1, 12), st.integers(1, 59), st.sampled_from(sorted(HALVES)), st.booleans())
def test_a_time_past_or_to_the_hour(hour, minute, half, quarters):
    before = minute > 30
    said = f"{in_words(60 - minute if before else minute)} {'to' if before else 'past'}"
    if quarters and minute in (15, 45):
        said = "a quarter to" if before else "quarter past"
    if quarters and minute == 30:
        said = "half past"
    named = hour % 12 + 1 if before else hour
    # "ten to twelve in the morning" is of the half that "twelve" stands for; who says so means the other
    assume(not half or named != 12)
    text = f"{said} {in_words(named)} {HALVES[half]}"
    expected = clock(hour, minute, half)
    if half and before and named == 1:
        expected = clock(12, minute, half)
    assert value(text, "time") == expected


@given(st.integers(1, 12), st.integers(0, 59), st.sampled_from(["am", "pm", "morning", "evening"]))
def test_a_time_as_hour_and_minute(hour, minute, half):
    minutes = "" if not minute else f"oh {in_words(minute)}" if minute < 10 else below_100(minute)
    assert value(f"{in_words(hour)} {minutes} {HALVES[half]}", "time") == clock(hour, minute, half)
    assert value(f"{hour}:{minute:02} {HALVES[half]}", "time") == clock(hour, minute, half)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twelve noon", "12:00"), ("twelve midnight", "00:00"), ("half nine", "9:30"), ("half past midnight", "00:30"),
        ("quarter to midnight", "23:45"), ("oh eight hundred", "08:00"), ("zero six thirty", "06:30"),
        ("eighteen hundred hours", "18:00"), ("a quarter past six in the evening", "18:15"),
    ],
)  # fmt: skip
def test_times_with_words_of_their_own(text, expected):
    assert value(text, "time") == expected


@given(st.dates(dt.date(2024, 1, 1), dt.date(2031, 12, 31)), st.integers(0, 3), st.booleans())
def test_a_day_of_a_month(date, way, with_year):
    day, month = ordinal_in_words(date.day), MONTHS[date.month - 1]
    text = (f"the {day} of {month}", f"{month} the {day}", f"{month} {day}", f"on the {day} of {month}")[way]
    if with_year:
        text += f" {below_100(date.year // 100)} {below_100(date.year % 100)}"
        assert resolve(value_of(text.split()), NOW) == date
    else:
        assert value(text, "date") == f"--{date.month:02}-{date.day:02}"
        found = resolve(value_of(text.split()), NOW)
        assert (found.month, found.day) == (date.month, date.day)
        assert found >= NOW.date()


@given(st.sampled_from(WEEKDAYS), st.sampled_from(["", "next ", "this ", "on "]))
def test_a_day_of_the_week(day, which):
    found = resolve(value_of(f"{which}{day}".split()), NOW)
    assert WEEKDAYS[found.weekday()] == day
    assert found >= NOW.date() or which == "this "
    if which == "next ":
        assert found.isocalendar()[1] == NOW.isocalendar()[1] + 1


@given(st.integers(0, 30), st.integers(0, 59), st.integers(0, 59), st.sampled_from(["in ", "for ", ""]))
def test_a_duration(hours, minutes, seconds, before):
    parts = [
        f"{'an' if amount == 1 and unit == 'hour' else in_words(amount)} {unit}{'s' * (amount != 1)}"
        for amount, unit in ((hours, "hour"), (minutes, "minute"), (seconds, "second"))
        if amount
    ]
    assume(parts)
    found = value_of(f"{before}{' and '.join(parts)}".split())
    assert found.kind is ValueKind.duration
    assert resolve(found, NOW) == dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)


@given(st.integers(1, 40), st.sampled_from(["hour", "minute"]), st.sampled_from([("half", 30), ("quarter", 15)]))
def test_a_duration_with_a_fraction(amount, unit, fraction):
    name, share = fraction
    wanted = dt.timedelta(**{f"{unit}s": amount}) + dt.timedelta(**{f"{unit}s": share / 60})
    for text in (f"{in_words(amount)} and a {name} {unit}s", f"{in_words(amount)} {unit}s and a {name}"):
        assert resolve(value_of(text.split()), NOW) == wanted


@given(st.integers(1, 999))
def test_an_ordinal(number):
    assert value(f"the {ordinal_in_words(number)}", "ordinal") == number
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    assert value(f"{number}{suffix}", "ordinal") == number


def test_the_twenty_second_is_no_twenty_second_timer():
    assert value("the twenty second", "ordinal") == 22
    assert value("twenty second", "duration") == "PT20S"


@given(st.integers(0, 99_999), st.text("0123456789", min_size=1, max_size=6), st.booleans())
def test_a_number_with_decimals(whole, decimals, below_zero):
    said = " ".join(in_words(int(digit)) for digit in decimals)
    text = f"{'minus ' * below_zero}{in_words(whole)} point {said}"
    assert value(text, "number") == (-1 if below_zero else 1) * float(f"{whole}.{decimals}")
    assert value(f"point {said}", "number") == float(f"0.{decimals}")


@given(st.integers(0, 999), st.sampled_from(["percent", "degrees"]))
def test_a_number_of_something(number, counted):
    assert value(f"{in_words(number)} {counted}", "number") == number


@given(st.text("0123456789", min_size=3, max_size=12), st.sampled_from(["zero", "oh", "o"]))
def test_digits_one_by_one(digits, zero):
    # "one oh one" is a time
    assume(digits.strip("0") and (len(digits) > 4 or zero == "zero" or "0" not in digits))
    said, at = [], 0
    while at < len(digits):
        run = next(many for many in (3, 2, 1) if digits[at : at + many] == digits[at] * many)
        said += [("", "", "double", "triple")[run]] * (run > 1) + [
            zero if digits[at] == "0" else in_words(int(digits[at]))
        ]
        at += run
    found = [one.value for one in find_values(said) if one.kind is ValueKind.digits]
    assert found == [digits], said


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=7), st.data())
def test_letters_with_words_for_them(letters, data):
    said = []
    for letter in letters:
        behind = data.draw(st.sampled_from(["as in", "for", "like"]))
        name = "double u" if letter == "w" and data.draw(st.booleans()) else letter
        said += f"{name} {behind} {NATO[letter]}".split()
    assert value(" ".join(said), "letters") == letters
    assume(len(letters) > 1)
    assert value(" ".join(NATO[letter] for letter in letters), "letters") == letters
