"""Yes, no, stop, cancel, repeat: understood without training, where an utterance says nothing else."""

from collections.abc import Sequence

BASIC_INTENTS = ("yes", "no", "stop", "cancel", "repeat")
_PHRASES = {
    "yes": "yes|yeah|yep|yup|yes please|sure|of course|ok|okay|alright|all right|right|correct|that's right|"
    "that is right|that's correct|exactly|absolutely|definitely|certainly|do it|go ahead|sounds good|"
    "why not|i do|please do|affirmative|sure thing|you bet|do that",
    "no": "no|nope|nah|no thanks|no thank you|not now|not really|don't|do not|don't do that|do not do that|"
    "never|wrong|that's wrong|no way|i don't think so|absolutely not|definitely not|negative|not at all|"
    "that's not right|i'd rather not",
    "stop": "stop|stop it|stop that|stop now|halt|quiet|be quiet|shut up|silence|enough|that's enough|"
    "that is enough|pause|hold on|wait|freeze|end it",
    "cancel": "cancel|cancel it|cancel that|never mind|nevermind|forget it|forget about it|forget that|abort|"
    "scratch that|undo|undo that|drop it|leave it|let it be",
    "repeat": "repeat|repeat that|repeat it|again|say again|say that again|say it again|once more|one more time|"
    "pardon|pardon me|what|sorry|excuse me|what did you say|what was that|come again|can you repeat that|"
    "could you repeat that|can you say that again|could you say that again|i didn't hear you|"
    "i didn't catch that",
}
_BY_WORDS = {tuple(phrase.split()): intent for intent, phrases in _PHRASES.items() for phrase in phrases.split("|")}
_POLITE = {"please", "thanks", "um", "uh", "er", "oh", "well", "now", "just", "ah", "hey", "then"}
BASIC_WORDS = frozenset(word for phrase in _BY_WORDS for word in phrase) | _POLITE
"""All words of basic intents; what has another is none."""
LONGEST = 8
"""Words; longer utterances say more than that."""


def basic_intent(words: Sequence[str]) -> str:
    """Return the basic intent that words, in lower case, are: all of them, politeness aside; empty if none.

    Several in a row are one: "no no no", "yes that's right". A yes or no before another is not what is asked for: "okay
    stop", "no forget it". Who says yes and no has asked for nothing.
    """
    if not 0 < len(words) <= LONGEST:
        return ""
    said = _in_a_row(tuple(words)) or _in_a_row(tuple(word for word in words if word not in _POLITE))
    asked = said - {"yes", "no"} or said
    return next(iter(asked)) if len(asked) == 1 else ""


def _in_a_row(words: tuple[str, ...]) -> frozenset[str]:
    """Return the intents of phrases that words are made of; none if they are not. The longest go first."""
    for end in range(len(words), 0, -1):
        found = _BY_WORDS.get(words[:end])
        if found is None:
            continue
        if end == len(words):
            return frozenset({found})
        rest = _in_a_row(words[end:])
        if rest:
            return rest | {found}
    return frozenset()
