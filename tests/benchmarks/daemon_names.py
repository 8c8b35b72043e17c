"""What names of a Home Assistant are worth: 500 entities fetched from a mock of its websocket, spoken to over Wyoming.

    python tests/benchmarks/daemon_names.py synthesize FOLDER [--count 120]
    python tests/benchmarks/daemon_names.py measure FOLDER [--every N]

The first needs festival (``text2wave``), whose voice no training heard. Each request names one of the 500 entities, or,
in a quarter of them, none. Three daemons' engines hear the same audio over TCP: without names, with those of Home
Assistant, and with the same names in ``transcript_names`` of every request. Written: words of names wrong, other words
wrong, names that came back exactly as they are written, and names heard that nobody said.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from nearword.runtime.daemon import ServeSettings
from nearword.runtime.daemon.engine import Engine
from nearword.runtime.daemon.service import Daemon
from nearword.runtime.evaluation.biasing import errors
from wyoming.asr import Transcribe

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from biasing_contacts import PLAIN
from clients import home_assistant_2026_11, pcm
from home_assistant_mock import TOKEN, House, running

COUNT = 500
ROOMS = (
    "kitchen", "hall", "bedroom", "bathroom", "study", "attic", "cellar", "pantry", "nursery", "garage", "porch",
    "conservatory", "laundry", "workshop", "balcony", "terrace", "larder", "landing", "snug", "greenhouse",
)  # fmt: skip
THINGS = (
    "light", "lamp", "fan", "heater", "blind", "plug", "speaker", "radiator", "humidifier", "chandelier", "sconce",
    "dehumidifier", "boiler", "skylight", "awning", "kettle", "projector", "subwoofer", "sprinkler", "camera",
)  # fmt: skip
CARRIERS = (
    "turn on the {}", "turn off the {}", "is the {} on", "switch the {} off please", "what is the state of the {}",
    "could you start the {}", "stop the {} at nine", "set the {} to fifty percent",
)  # fmt: skip


def names(seed: int = 7) -> list[str]:
    """Return entities: things in rooms, and things that are called by a person's name."""
    from faker import Faker

    fake, rng = Faker(["en_US", "it_IT", "nl_NL", "pl_PL"]), random.Random(seed)
    fake.seed_instance(seed)
    found: dict[str, None] = {}
    while len(found) < COUNT:
        person = fake.first_name().lower()
        if not (person.isascii() and person.isalpha()):
            continue
        room, thing = rng.choice(ROOMS), rng.choice(THINGS)
        found.setdefault(rng.choice((f"{room} {thing}", f"{person}'s {thing}", f"{person} {room}")))
    return list(found)


def written(name: str) -> str:
    """Return a name as somebody types it."""
    return " ".join(word.capitalize() for word in name.split())


def synthesize(folder: Path, count: int) -> None:
    import soundfile
    import soxr

    folder.mkdir(parents=True, exist_ok=True)
    rng, listed = random.Random(3), names()
    rows = [(CARRIERS[k % len(CARRIERS)].format(name), name) for k, name in enumerate(rng.sample(listed, count))]
    rows += [(text, "") for text in PLAIN[: count // 3]]

    def speak(job: tuple[int, tuple[str, str]]) -> dict[str, str]:
        number, (text, name) = job
        wav = folder / f"{number:04d}.wav"
        subprocess.run(["text2wave", "-eval", "(voice_ked_diphone)", "-o", wav], input=text, check=True, text=True)
        samples, rate = soundfile.read(wav, dtype="float32")
        wav.unlink()
        out = np.concatenate([np.zeros(8000), soxr.resample(samples, rate, 16000), np.zeros(32000)])
        out += np.random.default_rng(number).normal(0, 3e-4, len(out))
        soundfile.write(wav.with_suffix(".flac"), np.clip(out, -1, 1), 16000)
        return {"path": f"{number:04d}.flac", "text": text, "name": name}

    with ThreadPoolExecutor(2) as pool:
        spoken = list(pool.map(speak, enumerate(rows)))
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in spoken))


async def heard(engine: Engine, folder: Path, rows: list[dict[str, str]], listed: list[str] | None) -> list[str]:
    texts = []
    async with Daemon(engine) as daemon:
        port = int(daemon.addresses["wyoming"][0].rsplit(":", 1)[1])
        while engine.settings.home_assistant and not engine.metrics.names._value.get():
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        for row in rows:
            request = Transcribe(language="en", transcript_names=listed)
            result = await home_assistant_2026_11(port, pcm(folder / row["path"]), request=request)
            texts.append(result.text or "")
    return texts


def told(rows: list[dict[str, str]], texts: list[str], listed: list[str]) -> str:
    counts = np.zeros(4, np.int64)
    exact = invented = named = 0
    for row, text in zip(rows, texts, strict=True):
        reference, hypothesis, name = row["text"].split(), text.lower().split(), row["name"].split()
        start = next((k for k in range(len(reference)) if reference[k : k + len(name)] == name), 0)
        inside = set(range(start, start + len(name)))
        wrong = [kind != "insert" and place in inside for kind, place, _ in errors(reference, hypothesis)]
        counts += (len(inside), sum(wrong), len(reference) - len(inside), len(wrong) - sum(wrong))
        named += bool(row["name"])
        exact += bool(row["name"]) and written(row["name"]) in text
        invented += any(one != row["name"] and f" {one} " in f" {text.lower()} " for one in listed)
    return (
        f"words of names wrong {counts[1] / counts[0]:.1%} of {counts[0]}, other words {counts[3] / counts[2]:.1%} of"
        f" {counts[2]}; names as they are written {exact} of {named}; names that nobody said in {invented} of"
        f" {len(rows)}"
    )


def measure(folder: Path, every: int) -> None:
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()][::every]
    listed = names()
    plain = ServeSettings(uri=("tcp://127.0.0.1:0",), http="")
    first = Engine.load(plain)
    print("without names:   ", told(rows, asyncio.run(heard(first, folder, rows, None)), listed), flush=True)

    async def with_house() -> list[str]:
        house = House()
        for number, name in enumerate(listed):
            house.add(f"light.number_{number}", written(name))
        with tempfile.NamedTemporaryFile("w") as token:
            token.write(TOKEN)
            token.flush()
            async with running(house):
                settings = replace(plain, home_assistant=f"http://127.0.0.1:{house.port}", token_file=token.name)
                return await heard(Engine(settings, first.model), folder, rows, None)

    print("Home Assistant's:", told(rows, asyncio.run(with_house()), listed), flush=True)
    said = asyncio.run(heard(Engine(plain, first.model), folder, rows, [written(name) for name in listed]))
    print("transcript_names:", told(rows, said, listed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("synthesize", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--every", type=int, default=1, help="take only every so many-th request")
    arguments = parser.parse_args()
    if arguments.command == "synthesize":
        synthesize(arguments.folder, arguments.count)
    else:
        measure(arguments.folder, arguments.every)


if __name__ == "__main__":
    main()
