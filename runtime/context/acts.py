"""What a reply asks for, and what people answer.

An act says which answers are likely: templates over words and classes, with weights, in the syntax of
``biasing.Templates``. ``$TERM`` is what a source of context brings (names of the reply, lines of the screen, entries of
a class); everything else is the act's own. What nobody says which act it is, is told by the reply's words.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Act(str, Enum):
    """What a reply asks for."""

    open = "open"
    """Nothing in particular: anything may follow."""
    yes_no = "yes_no"
    """A question that is answered by yes or no."""
    confirm = "confirm"
    """What was understood, to be confirmed or corrected."""
    clarify = "clarify"
    """Which one of several."""
    spell = "spell"
    """Letter by letter."""
    when = "when"
    """A date, a time, or how long."""
    room = "room"
    """Where in the house."""
    number = "number"
    """How many, or how much."""


@dataclass(frozen=True)
class Answers:
    """What people say to an act."""

    own: tuple[tuple[str, float], ...] = ()
    """Templates without terms, with weights."""
    of_term: tuple[tuple[str, float], ...] = ()
    """Templates with ``$TERM``, with weights."""
    spelled: bool = False
    """Whether terms are spelled instead of spoken."""


_POLITE = "[please]"
_ORDINAL = "(first|second|third|fourth|fifth|last|next|other|top|bottom)"
_SMALL = "(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_TENS = "(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
_DAY = "(monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_MONTH = "(january|february|march|april|may|june|july|august|september|october|november|december)"
_COUNT = f"({_SMALL}|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|{_TENS} [{_SMALL}]|a hundred)"
_MINUTES = "(o'clock|five|ten|fifteen|twenty|twenty five|thirty|thirty five|forty|forty five|fifty|fifty five|oh five)"
_PART = "(in the (morning|afternoon|evening)|a m|p m|am|pm|at night|tonight|tomorrow)"
_PAST = f"(half|quarter|ten|twenty|five) (past|to) {_SMALL}"
_CLOCK = f"({_SMALL} [{_MINUTES}]|{_PAST}|noon|midnight|midday) [{_PART}]"
_OF_DAY = "(morning|afternoon|evening|night)"
_OF_MONTH = (
    "(first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|"
    "sixteenth|seventeenth|eighteenth|nineteenth|twentieth [first|second|third|fourth]|thirtieth)"
)
_DATE = (
    f"(today|tonight|tomorrow [{_OF_DAY}]|[on|next|this] {_DAY} [{_OF_DAY}]|[on] the {_OF_MONTH} [of {_MONTH}]|"
    "this (morning|afternoon|evening|weekend)|next (week|month|year))"
)
_UNIT = "(second|seconds|minute|minutes|hour|hours|day|days|week|weeks)"
_YES = (
    "((yes|yeah|yep|yup|sure|okay|ok|right|correct|absolutely|exactly|of course|definitely) [please|thanks|thank you]|"
    "[yes|yeah|okay|sure] (go ahead|do it|do that|send it|call|that's right|that is right|that's correct|i do|"
    "sounds good)|please do|go on|that one)"
)
_NO = (
    "((no|nope|nah) [thanks|thank you|please]|[no] (don't|not now|never mind|cancel [that|it]|stop [it]|wait|"
    "that's wrong|that is wrong|the other one|not that one|i don't|leave it|skip it))"
)
_AGREE = ((_YES, 5.0), (_NO, 5.0))
_NUMBERED = (f"[the] number {_SMALL} {_POLITE}", 1.0)
_WHICH = (
    (f"[no|yes] [i mean|i want|it's|play|take|open|call|show me] the {_ORDINAL} [one] {_POLITE}", 1.0),
    _NUMBERED,
    ("(neither|none of them|all of them|both [of them]|any of them|cancel|stop|never mind|nothing)", 0.3),
)
_MEANT = "(i mean|i meant|i want|i'd like|it's|it is|make it|take|let's take|give me)"
_ASKED = "(call|phone|ring|text|message|play|open|show [me]|start|put on|read|choose|select)"
_TERM_ALONE = (f"$TERM {_POLITE}", 6.0)
_TERM_MEANT = (f"[no|yes|yeah] {_MEANT} [the|a] $TERM {_POLITE}", 1.0)
_TERM_ASKED = (f"[no|yes|please] {_ASKED} [the] $TERM", 2.0)
_CHOICE = (
    _TERM_ALONE,
    (f"(the|a) $TERM [one] {_POLITE}", 1.0),
    _TERM_MEANT,
    _TERM_ASKED,
    ("no [not] $TERM", 0.5),
    ("$TERM (i think|is fine|of course|this time)", 0.2),
)
_CORRECTED = (("no [call|i mean|i meant|it's|not] $TERM", 1.0), ("(yes|yeah) $TERM", 0.3), (f"$TERM {_POLITE}", 1.0))
_LETTER = f"({'|'.join('abcdefghijklmnopqrstuvwxyz')})"
_ROOMS = (
    "(kitchen|living room|bedroom|bathroom|dining room|hallway|hall|office|study|garage|garden|basement|attic|nursery|"
    "guest room|kids room|balcony|terrace|laundry room|upstairs|downstairs)"
)
_TIMES = (
    (f"[at|around|for|from] {_CLOCK} [{_DATE}] {_POLITE}", 3.0),
    (f"[for] {_DATE} [[at|around] {_CLOCK}] {_POLITE}", 3.0),
    (f"[in|for|after] ({_COUNT}|a|an|half an|a couple of|a few) {_UNIT} {_POLITE}", 2.0),
    ("(now|right now|later|never mind|never|as soon as possible)", 0.3),
)
_PLACES = (
    (f"[turn it on] [in|on] [the] {_ROOMS} {_POLITE}", 1.0),
    ("(everywhere|all of them|all|here|this one|in here|this room)", 0.5),
)
_OF_PLACE = (
    ("[in|on|at] [the] $TERM [please|lights|light]", 5.0),
    ("[turn (it|them) (on|off)|the (one|ones)] in [the] $TERM", 2.0),
)
ANSWERS: dict[Act, Answers] = {
    Act.open: Answers(of_term=((f"[the] $TERM {_POLITE}", 1.0), _TERM_MEANT, _TERM_ASKED)),
    Act.yes_no: Answers(_AGREE, _CORRECTED),
    Act.confirm: Answers(_AGREE, _CORRECTED),
    Act.clarify: Answers(_WHICH, _CHOICE),
    Act.spell: Answers(((f"[it's|that's] {_LETTER} {_LETTER}*", 1.0),), (("$TERM", 1.0),), spelled=True),
    Act.when: Answers(_TIMES, (("$TERM", 1.0),)),
    Act.room: Answers(_PLACES, _OF_PLACE),
    Act.number: Answers(
        ((f"[about|around] {_COUNT} [percent|degrees|of them|times|please]", 1.0), _NUMBERED), (_TERM_ALONE,)
    ),
}
"""What people say to each act."""

_AUXILIARY = (
    "(shall|should|do|does|did|is|are|was|can|could|may|would|will|have|has|want|delete|send|call|play|stop|cancel)"
)
_SIGNS = {
    Act.spell: r"\b(spell|letter by letter)",
    Act.room: r"\b(which|what) room|^where\b|in which room",
    Act.when: r"^(for )?(when|what time|what day|how long|which day|at what time)\b|\b(when|what time|which day) ",
    Act.number: r"^(how many|how much|what number|what temperature)\b",
    Act.clarify: r"\b(which|do you mean|did you mean|pick one|choose)\b|\bor [^?]*\?$",
    Act.confirm: r"\b(is that (right|correct|ok|okay)|correct\?|right\?)",
    Act.yes_no: rf"(^|[.!?,] ){_AUXILIARY}\b[^?]*\?$",
}
"""What in a reply tells its act; the first that fits holds."""


def act_of(reply: str) -> Act:
    """Return what a reply asks for, by its words; ``open`` where they do not say."""
    text = " ".join(reply.lower().replace("\u2019", "'").split())
    return next((act for act, sign in _SIGNS.items() if re.search(sign, text)), Act.open)


@lru_cache(1)
def act_names() -> tuple[str, ...]:
    """Return the names of all acts."""
    return tuple(act.value for act in Act)
