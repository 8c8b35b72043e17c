"""The orders of the barista benchmark: recordings, noise, and what may be said as bias file, grammar and JSGF."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nearword.biasing.slots import Filled, SlotGrammar
from nearword.runtime.evaluation.word_errors import read_rows
from nearword.runtime.recognition.text import normalise

FRAME = 2048
"""Samples over which energies are taken."""
OPENER, ARTICLE, JOINING = "opener", "article", "joining"
"""Classes beside the slots: how an order begins, and the words that hold it together."""
JOINING_WORDS = ("with", "and")


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


def open_pocketsphinx(
    told: Mapping[str, Any], grammar: SlotGrammar
) -> Callable[[npt.NDArray[np.float32]], Filled | None]:
    """Return what understands samples."""
    import pocketsphinx

    decoder = pocketsphinx.Decoder(loglevel="FATAL", lm=None, bestpath=False)
    decoder.add_jsgf_string("order", jsgf(told))
    decoder.activate_search("order")

    def recognise(samples: npt.NDArray[np.float32]) -> Filled | None:
        decoder.start_utt()
        decoder.process_raw((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return grammar.fill(hypothesis.hypstr.split()) if hypothesis else None

    return recognise


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
