"""What context is worth: errors and understood share of follow-ups with it and without, and harm where it is wrong.

    python tests/benchmarks/context_dialogues.py FOLDER --speech SPEECH
    python tests/benchmarks/context_gain.py FOLDER [--model M] [--weights W] [--parts test free ordinary] [--ablate]
        [--limit N] [--processes N]

Follow-ups are those of ``test.jsonl``, answers in anybody's words those of ``free.jsonl``, requests that the context
does not fit those of ``ordinary.jsonl``. Each is recognised once, by the search with context and the one without.
Intervals are 95 % bootstraps over utterances, paired where two runs are compared. Understood: the choice, polarity,
spelling, or time that was meant, told by rules from the words alone, the same with context and without. With
``--ablate`` each source of context is left out by itself, and each is used alone.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from nearword.lattice.edit_distance import edit_distance
from nearword.models import Transducer
from nearword.runtime import Transcriber, load_model
from nearword.runtime.context import (
    ContextInput,
    ContextModel,
    ContextSession,
    ContextWeights,
    SessionContext,
    Source,
    default_weights,
    update,
)
from nearword.runtime.context.weights import read_weights
from nearword.runtime.evaluation.biasing import EncodedUtterance, encode_all
from nearword.runtime.evaluation.word_errors import Entry
from nearword.runtime.recognition.reading import Reading
from nearword.runtime.recognition.text import normalise
from nearword.runtime.search import BeamSearch

Row = dict[str, Any]
PLACES = (("first", "one"), ("second", "two"), ("third", "three"), ("fourth", "four"), ("fifth", "five"))
ORDINALS = {name: place for place, names in enumerate(PLACES) for name in names}
YES = "yes yeah yep sure okay go do right correct".split()
NO = "no nope cancel not never don't wrong stop".split()
IGNORED = frozenset("at on in the please um a i".split())


def understood(row: Row, heard: str) -> bool:
    words = heard.split()
    if row["kind"] == "yes_no":
        said = next((word for word in words if word in YES or word in NO), "")
        return ("no" if said in NO else "yes" if said else "") == row["value"]
    if not row["choices"]:
        wanted = normalise(row["value"]).split()
        return [word for word in words if word not in IGNORED] == [word for word in wanted if word not in IGNORED]
    choices = [normalise(choice).split() for choice in row["choices"]]
    common = set.intersection(*map(set, choices)) if len(choices) > 1 else set()
    telling = [[word for word in choice if word not in common] or choice for choice in choices]
    found = [sum(word in words for word in choice) / len(choice) for choice in telling]
    best = max(found)
    if best > 0 and found.count(best) == 1:
        return normalise(row["choices"][found.index(best)]) == normalise(row["value"])
    place = next((ORDINALS[word] for word in words if word in ORDINALS), None)
    return place is not None and place < len(choices) and row["choices"][place] == row["value"]


class Both(ContextSession):
    """Keeps what the search without context came to."""

    plain: str | None = None

    def prefers_informed(self, search: BeamSearch, informed: Reading, plain: Reading) -> bool:
        self.plain = normalise(plain.best.text)
        return super().prefers_informed(search, informed, plain)


def recognise(model: ContextModel, loaded: Transducer, row: Row, audio: EncodedUtterance) -> tuple[str, str]:
    """Return the words without context and with it."""
    session = Both(loaded, context_model=model)
    try:
        update(session.context, row["context"])
        session.wait(60)
        heard = normalise(Transcriber(loaded, session=session).replay(audio.steps, audio.seconds).text)
        return (heard if session.plain is None else session.plain), heard
    finally:
        session.close()


def counted(row: Row, heard: str) -> tuple[int, int, float]:
    """Return errors, words, and whether it is understood."""
    said = normalise(row["text"]).split()
    return edit_distance(said, heard.split()), len(said), float(understood(row, heard)) if row["value"] else 0.0


@dataclass(frozen=True)
class Task:
    """Some utterances of a part, with one or more weights."""

    model: str
    folder: Path
    part: str
    numbers: tuple[int, ...]
    """Of the part's rows."""
    weights: tuple[ContextWeights, ...]


def run(task: Task) -> np.ndarray:
    """Return errors, words and understood without and with context, [weights, utterances, 2, 3].

    What other weights cannot change, since a source that they leave out is not there, is not done again.
    """
    loaded, rows = load_model(task.model), rows_of(task.folder, task.part)
    chosen = [rows[number] for number in task.numbers]
    audio = encode_all(loaded, [Entry(task.folder / row["path"], row["text"]) for row in chosen], print)
    models = [ContextModel(loaded, weights) for weights in task.weights]
    present = [frozenset(models[0].present(given(row))) for row in chosen]
    known: dict[tuple[int, frozenset[Source], float, float], tuple[str, str]] = {}
    out = []
    for model in models:
        weights = model.weights
        on = {source for source, weight in weights.sources.items() if weight > 0}
        counts = []
        for number, (row, one) in enumerate(zip(chosen, audio, strict=True)):
            key = number, present[number] & on, weights.cache, weights.strength
            if key not in known:
                known[key] = recognise(model, loaded, row, one)
            counts.append([counted(row, heard) for heard in known[key]])
        out.append(counts)
    return np.array(out)


def run_all(pool: Executor, processes: int, whole: Task) -> np.ndarray:
    """Return what ``run`` does, by several processes."""
    shares = [replace(whole, numbers=whole.numbers[first::processes]) for first in range(processes)]
    shares = [share for share in shares if share.numbers]
    done = list(pool.map(run, shares))
    out = np.empty((len(whole.weights), len(whole.numbers), 2, 3))
    for first, part in enumerate(done):
        out[:, first :: len(done)] = part
    return out


def rows_of(folder: Path, part: str) -> list[Row]:
    return [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]


def given(row: Row) -> ContextInput:
    context = SessionContext()
    update(context, row["context"])
    return context.snapshot()


def interval(counts: Sequence[np.ndarray], statistic: Callable[..., float]) -> str:
    rng = np.random.default_rng(0)
    picks = [rng.integers(0, len(counts[0]), len(counts[0])) for _ in range(2000)]
    low, high = np.quantile([statistic(*(count[pick] for count in counts)) for pick in picks], (0.025, 0.975))
    return f"{statistic(*counts):.1f} ({low:.1f} to {high:.1f})"


def rate(counts: np.ndarray) -> float:
    return 100 * counts[:, 0].sum() / counts[:, 1].sum()


def fewer(before: np.ndarray, after: np.ndarray) -> float:
    return 100 * (1 - after[:, 0].sum() / max(1, before[:, 0].sum()))


def table(rows: list[Row], before: np.ndarray, after: np.ndarray) -> None:
    groups = {"all": np.ones(len(rows), bool)}
    for key in ("kind", "voice"):
        for name in dict.fromkeys(row[key] for row in rows):
            groups[f"{key} {name}"] = np.array([row[key] == name for row in rows])
    for name, chosen in groups.items():
        one, two = before[chosen], after[chosen]
        print(
            f"{name:34} {chosen.sum():4} turns: word errors {rate(one):5.1f} -> {rate(two):5.1f} %, "
            f"{fewer(one, two):5.1f} % fewer; "
            f"understood {100 * one[:, 2].mean():5.1f} -> {100 * two[:, 2].mean():5.1f} %"
        )
    print("word errors without context:", interval([before], rate), "%; with:", interval([after], rate), "%")
    print("fewer errors with context:", interval([before, after], fewer), "%", flush=True)


def ablated(weights: ContextWeights) -> dict[str, ContextWeights]:
    """Return the weights without each source, and with each alone."""
    found = {"all": weights}
    for source in Source:
        found[f"without {source.value}"] = weights.without(source)
        found[f"{source.value} alone"] = weights.without(*(one for one in Source if one is not source))
    found["without the cache"] = replace(weights, cache=0.0)
    found["without boosted phrases"] = replace(weights, strength=0.0)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--parts", nargs="+", default=["test", "free", "ordinary"], help="files of the folder")
    parser.add_argument("--ablate", action="store_true", help="the sources, on the first part")
    parser.add_argument("--limit", type=int, help="utterances of each part, from all over it")
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    weights = default_weights() if arguments.weights is None else read_weights(arguments.weights)
    with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
        for place, part in enumerate(arguments.parts):
            rows = rows_of(arguments.folder, part)
            step = 1 if arguments.limit is None else max(1, len(rows) // arguments.limit)
            numbers = tuple(range(0, len(rows), step))
            settings = ablated(weights) if arguments.ablate and not place else {"all": weights}
            task = Task(arguments.model, arguments.folder, part, numbers, tuple(settings.values()))
            counts = run_all(pool, arguments.processes, task)
            before, after = counts[0, :, 0], counts[0, :, 1]
            if part.startswith("ordinary"):
                print(
                    f"{len(before)} ordinary requests with a context that does not fit: word errors {rate(before):.2f} "
                    f"-> {rate(after):.2f} %; points more:",
                    interval([before, after], lambda one, two: rate(two) - rate(one)),
                    flush=True,
                )
            else:
                table([rows[number] for number in numbers], before, after)
            for name, each in zip(settings, counts[:, :, 1], strict=True):
                if name != "all":
                    more = interval([after, each], lambda one, two: rate(two) - rate(one))
                    print(f"{name:24} {rate(each):5.1f} %, points more: {more}; fewer errors than without context:",
                          interval([before, each], fewer), "%", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
