"""How complete an English request looks, from its words alone.

A request hardly ever ends in an article, a preposition, a conjunction, a carrier verb without its object, or in the
middle of a number with a unit to come. That is a rule of the language, not of a data set; it needs no model and costs
nothing. Other languages: pass words through a function of one's own.
"""

from collections.abc import Sequence

_OPEN = frozenset(
    "a an the my your his her its our their this these some any every each no and or but because if when while than"
    " to of for with without from by in into onto at about between under over near as like i'm i'd i'll you're it's"
    " is are was were be am do does did can could will would should may might must please very really um uh er"
    " what's where's who's how's let let's".split()
)
"""Words after which more must come."""
_CARRIERS = frozenset(
    "call text message dial phone ring email tell ask send play set turn switch put add remove open close find show"
    " get give make bring order dim raise lower lock unlock remind schedule invite read want need have".split()
)
"""Verbs that want an object; as the only word, or after "to", "please" and the like, they are not the end."""
_LEADS = frozenset("please to can could you i i'd like would will and then me us let's want".split())
_NUMBERS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred".split()
)
_PAIRS = (
    (frozenset("get give make bring tell send show order".split()), frozenset({"me", "us"}), 0.0),
    (frozenset({"turn", "switch", "put"}), frozenset({"on", "off", "up", "down"}), 0.2),
    (frozenset({"for", "in", "to", "add"}), _NUMBERS, 0.4),
)
"""Last word but one, last word, and how complete they leave it."""


def completeness(words: Sequence[str]) -> float:
    """Return 0 (more must come) to 1 (a whole request); 0.5 if there are no words."""
    if not words:
        return 0.5
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _OPEN or (last in _CARRIERS and _LEADS.issuperset(words[:-1])):
        return 0.0
    return next((value for first, second, value in _PAIRS if before in first and last in second), 1.0)
