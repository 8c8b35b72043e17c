"""What context is worth: errors and understood share of follow-ups with it and without, and harm where it is wrong.

    python tests/benchmarks/context_dialogues.py FOLDER --speech SPEECH
    python tests/benchmarks/context_gain.py FOLDER [--model M] [--weights W] [--ablate] [--limit N]

Follow-ups are those of ``test.jsonl``, requests that the context does not fit those of ``ordinary.jsonl``. Intervals
are 95 % bootstraps over utterances, paired where two runs are compared. Understood: the choice, polarity, spelling, or
time that was meant, told by rules from the words alone, the same with context and without. With ``--ablate`` each
source of context is left out by itself, and each is used alone.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nearword.models import Transducer
from nearword.runtime import Transcriber, load_model
from nearword.runtime.context import ContextModel, ContextSession, Source, default_weights, update
from nearword.runtime.context.learn import edits
from nearword.runtime.context.weights import read_weights
from nearword.runtime.evaluation.biasing import EncodedUtterance, encode_all
from nearword.runtime.evaluation.word_errors import Entry
from nearword.runtime.recognition.text import normalise

Row = dict[str, Any]
PLACES = (("first", "one"), ("second", "two"), ("third", "three"), ("fourth", "four"), ("fifth", "five"))
ORDINALS = {name: place for place, names in enumerate(PLACES) for name in names}
YES = "yes yeah yep sure okay go do right correct".split()
NO = "no nope cancel not never don't wrong stop".split()
IGNORED = frozenset("at on in the please um a i".split())


def load(model: Transducer, folder: Path, part: str, limit: int | None) -> list[tuple[Row, EncodedUtterance]]:
    rows = [json.loads(line) for line in (folder / f"{part}.jsonl").read_text().splitlines()]
    if limit is not None:
        rows = rows[:: max(1, len(rows) // limit)]
    encoded = encode_all(model, [Entry(folder / row["path"], row["text"]) for row in rows], print)
    return list(zip(rows, encoded, strict=True))


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


def recognise(model: ContextModel | None, loaded: Transducer, row: Row, audio: EncodedUtterance) -> str:
    if model is None:
        return normalise(Transcriber(loaded).replay(audio.steps, audio.seconds).text)
    session = ContextSession(loaded, context_model=model)
    try:
        update(session.context, row["context"])
        session.wait(30)
        transcriber = Transcriber(loaded, session=session)
        return normalise(transcriber.replay(audio.steps, audio.seconds).text)
    finally:
        session.close()


def measure(data: list[tuple[Row, EncodedUtterance]], recognised: Callable[[Row, EncodedUtterance], str]) -> np.ndarray:
    """Return errors, words and understood of each utterance, [utterances, 3]."""
    out = []
    for row, audio in data:
        heard = recognised(row, audio)
        reference = normalise(row["text"]).split()
        out.append((edits(reference, heard.split()), len(reference), understood(row, heard) if row["value"] else 0))
    return np.array(out)


def interval(counts: Sequence[np.ndarray], statistic: Callable[..., float]) -> str:
    rng = np.random.default_rng(0)
    picks = [rng.integers(0, len(counts[0]), len(counts[0])) for _ in range(2000)]
    low, high = np.quantile([statistic(*(count[pick] for count in counts)) for pick in picks], (0.025, 0.975))
    return f"{statistic(*counts):.1f} ({low:.1f} to {high:.1f})"


def rate(counts: np.ndarray) -> float:
    return 100 * counts[:, 0].sum() / counts[:, 1].sum()


def fewer(before: np.ndarray, after: np.ndarray) -> float:
    return 100 * (1 - after[:, 0].sum() / before[:, 0].sum())


def table(data: list[tuple[Row, EncodedUtterance]], before: np.ndarray, after: np.ndarray) -> None:
    groups = {"all": np.ones(len(data), bool)}
    for key in ("kind", "voice"):
        for name in dict.fromkeys(row[key] for row, _ in data):
            groups[f"{key} {name}"] = np.array([row[key] == name for row, _ in data])
    for name, chosen in groups.items():
        one, two = before[chosen], after[chosen]
        print(
            f"{name:34} {chosen.sum():4} turns: word errors {rate(one):5.1f} -> {rate(two):5.1f} %, "
            f"{fewer(one, two):5.1f} % fewer; "
            f"understood {100 * one[:, 2].mean():5.1f} -> {100 * two[:, 2].mean():5.1f} %"
        )
    print("word errors without context:", interval([before], rate), "%; with:", interval([after], rate), "%")
    print("fewer errors with context:", interval([before, after], fewer), "%", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--scale", type=float)
    parser.add_argument("--part", default="test", help="test, or learn (with its own ordinary requests)")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--follow-ups", action="store_true", help="measure these alone")
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    loaded = load_model(arguments.model)
    weights = default_weights() if arguments.weights is None else read_weights(arguments.weights)
    if arguments.scale is not None:
        weights = replace(weights, scale=arguments.scale)
    model = ContextModel(loaded, weights)
    ordinary = "ordinary" if arguments.part == "test" else "ordinary-learn"

    def run(data: list[tuple[Row, EncodedUtterance]], used: ContextModel | None) -> np.ndarray:
        return measure(data, lambda row, audio: recognise(used, loaded, row, audio))

    started = time.monotonic()
    follow_ups = load(loaded, arguments.folder, arguments.part, arguments.limit)
    before, after = run(follow_ups, None), run(follow_ups, model)
    table(follow_ups, before, after)
    if arguments.follow_ups and not arguments.ablate:
        return
    others = load(loaded, arguments.folder, ordinary, arguments.limit)
    plain, wrong = run(others, None), run(others, model)
    print(
        f"{len(others)} ordinary requests with a context that does not fit: word errors {rate(plain):.2f} -> "
        f"{rate(wrong):.2f} %; points more:",
        interval([plain, wrong], lambda one, two: rate(two) - rate(one)),
        f"[{time.monotonic() - started:.0f} s]",
        flush=True,
    )
    for source in Source if arguments.ablate else ():
        without = run(follow_ups, ContextModel(loaded, weights.without(source)))
        only = run(follow_ups, ContextModel(loaded, weights.without(*(one for one in Source if one is not source))))
        lost, alone = interval([after, without], lambda a, b: rate(b) - rate(a)), interval([before, only], fewer)
        print(
            f"without {source.value:10} {rate(without):5.1f} %, points more: {lost}; it alone: {alone} % fewer",
            flush=True,
        )
    if arguments.ablate:
        without = run(follow_ups, ContextModel(loaded, replace(weights, cache=0.0)))
        print(f"without the cache  {rate(without):5.1f} %")
        without = run(follow_ups, ContextModel(loaded, replace(weights, strength=0.0)))
        print(f"without boosted phrases  {rate(without):5.1f} %")


if __name__ == "__main__":
    main()
