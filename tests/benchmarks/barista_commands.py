"""Commands to a coffee machine: share understood in full, from the best words and from the lattice, clean and in noise.

    NEARWORD_SPEECH=... python tests/benchmarks/barista_commands.py [--model FOLDER] [--quick] [--pocketsphinx 30]

The commands, noise and rules of Picovoice's speech-to-intent benchmark: the noise is an excerpt of the kitchen
recording; the signal-to-noise ratio is that of the largest energies of frames of 2,048 samples of speech and of the
excerpt; a command counts if its intent is right and every labelled slot has its labelled value. "exact" asks that
nothing beyond the labels is heard either. Terms and the order are told to the recogniser as a bias file, which is
written from ``barista-slots.json``; ``--keep FILE`` keeps it, for ``nearword transcribe --bias FILE``.

- plain: nothing told, 1-best
- bias, 1-best and lattice: terms boosted where the order has them; of the lattice, the best path that fits the order
- grammar, 1-best and lattice: the search is kept to what the order allows
- pocketsphinx: with a JSGF grammar of the same orders and the English model it brings

Settings were chosen on the commands with even numbers; the table of halves tells how the others fare with them.
"""

import argparse
import collections
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from dev_speech import encode
from nearword.biasing.constraint import DEFAULT_PENALTY, DEFAULT_REWARD, DEFAULT_SHARE
from nearword.biasing.slots import Filled, SlotGrammar
from nearword.lattice import determinize
from nearword.models import Transducer, read_audio, resolve
from nearword.runtime.biasing import load_biasing
from nearword.runtime.evaluation import normalise, read_rows
from nearword.runtime.grammar import GRAMMAR_BEAM, search_with_grammar
from nearword.runtime.search import BeamSettings, SearchOptions

LEVELS = (None, 24, 21, 18, 15, 12, 9, 6)
"""Signal-to-noise ratios in dB; None is clean."""
QUICK_LEVELS = (None, 24, 15, 6)
QUICK_COMMANDS = 40
WAYS = ("plain", "bias", "grammar")
FRAME = 2048
"""Samples over which energies are taken."""
OPENER, ARTICLE, JOINING = "opener", "article", "joining"
"""Classes beside the slots: how an order begins, and the words that hold it together."""
JOINING_WORDS = ("with", "and")
PUBLISHED = {
    "Rhino": (0.99, 0.99, 0.99, 0.99, 0.98, 0.97, 0.96),
    "Watson": (0.96, 0.95, 0.95, 0.93, 0.89, 0.84, 0.72),
    "LUIS": (0.93, 0.93, 0.92, 0.91, 0.90, 0.89, 0.86),
    "Lex": (0.88, 0.87, 0.87, 0.87, 0.85, 0.84, 0.80),
}
"""By Picovoice, on all of its commands, from 24 down to 6 dB."""


@dataclass(frozen=True)
class Command:
    """A recording and what it asks for."""

    path: Path
    number: int
    """Place in the manifest."""
    text: str
    """What was said, as a recogniser aligned it; may be empty or wrong."""
    slots: dict[str, str]
    """As labelled; names in lower case."""


@dataclass
class Row:
    """Counts at one level of noise."""

    heard: collections.Counter[str] = field(default_factory=collections.Counter)
    """Commands, by way of understanding."""
    right: collections.Counter[str] = field(default_factory=collections.Counter)
    exact: collections.Counter[str] = field(default_factory=collections.Counter)
    halves: collections.Counter[tuple[str, bool, int]] = field(default_factory=collections.Counter)
    """Commands by way of understanding, whether right, and parity of their numbers."""
    labelled: dict[str, collections.Counter[str]] = field(default_factory=dict)
    """By way of understanding: commands that have each slot."""
    wrong: dict[str, collections.Counter[str]] = field(default_factory=dict)
    """Of them, those in which it came out wrong."""

    def count(self, way: str, command: Command, filled: Filled | None) -> bool:
        """Note what was understood; returns whether it counts as right."""
        found = {} if filled is None else filled.slots
        wrong = [name for name, value in command.slots.items() if found.get(name) != value]
        self.heard[way] += 1
        self.labelled.setdefault(way, collections.Counter()).update(command.slots.keys())
        self.wrong.setdefault(way, collections.Counter()).update(wrong)
        right = filled is not None and not wrong
        self.right[way] += right
        self.halves[way, right, command.number % 2] += 1
        self.exact[way] += right and not _more(found, command)
        return right


def _more(found: Mapping[str, str], command: Command) -> bool:
    return any(name not in command.slots for name in found if name not in (OPENER, ARTICLE, JOINING))


def order_templates(slots: Sequence[str]) -> list[str]:
    """Return the order of a command as a template, from what ``barista-slots.json`` says of it in words."""
    before = [f"${name.upper()}" for name in slots[:3]]
    orders = "|".join(" ".join(f"[{name}]" for name in order) for order in itertools.permutations(before))
    drink, milk, sugar = (f"${name.upper()}" for name in slots[3:])
    link = f"[${JOINING.upper()}]"
    after = "|".join(f"{link} {one} [{link} {other}]" for one, other in ((milk, sugar), (sugar, milk)))
    return [f"[${OPENER.upper()}] [${ARTICLE.upper()}] ({orders}) {drink} [{after}]"]


def bias_file(definition: Mapping[str, Any], strength: float, outside: float) -> dict[str, Any]:
    """Return the terms and the order as a bias file."""
    slots = definition["slots"]
    names = ["size", "roast", "numberOfShots", "coffeeDrink", "milkAmount", "sugarAmount"]
    listed = {name.lower(): slots[name] for name in names} | {
        OPENER: definition["openers"],
        ARTICLE: [article for article in definition["article"] if article],
        JOINING: list(JOINING_WORDS),
    }
    return {
        "templates": order_templates(names),
        "classes": {
            name: {"phrases": phrases, "strength": strength, "outside": outside} for name, phrases in listed.items()
        },
    }


def grammar_of(told: Mapping[str, Any], filler: float) -> SlotGrammar:
    """Return the grammar of the same order."""
    phrases = {name: [normalise(phrase) for phrase in entry["phrases"]] for name, entry in told["classes"].items()}
    return SlotGrammar(told["templates"], phrases, filler=filler)


def factored(phrases: Sequence[Sequence[str]]) -> str:
    """Return phrases as an expression of JSGF in which what several begin with stands once: faster to search."""
    after: dict[str, list[Sequence[str]]] = {}
    for words in phrases:
        if words:
            after.setdefault(words[0], []).append(words[1:])
    if not after:
        return ""
    said = " | ".join(f"{word} {factored(rest)}".strip() for word, rest in after.items())
    return f"({said})" if all(phrases) else f"[{said}]"


def jsgf(told: Mapping[str, Any]) -> str:
    """Return the same order for pocketsphinx."""
    classes = told["classes"]
    rules = [
        f"<{name}> = {factored([phrase.split() for phrase in entry['phrases']])};" for name, entry in classes.items()
    ]
    (template,) = told["templates"]
    for name in classes:
        template = template.replace(f"${name.upper()}", f"<{name}>")
    return "\n".join(["#JSGF V1.0;", "grammar order;", f"public <order> = {template};", *rules])


def energy(samples: npt.NDArray[np.float32]) -> float:
    """Return the largest energy of frames of 2,048 samples."""
    whole = samples[: len(samples) // FRAME * FRAME].astype(np.float64)
    return float((whole.reshape(-1, FRAME) ** 2).sum(1).max())


def in_noise(
    speech: npt.NDArray[np.float32], noise: npt.NDArray[np.float32], level: int | None, seed: int
) -> npt.NDArray[np.float32]:
    """Return speech with an excerpt of noise at a ratio in dB, the loudest sample at half of full scale."""
    if level is None:
        return speech
    start = int(np.random.default_rng(seed).integers(0, len(noise) - len(speech)))
    excerpt = noise[start : start + len(speech)]
    mixed = speech + np.sqrt(energy(speech) / energy(excerpt) / 10 ** (level / 10)) * excerpt
    return (mixed / (2 * np.abs(mixed).max())).astype(np.float32)


def searches(model: Transducer, told: Mapping[str, Any], settings: argparse.Namespace) -> dict[str, SearchOptions]:
    """Return what is compared: name to search."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "orders.json")
        file.write_text(json.dumps(told))
        biasing, refused = load_biasing(model, [file])
    for one in refused:
        print(one)
    beam = BeamSettings(max_active=settings.beam, beam=settings.width)
    constrained = search_with_grammar(
        model,
        grammar_of(told, settings.filler),
        beam=beam,
        penalty=settings.penalty,
        reward=settings.reward,
        share=settings.share,
    )
    found = {"plain": SearchOptions(), "bias": SearchOptions(beam, biasing), "grammar": constrained}
    return {way: found[way] for way in settings.only}


def understand(
    model: Transducer, steps: Iterable[npt.NDArray[np.float32]], options: SearchOptions, grammar: SlotGrammar
) -> tuple[Filled | None, Filled | None]:
    """Return what the best words and what the lattice ask for."""
    search = options.begin(model)
    for step in steps:
        search.advance(step)
    words = normalise(model.vocabulary.text(search.tokens)).split()
    lattice = determinize(
        search.lattice(),
        lru_cache(partial(model.vocabulary.text, lower=True)),
        model.vocabulary.word_starts,
        frame_seconds=model.info.frame_seconds,
        settings=options.lattice,
    )
    return grammar.fill(words), grammar.fill_best(lattice)


def open_pocketsphinx(
    told: Mapping[str, Any], grammar: SlotGrammar
) -> Callable[[npt.NDArray[np.float32]], Filled | None]:
    """Return what understands samples."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(loglevel="FATAL", lm=None)
    decoder.add_jsgf_string("order", jsgf(told))
    decoder.activate_search("order")

    def recognise(samples: npt.NDArray[np.float32]) -> Filled | None:
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return grammar.fill(hypothesis.hypstr.split()) if hypothesis else None

    return recognise


def read_commands(speech: Path) -> list[Command]:
    """Return the commands of the dev set."""
    rows: list[dict[str, Any]] = read_rows(speech / "dev" / "barista.jsonl", "path", "slots")
    return [
        Command(
            speech / row["path"],
            number,
            row["aligned_text"] or "",
            {name.lower(): value for name, value in row["slots"].items()},
        )
        for number, row in enumerate(rows)
    ]


def level_name(level: int | None) -> str:
    """Return a level for people."""
    return "clean" if level is None else f"{level} dB"


def print_table(table: Mapping[int | None, Row], seconds: Mapping[str, float]) -> None:
    """Print shares understood by way and level, and what went wrong."""
    ways = list(dict.fromkeys(way for row in table.values() for way in row.heard))
    print(f"\n{'':18}" + "".join(f"{level_name(level):>12}" for level in table))
    for way in ways:
        cells = [
            f"{row.right[way] / row.heard[way]:.2f} ({row.exact[way] / row.heard[way]:.2f})" if row.heard[way] else "-"
            for row in table.values()
        ]
        print(f"{way:18}" + "".join(f"{cell:>12}" for cell in cells))
    for engine, shares in PUBLISHED.items():
        at = dict(zip(LEVELS[1:], shares, strict=True))
        cells = [f"{at[level]:.2f}       " if level in at else "-" for level in table]
        print(f"{engine + ' (published)':18}" + "".join(f"{cell:>12}" for cell in cells))
    print("\nshare right of the commands with even numbers / odd numbers:")
    for way in ways:
        cells = []
        for row in table.values():
            rights = [(row.halves[way, True, half], row.halves[way, False, half]) for half in (0, 1)]
            cells.append(" / ".join(f"{good / (good + bad):.2f}" if good + bad else "-" for good, bad in rights))
        print(f"{way:18}" + "".join(f"{cell:>12}" for cell in cells))
    print("\nshare right by the benchmark's rule (and exact); commands: ", end="")
    print(", ".join(f"{way} {max(row.heard[way] for row in table.values())}" for way in ways))
    print("\nslots that came out wrong, of those labelled:")
    for way in ways:
        wrong, labelled = collections.Counter[str](), collections.Counter[str]()
        for row in table.values():
            wrong += row.wrong.get(way, collections.Counter())
            labelled += row.labelled.get(way, collections.Counter())
        print(f"{way:18}" + ", ".join(f"{name} {wrong[name] / labelled[name]:.0%}" for name in sorted(labelled)))
    print("\nCPU seconds: " + ", ".join(f"{name} {spent:.0f}" for name, spent in seconds.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, default=os.environ.get("NEARWORD_SPEECH"), help="folder that holds dev/")
    parser.add_argument("--model", default="assistant-en", help="name or folder")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_COMMANDS} commands at four levels of noise")
    parser.add_argument("--beam", type=int, default=GRAMMAR_BEAM.max_active, help="nodes that live from frame to frame")
    parser.add_argument("--width", type=float, default=GRAMMAR_BEAM.beam, help="log-probability kept behind the best")
    parser.add_argument("--strength", type=float, default=0.5, help="of what is boosted")
    parser.add_argument("--outside", type=float, default=0.25, help="share of it where the order has no such term")
    parser.add_argument("--filler", type=float, default=2.0, help="price of a word that no order has")
    parser.add_argument("--penalty", type=float, default=DEFAULT_PENALTY, help="price of a token no order allows")
    parser.add_argument("--reward", type=float, default=DEFAULT_REWARD, help="of a token that the grammar allows")
    parser.add_argument("--share", type=float, default=DEFAULT_SHARE, help="of the model's surprise given back to it")
    parser.add_argument("--only", nargs="+", choices=WAYS, default=WAYS, help="ways of understanding to measure")
    parser.add_argument("--pocketsphinx", type=int, default=0, metavar="N", help="measure it on the first N commands")
    parser.add_argument("--mistakes", action="store_true", help="print every command that was not understood")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the bias file here")
    settings = parser.parse_args()
    if not settings.speech or not (settings.speech / "dev").is_dir():
        sys.exit("say --speech, or set NEARWORD_SPEECH: the folder of speech that holds dev/")
    definition = json.loads((settings.speech / "dev" / "barista-slots.json").read_text())
    told = bias_file(definition, settings.strength, settings.outside)
    if settings.keep:
        settings.keep.write_text(json.dumps(told, indent=1) + "\n")
    grammar = grammar_of(told, settings.filler)
    model = Transducer.load(resolve(settings.model))
    compared = searches(model, told, settings)
    sphinx = open_pocketsphinx(told, grammar) if settings.pocketsphinx else None
    noise = read_audio(settings.speech / "dev" / "kitchen-noise.flac")
    commands = read_commands(settings.speech)
    if settings.quick:
        commands = commands[:: len(commands) // QUICK_COMMANDS][:QUICK_COMMANDS]
    table: dict[int | None, Row] = {}
    seconds: dict[str, float] = collections.defaultdict(float)

    def timed(name: str, work: Callable[[], Any]) -> Any:
        begun = time.process_time()
        result = work()
        seconds[name] += time.process_time() - begun
        return result

    for level in QUICK_LEVELS if settings.quick else LEVELS:
        row = table[level] = Row()
        for place, command in enumerate(commands):
            samples = in_noise(read_audio(command.path), noise, level, command.number)
            steps = timed("encoder", partial(encode, model, samples))
            found: dict[str, Filled | None] = {}
            for name, options in compared.items():
                best, lattice = timed(name, partial(understand, model, steps, options, grammar))
                found |= {"plain": best} if name == "plain" else {f"{name}, 1-best": best, f"{name}, lattice": lattice}
            if sphinx is not None and place < settings.pocketsphinx:
                found["pocketsphinx"] = timed("pocketsphinx", partial(sphinx, samples))
            for way, filled in found.items():
                if not row.count(way, command, filled) and settings.mistakes:
                    heard = "nothing" if filled is None else " ".join(filled.words)
                    print(f"{level_name(level)}, {way}: {heard} | {command.text} | {command.slots}")
        print(level_name(level), dict(row.right), flush=True)
    print_table(table, seconds)


if __name__ == "__main__":
    main()
