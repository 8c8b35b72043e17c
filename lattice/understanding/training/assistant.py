"""The data of the model in the package: requests to an assistant, of three public sets and of templates.

    python -m nearword.lattice.understanding.training.assistant FOLDER -o assistant.jsonl
    nearword understand train assistant.jsonl --max-kb 390 -o assistant.nlu

FOLDER holds ``snips.train.jsonl``, ``clinc150.train.jsonl`` and ``slurp.train.jsonl``. What of them is no such request
stands for what is to be refused. ``assistant.json`` says which intents and slots of the sets are one, and what people
say to telephones, timers and lights beside that.
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .examples import Example, Span, read_examples, write_examples
from .templates import expand_document
from .train import NONE_OF_THEM

PLAN = Path(__file__).with_name("assistant.json")
MOST_OF_SNIPS = 700
"""Texts of each intent of snips that are taken: it has four times as many of few patterns."""
MOST_OTHERS = 7000
PER_TEMPLATE_INTENT = 150


def assistant_examples(folder: Path) -> list[Example]:
    """Return the examples that the model in the package is learnt of."""
    plan = json.loads(PLAN.read_text(encoding="utf-8"))
    chance = random.Random(5)  # noqa: S311 (the same data each time)
    found, others = [], []
    for name in ("slurp", "clinc150", "snips"):
        examples = read_examples([folder / f"{name}.train.jsonl"])
        chance.shuffle(examples)
        taken = dict.fromkeys(plan[name], 0)
        for one in examples:
            intent = plan[name].get(one.intent)
            if intent is None:
                if one.intent not in plan["left_out"]:
                    others.append(Example(one.text, NONE_OF_THEM[0], None))
            elif name != "snips" or taken[one.intent] < MOST_OF_SNIPS:
                taken[one.intent] += 1
                found.append(Example(one.text, intent, _renamed(one, plan["slots"])))
    found += [
        replace(one, slots=tuple(one.slots or ()))
        for one in expand_document(plan["templates"], str(PLAN), PER_TEMPLATE_INTENT)
    ]
    return found + chance.sample(others, min(len(others), MOST_OTHERS))


def _renamed(one: Example, names: Mapping[str, str]) -> tuple[Span, ...] | None:
    if one.slots is None:
        return None
    return tuple(Span(names[span.slot], span.start, span.end) for span in one.slots if span.slot in names)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with the three sets")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write, JSON lines")
    settings: Any = parser.parse_args(arguments)
    examples = assistant_examples(settings.folder)
    write_examples(examples, settings.output)
    print(f"{settings.output}: {len(examples):,} texts, {len({one.intent for one in examples})} intents")  # noqa: T201


if __name__ == "__main__":
    main()
