"""Two-turn dialogues for the measurement of context: the second turns spoken, what comes before them as text.

    python tests/benchmarks/context_dialogues.py FOLDER [--speech SPEECH] [--each 80] [--ordinary 500]

Writes ``learn.jsonl`` and ``test.jsonl`` (follow-ups), and ``ordinary.jsonl`` and ``ordinary-learn.jsonl`` (requests
that have nothing to do with the context that they get), with the recordings beside them. A row has ``context`` as
``nearword.runtime.context.update`` takes it, ``text`` (what is said), ``kind``, ``voice``, ``value`` (what is meant)
and ``choices``.

Voices: festival's ked_diphone and an accent of espeak-ng with a glottal source that the recipe's voices do not have,
for testing; for learning another accent and flite. Where ``--speech`` names a folder of real speech (its layout is at
the end of models/training/README.md) answers are cut from recordings of dev/barista as well, by pocketsphinx's
alignment, and the ordinary requests are real ones in part. Needs festival, espeak-ng, flite, faker.
"""

import argparse
import json
import random
import subprocess
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import soundfile
import soxr

RATE = 16_000
TEST_VOICES = ("festival/ked", "espeak/en-gb-x-gbcwmd+klatt3")
LEARN_VOICES = ("espeak/en-us-nyc+klatt2", "flite/awb")
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


def write(samples: np.ndarray, rate: int, path: Path) -> None:
    if samples.ndim > 1:
        samples = samples.mean(1)
    samples = soxr.resample(samples, rate, RATE)
    quiet = np.zeros(int(0.3 * RATE), np.float32)
    soundfile.write(path, np.clip(np.concatenate([quiet, samples, quiet]), -1, 1), RATE)


def speak(voice: str, text: str, path: Path) -> None:
    engine, _, name = voice.partition("/")
    wav = path.with_suffix(".wav")
    if engine == "festival":
        command = ["text2wave", "-eval", f"(voice_{name}_diphone)", "-o", str(wav)]
        subprocess.run(command, input=text, check=True, text=True, stderr=subprocess.DEVNULL)
    elif engine == "espeak":
        subprocess.run(["espeak-ng", "-v", name, "-s", "150", "-w", str(wav), text], check=True)
    else:
        subprocess.run(["flite", "-voice", name, "-t", text, "-o", str(wav)], check=True)
    samples, rate = soundfile.read(wav, dtype="float32")
    wav.unlink()
    write(samples, rate, path)


def synthetic(part: str, each: int, voices: tuple[str, ...], seed: int) -> Iterator[dict[str, Any]]:
    rng, names = random.Random(seed), Names(seed)
    for kind, make in KINDS.items():
        for number in range(each):
            yield {
                "path": f"{part}-{kind}-{number:03}.flac",
                "kind": kind,
                "voice": voices[number % len(voices)],
            } | make(rng, names)


ASKED = {
    "size": "What size would you like?", "roast": "Which roast?", "numberOfShots": "How many shots?",
    "coffeeDrink": "What would you like to drink?", "milkAmount": "With milk?", "sugarAmount": "Sugar?",
}  # fmt: skip


def segments(samples: np.ndarray, text: str) -> list[tuple[str, float, float]]:
    """Return words with their begin and end in seconds, by forced alignment; none where it fails."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL", bestpath=False)
    try:
        decoder.set_align_text(text)
    except RuntimeError:
        return []
    decoder.start_utt()
    decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    found = [] if decoder.hyp() is None else list(decoder.seg())
    return [
        (one.word.partition("(")[0], one.start_frame / 100, (one.end_frame + 1) / 100)
        for one in found
        if one.word[0] not in "<["
    ]


def cut(speech: Path, folder: Path, seed: int, wanted: int) -> Iterator[dict[str, Any]]:
    """Answers of real customers to what a coffee machine may ask: phrases out of their orders."""
    slots = json.loads((speech / "dev" / "barista-slots.json").read_text())["slots"]
    orders = [json.loads(line) for line in (speech / "dev" / "barista.jsonl").read_text().splitlines()]
    rng, made = random.Random(seed), 0
    rng.shuffle(orders)
    for order in (one for one in orders if one["aligned_start"] is not None):
        text = order["aligned_text"]
        samples, rate = soundfile.read(speech / order["path"], dtype="float32")
        samples = soxr.resample(samples if samples.ndim == 1 else samples.mean(1), rate, RATE)
        begin = max(0, int((order["aligned_start"] - 0.4) * RATE))
        words = segments(samples[begin:], text)
        spoken = [word for word, _, _ in words]
        for slot, value in order["slots"].items():
            phrase = value.split()
            place = next((k for k in range(len(spoken)) if spoken[k : k + len(phrase)] == phrase), None)
            if place is None or made >= wanted or (slot == "coffeeDrink" and rng.random() < 0.5):
                continue
            first, last = words[place][1], words[place + len(phrase) - 1][2]
            if not 0.2 < last - first < 3:
                continue
            name = f"test-real-{made:03}.flac"
            piece = samples[begin + int((first - 0.03) * RATE) : begin + int((last + 0.05) * RATE)]
            ramp = np.minimum(1, np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / (0.02 * RATE))
            write((piece * ramp).astype(np.float32), RATE, folder / name)
            others = [other for other in slots[slot] if other != value]
            choices = [value, *rng.sample(others, min(len(others), 5))]
            rng.shuffle(choices)
            yield {
                "path": name,
                "kind": "pick",
                "voice": "real",
                "context": {"heard": "make me a coffee", "reply": ASKED[slot], "act": "clarify", "screen": choices},
                "text": value,
                "value": value,
                "choices": choices,
            }
            made += 1


def ordinary(speech: Path | None, count: int, contexts: list[dict[str, Any]], seed: int) -> Iterator[dict[str, Any]]:
    """Requests, each with the context of another dialogue."""
    rng, rows = random.Random(seed), []
    if speech is not None:
        orders = [json.loads(line) for line in (speech / "dev" / "barista.jsonl").read_text().splitlines()]
        rows += [
            (str(speech / order["path"]), order["aligned_text"], "real") for order in orders if order["aligned_text"]
        ]
        for part in ("commonvoice", "speechocean762"):
            lines = (speech / "dev" / f"{part}.tsv").read_text().splitlines()
            names = lines[0].split("\t")
            table = [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]
            rows += [(str(speech / row["path"]), row["text"], "real") for row in rng.sample(table, 63)]
        texts = [
            text
            for name in ("slurp", "snips", "clinc150")
            for text in (speech / "text" / f"{name}.txt").read_text().splitlines()
            if 3 <= len(text.split()) <= 12
        ]
    else:
        from biasing_contacts import PLAIN

        texts = [*PLAIN] * (1 + count // len(PLAIN))
    rows = rows[:count]
    chosen = rng.sample(texts, count - len(rows))
    rows += [("", text, TEST_VOICES[number % 2]) for number, text in enumerate(chosen)]
    for number, (path, text, voice) in enumerate(rows):
        yield {
            "path": path or f"ordinary-{number:03}.flac",
            "kind": "ordinary",
            "voice": voice,
            "context": rng.choice(contexts)["context"],
            "text": text,
            "value": "",
            "choices": [],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--each", type=int, default=80)
    parser.add_argument("--ordinary", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    folder, seed, speech = arguments.folder, arguments.seed, arguments.speech
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "learn": list(synthetic("learn", arguments.each // 2, LEARN_VOICES, seed + 1000)),
        "test": list(synthetic("test", arguments.each, TEST_VOICES, seed)),
    }
    if speech is not None:
        parts["test"] += cut(speech, folder, seed, arguments.each)
    parts["ordinary"] = list(ordinary(speech, arguments.ordinary, parts["test"], seed))
    parts["ordinary-learn"] = list(ordinary(None, arguments.each, parts["learn"], seed + 1))
    for number, row in enumerate(parts["ordinary-learn"]):
        row |= {"path": f"ordinary-learn-{number:03}.flac", "voice": LEARN_VOICES[number % 2]}
    jobs = []
    for part, rows in parts.items():
        for row in rows:
            if row["voice"] != "real":  # what an earlier call has spoken is taken as it is
                name = Path(row["path"])
                row["path"] = f"{name.stem}-{crc32((row['voice'] + row['text']).encode()):08x}{name.suffix}"
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        jobs += [row for row in rows if row["voice"] != "real" and not (folder / row["path"]).exists()]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda row: speak(row["voice"], row["text"], folder / row["path"]), jobs))
    print(", ".join(f"{part}: {len(rows)}" for part, rows in parts.items()), f"in {folder}")


if __name__ == "__main__":
    main()
