"""Errors on names of people and of devices without any list of phrases, on sentences of an assistant.

    python -m nearword.models.training heldout FOLDER
    python tests/benchmarks/names_and_devices.py FOLDER/manifest.tsv

Names are Faker's English and Indian, German and Spanish ones, less the thousand commonest English words; devices
and rooms those of the recipe's templates. Needs the extra nearword[train].
"""

import argparse
from pathlib import Path

import numpy as np
from dev_speech import Recording
from error_types import Outcome, outcomes
from nearword.models.training.phrases import slot_values
from nearword.runtime import SearchOptions, load_model, transcribe_file
from nearword.runtime.evaluation.word_errors import read_manifest
from nearword.runtime.recognition.text import normalise
from nearword.runtime.search import BeamSettings


def people() -> set[str]:
    """Return the words of names, lower case."""
    from faker import Faker
    from wordfreq import top_n_list

    words: set[str] = set()
    for locale in ("en_US", "en_GB", "en_IN", "de_DE", "es_ES"):
        for provider in Faker(locale).get_providers():
            for kind in ("first_names", "first_names_male", "first_names_female", "last_names"):
                words |= {part for name in getattr(provider, kind, ()) for part in normalise(name).split()}
    return words - set(top_n_list("en", 1000))


def inside(words: tuple[str, ...], phrases: set[tuple[str, ...]]) -> set[int]:
    """Return the positions in ``words`` that one of ``phrases`` covers."""
    longest = max(map(len, phrases))
    return {
        k
        for start in range(len(words))
        for end in range(start + 1, min(len(words), start + longest) + 1)
        if words[start:end] in phrases
        for k in range(start, end)
    }


def show(title: str, utterances: list[list[Outcome]]) -> None:
    """Print the share of words wrong or missed, with a 95 % bootstrap interval over utterances."""
    counts = np.array([(sum(one.said != one.heard for one in words), len(words)) for words in utterances if words])
    rng = np.random.default_rng(0)
    draws = counts[rng.integers(0, len(counts), (2000, len(counts)))].sum(1)
    low, high = np.quantile(draws[:, 0] / draws[:, 1], (0.025, 0.975))
    wrong, total = counts.sum(0)
    print(f"{title:20} {total:5} words  {wrong / total:6.1%} wrong or missed ({low:.1%} to {high:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--beam", type=int, default=12)
    arguments = parser.parse_args()
    model, options = load_model(arguments.model), SearchOptions(BeamSettings(max_active=arguments.beam))
    names = people()
    things = {tuple(phrase.split()) for kind in ("device", "room") for phrase in slot_values(kind)}
    kinds = {"names": [0], "devices and rooms": [1], "names and devices": [0, 1], "other words": [2], "all": [0, 1, 2]}
    utterances: list[tuple[list[Outcome], list[int]]] = []
    for entry in read_manifest(arguments.manifest):
        said = tuple(normalise(entry.text).split())
        heard = normalise(transcribe_file(model, entry.path, options).text).split()
        found, _ = outcomes(Recording(entry, "any"), heard, "any")
        devices = inside(said, things)
        utterances.append((found, [1 if k in devices else 0 if word in names else 2 for k, word in enumerate(said)]))
    for title, numbers in kinds.items():
        show(title, [[one for one, k in zip(*both, strict=True) if k in numbers] for both in utterances])


if __name__ == "__main__":
    main()
