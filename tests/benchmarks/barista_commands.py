"""Commands to a coffee machine: share understood in full, from the best words and from the lattice, clean and in noise.

    NEARWORD_SPEECH=... python tests/benchmarks/barista_commands.py [--model FOLDER] [--quick] [--pocketsphinx 30]

The commands, noise and rules of Picovoice's speech-to-intent benchmark: the noise is an excerpt of the kitchen
recording; the signal-to-noise ratio is that of the largest energies of frames of 2,048 samples of speech and of the
excerpt; a command counts if its intent is right and every labelled slot has its labelled value. "exact" asks that
nothing beyond the labels is heard either. Terms and the order are told to the recogniser as a bias file, which is
written from ``barista-slots.json``; ``--keep FILE`` keeps it, for ``nearword transcribe --bias FILE``.

- plain: nothing told, 1-best
- free: likewise, without the model's own language model
- bias, 1-best and lattice: terms boosted where the order has them; of the lattice, the best path that fits the order
- grammar, 1-best and lattice: the search is kept to what the order allows
- grammar, accepted: of the latter, what is so much likelier than "free" that it is taken for an order; all else
  counts as not understood. How many sentences that are no orders are accepted so is measured on dev/speechocean762
- pocketsphinx: with a JSGF grammar of the same orders and the English model it brings

Settings were chosen on the commands with even numbers; the table of halves tells how the others fare with them.
"""

import argparse
import collections
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from barista_orders import (
    ARTICLE,
    JOINING,
    OPENER,
    Command,
    bias_file,
    grammar_of,
    in_noise,
    open_pocketsphinx,
    read_commands,
)  # fmt: skip
from dev_speech import encode
from nearword.biasing.constraint import DEFAULT_PENALTY, DEFAULT_REWARD, DEFAULT_SHARE
from nearword.biasing.slots import Filled, SlotGrammar
from nearword.lattice import Lattice, determinize
from nearword.models import Transducer, read_audio, resolve
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition.biasing import load_biasing
from nearword.runtime.recognition.grammar import FREE_SEARCH, GRAMMAR_BEAM, compare, search_with_grammar
from nearword.runtime.recognition.text import normalise
from nearword.runtime.search import BeamSettings, SearchOptions

LEVELS = (None, 24, 21, 18, 15, 12, 9, 6)
"""Signal-to-noise ratios in dB; None is clean."""
QUICK_LEVELS = (None, 24, 15, 6)
QUICK_COMMANDS = 40
WAYS = ("plain", "free", "bias", "grammar")
PUBLISHED = {
    "Rhino": (0.99, 0.99, 0.99, 0.99, 0.98, 0.97, 0.96),
    "Watson": (0.96, 0.95, 0.95, 0.93, 0.89, 0.84, 0.72),
    "LUIS": (0.93, 0.93, 0.92, 0.91, 0.90, 0.89, 0.86),
    "Lex": (0.88, 0.87, 0.87, 0.87, 0.85, 0.84, 0.80),
}
"""By Picovoice, on all of its commands, from 24 down to 6 dB."""


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
    found = {
        "plain": SearchOptions(),
        "free": FREE_SEARCH,
        "bias": SearchOptions(beam, biasing),
        "grammar": constrained,
    }
    return {way: found[way] for way in settings.only}


@dataclass(frozen=True)
class Heard:
    """What a search made of a recording."""

    best: Filled | None
    """What its best words ask for."""
    filled: Filled | None
    """What its lattice asks for."""
    lattice: Lattice


def listen(
    model: Transducer, steps: Iterable[npt.NDArray[np.float32]], options: SearchOptions, grammar: SlotGrammar
) -> Heard:
    """Return what a search makes of the encoder's steps."""
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
    return Heard(grammar.fill(words), grammar.fill_best(lattice), lattice)


def understood(heard: Mapping[str, Heard]) -> dict[str, Filled | None]:
    """Return what is understood in each way out of what each search has heard."""
    found: dict[str, Filled | None] = {}
    for name, each in heard.items():
        found |= (
            {f"{name}, 1-best": each.best, f"{name}, lattice": each.filled}
            if name in ("bias", "grammar")
            else {name: each.best}
        )
    if "free" in heard and "grammar" in heard:
        filled = heard["grammar"].filled
        found["grammar, accepted"] = filled if compare(filled, heard["free"].lattice).accepted else None
    return found


def print_others(
    model: Transducer, speech: Path, count: int, compared: Mapping[str, SearchOptions], grammar: SlotGrammar
) -> None:
    """Print how many sentences that are no orders are taken for one."""
    rows = read_manifest(speech / "dev" / "speechocean762.tsv")
    taken = collections.Counter[str]()
    rows = rows[:: max(1, len(rows) // count)][:count]
    for row in rows:
        steps = encode(model, row.path)
        heard = {name: listen(model, steps, options, grammar) for name, options in compared.items()}
        taken.update(way for way, filled in understood(heard).items() if filled is not None)
    print(f"\nof {len(rows)} sentences that are no orders, taken for one: {dict(taken)}")


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


def read_arguments() -> argparse.Namespace:
    """Return the settings of the command line."""
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
    parser.add_argument("--others", type=int, default=60, metavar="N", help="sentences that are no orders")
    parser.add_argument("--mistakes", action="store_true", help="print every command that was not understood")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the bias file here")
    return parser.parse_args()


def main() -> None:
    settings = read_arguments()
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
            found = understood(
                {
                    name: timed(name, partial(listen, model, steps, options, grammar))
                    for name, options in compared.items()
                }
            )
            if sphinx is not None and place < settings.pocketsphinx:
                found["pocketsphinx"] = timed("pocketsphinx", partial(sphinx, samples))
            for way, filled in found.items():
                if not row.count(way, command, filled) and settings.mistakes:
                    heard = "nothing" if filled is None else " ".join(filled.words)
                    print(f"{level_name(level)}, {way}: {heard} | {command.text} | {command.slots}")
        print(level_name(level), dict(row.right), flush=True)
    print_table(table, seconds)
    if settings.others:
        print_others(model, settings.speech, settings.others, compared, grammar)


if __name__ == "__main__":
    main()
