"""How people say numbers and ordinals, written apart from what reads them."""

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth"
).split()
MONTHS = ("january february march april may june july august september october november december").split()
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
NATO = {word[0]: word for word in (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey x-ray yankee zulu").split()}  # fmt: skip


def below_100(number: int) -> str:
    """Say a number below 100."""
    if number < 20:
        return UNITS[number]
    return TENS[number // 10 - 2] + (f" {UNITS[number % 10]}" if number % 10 else "")


def in_words(number: int) -> str:
    """Say a number below a milliard."""
    if number < 100:
        return below_100(number)
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return f"{in_words(number // size)} {name}" + (f" and {in_words(rest)}" if rest else "")
    raise AssertionError


def ordinal_in_words(number: int) -> str:
    """Say an ordinal, 1 to 999."""
    if number < 20:
        return ORDINALS[number - 1]
    if number < 100:
        tens = TENS[number // 10 - 2]
        return f"{tens} {ORDINALS[number % 10 - 1]}" if number % 10 else f"{tens[:-1]}ieth"
    rest = number % 100
    return f"{UNITS[number // 100]} hundred" + (f" and {ordinal_in_words(rest)}" if rest else "th")
