"""A hundred second turns as people say them, written down without a look at the templates of answers.

Each group has what came before, and what was said then, with what was meant: one of the choices, yes or no; where
nothing stands, the words themselves are what was meant.
"""

from collections.abc import Iterator
from typing import Any

Said = tuple[str, str]
"""Words, and what is meant by them."""

BAUERS = ["meg jones", "meg bauer"]
MILLERS = ["jon miller", "joan miller", "john mueller"]
SONGS = ["take five", "blue in green", "so what", "round midnight", "naima"]
FILMS = ["the third man", "metropolis", "north by northwest", "some like it hot"]
ROOMS = ["kitchen", "living room", "bedroom", "garage", "hallway", "attic"]

TURNS: tuple[tuple[dict[str, Any], list[str], list[Said]], ...] = (
    (
        {"heard": "call meg", "reply": "Do you mean Meg Jones or Meg Bauer?", "act": "clarify",
         "entities": {"contact": ["Meg Jones", "Meg Bauer", "Ann Lee", "Tom Okafor"]}},
        BAUERS,
        [
            ("uh bauer", "meg bauer"),
            ("the second one", "meg bauer"),
            ("jones not bauer", "meg jones"),
            ("meg with the last name bauer", "meg bauer"),
            ("that would be jones", "meg jones"),
            ("oh sorry meg jones of course", "meg jones"),
            ("no the other one", ""),
            ("the jones one thanks", "meg jones"),
            ("um i think it's bauer", "meg bauer"),
            ("neither", ""),
        ],
    ),
    (
        {"heard": "text miller", "reply": "I know Jon Miller, Joan Miller and John Mueller. Who is it for?",
         "act": "clarify", "entities": {"contact": ["Jon Miller", "Joan Miller", "John Mueller", "Eve Stone"]}},
        MILLERS,
        [
            ("joan", "joan miller"),
            ("it's for joan miller", "joan miller"),
            ("my sister joan", "joan miller"),
            ("mueller", "john mueller"),
            ("send it to mueller then", "john mueller"),
            ("the last one", ""),
        ],
    ),
    (
        {"heard": "play some miles davis", "reply": "Here is what I found. Which one?", "act": "clarify",
         "screen": ["Take Five", "Blue in Green", "So What", "Round Midnight", "Naima"]},
        SONGS,
        [
            ("hmm blue in green", "blue in green"),
            ("let me hear naima", "naima"),
            ("round midnight sounds nice", "round midnight"),
            ("how about so what", "so what"),
            ("can you play take five", "take five"),
            ("the one at the top", ""),
            ("just play the first one", "take five"),
            ("go with naima", "naima"),
            ("number four", "round midnight"),
            ("not so what the one before", ""),
        ],
    ),
    (
        {"heard": "show me old movies", "reply": "I have four films. Pick one.", "act": "clarify",
         "screen": ["The Third Man", "Metropolis", "North by Northwest", "Some Like It Hot"]},
        FILMS,
        [
            ("metropolis looks good", "metropolis"),
            ("we'll watch the third man", "the third man"),
            ("some like it hot obviously", "some like it hot"),
            ("i'd go for metropolis", "metropolis"),
            ("the hitchcock one", ""),
            ("what's the second one about", ""),
            ("third man", "the third man"),
            ("north by northwest tonight", "north by northwest"),
        ],
    ),
    (
        {"heard": "turn on the light", "reply": "Which room?", "act": "room",
         "entities": {"room": ["kitchen", "living room", "bedroom", "garage", "hallway", "attic"]}},
        ROOMS,
        [
            ("kitchen please", "kitchen"),
            ("oh the bedroom i mean", "bedroom"),
            ("up in the attic", "attic"),
            ("just the hallway for now", "hallway"),
            ("out in the garage", "garage"),
            ("where i am", ""),
            ("both bedroom and hallway", ""),
            ("in the living room if you can", "living room"),
        ],
    ),
    (
        {"heard": "set an alarm", "reply": "For what time?", "act": "when"},
        [],
        [
            ("make it half past", ""),
            ("six thirty sharp", ""),
            ("let's say quarter past seven", ""),
            ("as early as you can", ""),
            ("same as yesterday", ""),
            ("seven no wait seven fifteen", ""),
            ("about an hour from now", ""),
            ("eight would be good", ""),
        ],
    ),
    (
        {"heard": "remind me to water the plants", "reply": "When shall I remind you?", "act": "when"},
        [],
        [
            ("when i get home", ""),
            ("every other day", ""),
            ("some time after lunch", ""),
            ("sunday would be best", ""),
            ("tomorrow first thing", ""),
            ("give me twenty minutes", ""),
            ("the day after tomorrow at noon", ""),
        ],
    ),
    (
        {"heard": "call the dentist", "reply": "Shall I call them now?", "act": "yes_no"},
        ["yes", "no"],
        [
            ("yeah go ahead", "yes"),
            ("why not", ""),
            ("sure thing", "yes"),
            ("not yet", "no"),
            ("nah leave it for tomorrow", "no"),
            ("uh huh", ""),
            ("yes but put it on speaker", "yes"),
            ("hold on a second", ""),
        ],
    ),
    (
        {"heard": "text ann i am running late", "reply": "I will write: I am running late. Send it?", "act": "confirm",
         "entities": {"contact": ["Ann Lee"]}},
        ["yes", "no"],
        [
            ("looks good to me", ""),
            ("perfect send it off", ""),
            ("change late to early", ""),
            ("no let me say that again", "no"),
            ("yep that's fine", "yes"),
            ("add ten minutes late", ""),
        ],
    ),
    (
        {"heard": "add a contact", "reply": "How do you spell the last name?", "act": "spell",
         "entities": {"contact": ["Meg Bauer"]}},
        [],
        [
            ("b a u e r", ""),
            ("that's b a u e r", ""),
            ("o k a f o r", ""),
            ("like the month m a y", ""),
            ("w as in water e b e r", ""),
        ],
    ),
    (
        {"heard": "make me a coffee", "reply": "What size would you like?", "act": "clarify",
         "screen": ["small", "medium", "large", "extra large"]},
        ["small", "medium", "large", "extra large"],
        [
            ("medium is fine", "medium"),
            ("a big one", ""),
            ("the biggest you have", ""),
            ("could i get a large", "large"),
            ("small thanks", "small"),
        ],
    ),
    (
        {"heard": "turn up the heating", "reply": "How many degrees?", "act": "number"},
        [],
        [
            ("twenty one and a half", ""),
            ("a couple more", ""),
            ("set it to nineteen", ""),
            ("oh maybe twenty", ""),
            ("as warm as it gets", ""),
        ],
    ),
    (
        {"heard": "please help me", "reply": "Who should I call?", "act": "open",
         "entities": {"contact": ["Meg Jones", "Meg Bauer", "Ann Lee", "Tom Okafor", "Priya Nair", "Luca Ferri"],
                      "media": ["Take Five", "Blue in Green"], "device": ["desk lamp", "heater", "radio"]}},
        ["meg jones", "meg bauer", "ann lee", "tom okafor", "priya nair", "luca ferri"],
        [
            ("try priya", "priya nair"),
            ("get me tom okafor", "tom okafor"),
            ("luca on his mobile", "luca ferri"),
            ("could you reach ann lee", "ann lee"),
            ("nobody forget it", ""),
            ("priya nair at work", "priya nair"),
        ],
    ),
    (
        {"heard": "switch it off", "reply": "Which device do you mean?", "act": "clarify",
         "entities": {"device": ["desk lamp", "ceiling light", "coffee maker", "air purifier", "radio"]}},
        ["desk lamp", "ceiling light", "coffee maker", "air purifier", "radio"],
        [
            ("that purifier thing", "air purifier"),
            ("the coffee maker it's still on", "coffee maker"),
            ("radio", "radio"),
            ("the lamp on my desk", ""),
            ("everything please", ""),
            ("well the radio and the desk lamp", ""),
            ("ceiling", "ceiling light"),
            ("oh the light on the ceiling", "ceiling light"),
        ],
    ),
)  # fmt: skip
"""What came before, the choices, and what was said."""


def phrasings(voices: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield a row for each, voices in turn."""
    number = 0
    for context, choices, said in TURNS:
        for text, meant in said:
            chosen = choices if meant else []
            yield {
                "path": f"free-{number:03}.flac",
                "kind": context["act"],
                "voice": voices[number % len(voices)],
                "context": context,
                "text": text,
                "value": meant or text,
                "choices": chosen,
            }
            number += 1
