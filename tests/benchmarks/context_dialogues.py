"""Two-turn dialogues for the measurement of context: the second turns spoken, what comes before them as text.

    python tests/benchmarks/context_dialogues.py FOLDER [--speech SPEECH] [--each 80] [--ordinary 500]

Writes ``test.jsonl`` (follow-ups), ``free.jsonl`` (a hundred of ``context_phrasings``) and ``ordinary.jsonl`` (requests
that have nothing to do with the context that they get); for ``nearword context learn`` others of both kinds,
``learn.jsonl`` and ``ordinary-learn.jsonl``; and the recordings beside them. A row has ``context`` as
``nearword.runtime.context.update`` takes it, ``text`` (what is said), ``kind``, ``voice``, ``value`` (what is meant)
and ``choices``.

Voices: festival's ked_diphone and an accent of espeak-ng with a glottal source that the recipe's voices do not have,
for testing; for learning another accent and flite. Where ``--speech`` names a folder of real speech (its layout is at
the end of models/training/README.md) answers are cut from recordings of dev/barista as well, by pocketsphinx's
alignment, and the ordinary requests are real ones in part; for learning answers and requests are also of train/, none
of dev/. Needs festival, espeak-ng, flite, faker.
"""

import argparse
import json
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import soundfile
import soxr
from context_phrasings import phrasings
from context_turns import FIRST, KINDS, SECOND, Names

RATE = 16_000
TEST_VOICES = ("festival/ked", "espeak/en-gb-x-gbcwmd+klatt3")
LEARN_VOICES = ("espeak/en-us-nyc+klatt2", "flite/awb")


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
        if made >= wanted:
            return
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


def table(speech: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a set of real speech."""
    names, *lines = [line.split("\t") for line in (speech / f"{name}.tsv").read_text().splitlines()]
    return [dict(zip(names, line, strict=True)) for line in lines]


def recorded(speech: Path, seed: int, wanted: int) -> Iterator[dict[str, Any]]:
    """Answers for learning, by people: a word or a number alone, of train/, where it was asked for."""
    rng = random.Random(seed)
    for name, most in (("wakeword", 60), ("wuw", 60), ("digits", 20)):
        rows = [row for row in table(speech, f"train/{name}") if float(row["seconds"]) < 6]
        known = [text for text, count in Counter(row["text"] for row in rows).items() if count > 100]
        rows = [row for row in rows if row["text"] in known]
        for row in rng.sample(rows, wanted * most // 140):
            others = [f"{rng.choice(FIRST)} {rng.choice(SECOND)}" for _ in range(rng.choice((1, 3)))]
            choices = list(dict.fromkeys([row["text"], *rng.sample(known, 3), *others]))
            rng.shuffle(choices)
            first = next(other for other in choices if other != row["text"])
            either = f"{row['text'].title()} or {first.title()}"
            asked: dict[str, Any] = rng.choice((
                {"reply": "Which one would you like?", "act": "clarify", "screen": choices},
                {"reply": f"Do you mean {either}?", "act": "clarify"},
                {"reply": "What should I open?", "act": "open", "entities": {"media": choices, "device": ["heater"]}},
            ))  # fmt: skip
            yield {
                "path": str(speech / row["path"]),
                "kind": "number" if name == "digits" else "pick",
                "voice": "real",
                "context": {"reply": "How many?", "act": "number"} if name == "digits" else asked,
                "text": row["text"],
                "value": row["text"],
                "choices": [] if name == "digits" else choices,
            }


def real_requests(speech: Path, part: str, rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Return recordings by people, of dev/ for testing and of train/ for learning, with what is said in them."""
    if part == "test":
        orders = [json.loads(line) for line in (speech / "dev" / "barista.jsonl").read_text().splitlines()]
        rows = [{"path": order["path"], "text": order["aligned_text"]} for order in orders if order["aligned_text"]]
        for name in ("commonvoice", "speechocean762"):
            rows += rng.sample(table(speech, f"dev/{name}"), 63)
    else:
        rows = []
        for name, share in (("speechocean762", 0.35), ("wuw", 0.35), ("commonvoice", 0.15), ("kathleen", 0.15)):
            known = [row for row in table(speech, f"train/{name}") if len(row["text"].split()) >= 2]
            rows += rng.sample(known, min(len(known), round(share * 0.8 * count)))
    return [(str(speech / row["path"]), row["text"]) for row in rows][:count]


def is_foreign(context: dict[str, Any], text: str) -> bool:
    """Return whether nothing of a request is in a context, but for little words."""
    entries = [entry for listed in context.get("entities", {}).values() for entry in listed]
    known = " ".join([context["reply"], *context.get("screen", []), *entries]).lower().split()
    return {word.strip(".,?:") for word in known}.isdisjoint(word for word in text.lower().split() if len(word) > 3)


def ordinary(
    part: str, speech: Path | None, count: int, contexts: list[dict[str, Any]], seed: int
) -> Iterator[dict[str, Any]]:
    """Requests, each with the context of another dialogue."""
    rng = random.Random(seed)
    rows: list[tuple[str, str, str]] = []
    if speech is not None:
        rows = [(path, text, "real") for path, text in real_requests(speech, part, rng, count)]
        texts = [
            text
            for name in ("slurp", "snips", "clinc150")
            for text in (speech / "text" / f"{name}.txt").read_text().splitlines()
            if 3 <= len(text.split()) <= 12
        ]
    else:
        from biasing_contacts import PLAIN

        texts = [*PLAIN] * (1 + count // len(PLAIN))
    voices = TEST_VOICES if part == "test" else LEARN_VOICES
    chosen = rng.sample(texts, count - len(rows))
    rows += [("", text, voices[number % 2]) for number, text in enumerate(chosen)]
    name = "ordinary" if part == "test" else "ordinary-learn"
    for number, (path, text, voice) in enumerate(rows):
        context = rng.choice(contexts)["context"]
        while not is_foreign(context, text):
            context = rng.choice(contexts)["context"]
        yield {
            "path": path or f"{name}-{number:03}.flac",
            "kind": "ordinary",
            "voice": voice,
            "context": context,
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
        parts["learn"] += recorded(speech, seed + 1000, 2 * arguments.each)
    parts["ordinary"] = list(ordinary("test", speech, arguments.ordinary, parts["test"], seed))
    parts["ordinary-learn"] = list(ordinary("learn", speech, arguments.ordinary, parts["learn"], seed + 1))
    parts["free"] = list(phrasings(TEST_VOICES))
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
