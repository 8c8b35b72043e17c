"""What is asked and what is answered: two-turn dialogues of seven kinds, drawn at random, as text."""

import random
import unicodedata
from typing import Any

LOCALES = ("en_US", "en_GB", "de_DE", "it_IT", "fr_FR", "nl_NL")
ROOMS = (
    "kitchen", "living room", "bedroom", "bathroom", "hallway", "study", "nursery", "attic", "cellar", "garage",
    "guest room", "dining room", "conservatory", "laundry room", "pantry", "workshop", "den", "sun room", "playroom",
    "music room", "upstairs bathroom", "master bedroom", "front porch", "greenhouse", "library", "gym", "home office",
)  # fmt: skip
FIRST = (
    "velvet amber hollow crimson silver broken paper marble distant electric lunar copper hidden gentle frozen".split()
)
SECOND = "lantern harbour orchard cathedral sparrow meridian avalanche carousel thicket compass mirage ember".split()
DISHES = (
    "lentil soup", "mushroom risotto", "thai green curry", "shepherd's pie", "aubergine bake", "ratatouille", "paella",
    "beef goulash", "chickpea salad", "pumpkin ravioli", "lemon tart", "cauliflower gratin", "miso ramen", "moussaka",
)  # fmt: skip
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
HOURS = "one two three four five six seven eight nine ten eleven twelve".split()
ORDINALS = ("first", "second", "third", "fourth", "fifth")
NUMBERS = ("one", "two", "three", "four", "five")
OPENERS = {
    "call": ("Call {}.", "Phone {}.", "Ring {} please."),
    "message": ("Send a message to {}.", "Text {}."),
}


def ascii_name(text: str) -> str:
    text = unicodedata.normalize("NFKD", text.replace("\u0142", "l").replace("\u00df", "ss"))
    return "".join(c for c in text if c.isalpha() and c.isascii())


class Names:
    """First and last names; last ones hardly ever twice in one part."""

    def __init__(self, seed: int) -> None:
        from faker import Faker

        self.rng, self.seen = random.Random(seed), set[str]()
        self.fakers = {locale: Faker(locale) for locale in LOCALES}
        for number, fake in enumerate(self.fakers.values()):
            fake.seed_instance(seed + number)

    def last(self) -> str:
        for tries in range(10_000):
            name = ascii_name(self.fakers[self.rng.choice(LOCALES)].last_name())
            if (name.lower() not in self.seen or tries > 100) and 3 <= len(name) <= 10:
                self.seen.add(name.lower())
                return name
        raise RuntimeError("no name of 3 to 10 letters")

    def first(self) -> str:
        return ascii_name(self.fakers[self.rng.choice(LOCALES)].first_name())


def clarify(rng: random.Random, names: Names) -> dict[str, Any]:
    first, people = names.first(), [names.last() for _ in range(rng.choice((2, 2, 3)))]
    listed = [f"{first} {last}" for last in people]
    place = rng.randrange(len(listed))
    asked = rng.choice(("Do you mean {}?", "Which {first}: {}?", "I found several {first}s: {}. Which one?", "{}?"))
    either = ", ".join(listed[:-1]) + f" or {listed[-1]}"
    said = rng.choice((
        "{last}", "{last}", "{name}", "{name}", "{name} please", "i mean {name}", "the {number} one", "call {name}",
        "{last} please", "{first} {last} i think", "no {name}", "the one called {last}",
    ))  # fmt: skip
    others = [f"{names.first()} {names.last()}" for _ in range(rng.choice((0, 0, 8, 20)))]
    contacts = [*listed, *others]
    rng.shuffle(contacts)
    return {
        "context": {
            "heard": rng.choice(OPENERS[rng.choice((*OPENERS,))]).format(first).lower().strip("."),
            "reply": asked.format(either, first=first),
            "act": "clarify",
            "entities": {"contact": contacts},
        },
        "text": said.format(last=people[place], name=listed[place], first=first, number=ORDINALS[place]).lower(),
        "value": listed[place].lower(),
        "choices": [name.lower() for name in listed],
    }


def pick(rng: random.Random, names: Names) -> dict[str, Any]:
    makers = (
        lambda: f"{rng.choice(FIRST)} {rng.choice(SECOND)}",
        lambda: f"the {rng.choice(SECOND)} {names.last()}",
        lambda: f"{names.first()} {names.last()}",
        lambda: rng.choice(DISHES),
    )
    make = rng.choice(makers)
    listed = list(dict.fromkeys(make().lower() for _ in range(rng.randint(4, 6))))
    place = rng.randrange(len(listed))
    said = rng.choice((
        "{}", "{}", "play {}", "the {number} one", "number {count}", "{} please", "i want {}", "show me {}", "open {}",
        "let's take {}", "start {}",
    ))  # fmt: skip
    return {
        "context": {
            "heard": rng.choice(("play some music", "what can i cook", "show me something new", "find it")),
            "reply": rng.choice(
                ("Here is what I found.", "Which one would you like?", "I have these for you.", "Pick one.")
            ),
            "act": "clarify",
            "screen": [text.title() for text in listed],
        },
        "text": said.format(listed[place], number=ORDINALS[place % 5], count=NUMBERS[place % 5]),
        "value": listed[place],
        "choices": listed,
    }


def yes_no(rng: random.Random, names: Names) -> dict[str, Any]:
    name = f"{names.first()} {names.last()}"
    yes = (
        "yes",
        "yes please",
        "yeah",
        "sure",
        "yep",
        "okay",
        "go ahead",
        "do it",
        "yes send it",
        "that's right",
        "correct",
    )
    no = (
        "no",
        "no thanks",
        "nope",
        "no don't",
        "cancel that",
        "no wait",
        "not now",
        "no stop",
        "never mind",
        "that's wrong",
    )
    agree = rng.random() < 0.5
    other = f"{names.first()} {names.last()}"
    text = rng.choice(yes if agree else (*no, f"no {other}", f"no call {other}"))
    return {
        "context": {
            "heard": f"call {name}".lower(),
            "reply": rng.choice((
                "Calling {}, is that right?", "Shall I send it to {}?", "Do you want me to call {}?", "Shall I go on?",
                "Should I turn off all the lights?", "Do you want to hear more?", "There is one at seven. Delete it?",
            )).format(name),
            "act": "yes_no",
            "entities": {"contact": [name, other]},
        },
        "text": text.lower(),
        "value": "yes" if agree else "no",
        "choices": ["yes", "no"],
    }  # fmt: skip


def spell(rng: random.Random, names: Names) -> dict[str, Any]:
    name = names.last()
    others = [f"{names.first()} {names.last()}" for _ in range(rng.choice((0, 5, 12)))]
    known = rng.random() < 0.4
    return {
        "context": {
            "heard": f"add {name} to my contacts".lower(),
            "reply": rng.choice(("How do you spell that?", "Can you spell the last name for me?", "Please spell it.")),
            "act": "spell",
            "entities": {"contact": [*others, *([f"{names.first()} {name}"] if known else [])]},
        },
        "text": " ".join(name.lower()),
        "value": " ".join(name.lower()),
        "choices": [],
    }


def when(rng: random.Random, names: Names) -> dict[str, Any]:
    hour, minutes = rng.choice(HOURS), rng.choice(("", "", " thirty", " fifteen", " forty five", " o'clock", " twenty"))
    clock = f"{hour}{minutes}"
    part = rng.choice(("", "", " in the morning", " in the evening", " p m", " a m"))
    day = rng.choice(("today", "tomorrow", "tomorrow morning", *DAYS, "next week", "tonight", "on the third of june"))
    amount = rng.choice(("two", "five", "ten", "fifteen", "twenty", "thirty", "forty five", "ninety"))
    text = rng.choice((
        f"at {clock}{part}", f"{clock}{part}", f"{day} at {clock}", day, f"in {amount} minutes",
        f"on {rng.choice(DAYS)}", f"in {rng.choice(HOURS)} hours", f"half past {hour}", f"quarter to {hour}",
        f"{rng.choice(DAYS)} at {clock}{part}",
    ))  # fmt: skip
    return {
        "context": {
            "heard": f"remind me to call {names.last()}".lower(),
            "reply": rng.choice(
                ("When shall I remind you?", "For what time?", "When is it?", "What time should I set it for?")
            ),
            "act": "when",
        },
        "text": text,
        "value": text,
        "choices": [],
    }


def room(rng: random.Random, names: Names) -> dict[str, Any]:
    rooms = rng.sample(ROOMS, rng.randint(4, 8))
    if rng.random() < 0.5:
        rooms.append(f"{names.first().lower()}'s room")
    value = rng.choice(rooms)
    said = rng.choice(("{}", "the {}", "in the {}", "{} please", "the one in the {}", "turn it on in the {}"))
    said = said.replace("the {}", "{}") if value.endswith("'s room") else said
    return {
        "context": {
            "heard": rng.choice(("turn on the light", "close the blinds", "make it warmer", "play some jazz")),
            "reply": rng.choice(("Which room?", "In which room?", "Where?", "Which room do you mean?")),
            "act": "room",
            "entities": {"room": rooms},
        },
        "text": said.format(value),
        "value": value,
        "choices": rooms,
    }


def ask(rng: random.Random, names: Names) -> dict[str, Any]:
    """An open question, with entries of several classes at hand: which class is meant, only its words tell."""
    entities = {
        "contact": [f"{names.first()} {names.last()}" for _ in range(25)],
        "media": [f"{first} {rng.choice(SECOND)}".title() for first in FIRST],
        "device": [
            "ceiling light",
            "desk lamp",
            "air purifier",
            "coffee maker",
            "fairy lights",
            "fan",
            "heater",
            "radio",
        ],
        "room": rng.sample(ROOMS, 8),
    }
    cls, replies, said = rng.choice((
        ("contact", ("Who should I call?", "Who is the message for?"), ("{}", "{}", "call {}", "{} please")),
        ("media", ("What would you like to hear?", "What should I play?"), ("{}", "{}", "play {}", "{} please")),
        ("device", ("What should I turn off?", "Which device?"), ("{}", "the {}", "turn off the {}")),
        ("room", ("Where shall I turn it on?", "Where?"), ("{}", "in the {}", "the {} please")),
    ))  # fmt: skip
    value = rng.choice(entities[cls]).lower()
    return {
        "context": {"heard": "please help me", "reply": rng.choice(replies), "act": "open", "entities": entities},
        "text": rng.choice(said).format(value),
        "value": value,
        "choices": [entry.lower() for entry in entities[cls]],
    }


KINDS = {
    "clarify": clarify, "pick": pick, "yes_no": yes_no, "spell": spell, "when": when, "room": room, "ask": ask,
}  # fmt: skip
