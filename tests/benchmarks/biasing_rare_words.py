"""Rare words of real speech on lists made as in the biasing test sets of LibriSpeech (Le et al. 2021).

    NEARWORD_SPEECH=FOLDER python tests/benchmarks/biasing_rare_words.py [--model M] [--sizes 100 1000]
        [--only none fusion fusion+spotting attention all] [--sets commonvoice speechocean762] [--limit N]

Every utterance has a list of its own: its rare words (in none of the 5,000 commonest of wordfreq) and N others that
are rare too. Of each way to use it: rare words wrong, other words wrong, and all.
"""

import argparse
import os
import random
import sys
from pathlib import Path

import numpy as np
from biasing_contacts import DEFAULT_SEARCH, WAYS
from nearword.biasing import Biasing, ClassSettings, Phrase
from nearword.models import Transducer, resolve
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.evaluation.biasing import EncodedUtterance, encode_all, errors, recognise
from nearword.runtime.evaluation.word_errors import BOOTSTRAP_DRAWS, normalise, read_manifest
from nearword.runtime.recognition.biasing import bias_vocabulary, surprise_of

COMMON, POOL = 5000, 100_000


def counts(reference: list[str], hypothesis: list[str], rare: set[str]) -> tuple[int, int, int, int]:
    """Return rare words, of them wrong; other words, and of them wrong with all that was put in."""
    listed = [word in rare for word in reference]
    wrong = [kind != "insert" and listed[place] for kind, place, _ in errors(reference, hypothesis)]
    return sum(listed), sum(wrong), len(listed) - sum(listed), len(wrong) - sum(wrong)


def interval(wrong: np.ndarray, words: np.ndarray) -> str:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(words), (BOOTSTRAP_DRAWS, len(words)))
    low, high = np.quantile(100 * wrong[draws].sum(1) / np.maximum(words[draws].sum(1), 1), (0.025, 0.975))
    return f"{100 * wrong.sum() / words.sum():5.1f} % ({low:.1f} to {high:.1f})"


def heard_with(
    model: Transducer,
    heard: EncodedUtterance,
    rare: set[str],
    biasing: Biasing | None,
    beam: BeamSettings,
    search: SearchOptions = DEFAULT_SEARCH,
) -> tuple[int, int, int, int]:
    """Return the counts of an utterance, recognised with its list; see ``counts``."""
    text = recognise(model, heard, biasing, beam, search)
    return counts(heard.reference.split(), normalise(text).split(), rare)


def tell(name: str, way: str, size: int, rows: list[tuple[int, int, int, int]]) -> None:
    table = np.asarray(rows)
    everything = table[:, 1] + table[:, 3]
    print(
        f"{name:15} {way:18} {size:5} others: rare words"
        f" {interval(table[:, 1], table[:, 0])} of {table[:, 0].sum()} wrong,"
        f" others {interval(table[:, 3], table[:, 2])},"
        f" all {100 * everything.sum() / (table[:, 0] + table[:, 2]).sum():.1f} %",
        flush=True,
    )


def main() -> None:
    from wordfreq import top_n_list

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--only", nargs="+", choices=["none", *WAYS], default=["none", "fusion+spotting", "all"])
    parser.add_argument("--sets", nargs="+", default=["commonvoice", "speechocean762"])
    parser.add_argument("--limit", type=int, help="at most so many recordings of each set, spread over it")
    parser.add_argument("--beam", type=int, default=12)
    parser.add_argument("--strength", type=float, default=0.5)
    options = parser.parse_args()
    folder = os.environ.get("NEARWORD_SPEECH")
    if not folder:
        sys.exit("set NEARWORD_SPEECH to the folder of speech that holds dev/")
    model, beam = Transducer.load(resolve(options.model)), BeamSettings(max_active=options.beam)
    vocabulary = bias_vocabulary(model.vocabulary, surprise_of(model), model.info.context_size)
    common = set(top_n_list("en", COMMON))
    pool = [word for word in top_n_list("en", POOL, wordlist="large")[COMMON:] if word.isascii() and word.isalpha()]
    for name in options.sets:
        entries = read_manifest(Path(folder, "dev", f"{name}.tsv"))
        entries = entries[:: max(1, -(-len(entries) // options.limit)) if options.limit else 1]
        utterances = encode_all(model, entries, lambda error: print(error, file=sys.stderr))
        rare = [{word for word in heard.reference.split() if word not in common} for heard in utterances]
        ways = [way for way in options.only if way != "none"]
        if "none" in options.only:
            pairs = zip(utterances, rare, strict=True)
            tell(name, "none", 0, [heard_with(model, heard, words, None, beam) for heard, words in pairs])
        for size in options.sizes if ways else ():
            rng, rows = random.Random(size), {way: [] for way in ways}
            for heard, words in zip(utterances, rare, strict=True):
                others = [word for word in rng.sample(pool, size + len(words)) if word not in words][:size]
                biasing = Biasing(vocabulary, settings=ClassSettings(options.strength))  # made once for all ways
                biasing.replace("word", [Phrase(text) for text in [*sorted(words), *others]])
                for way in ways:
                    rows[way].append(heard_with(model, heard, words, biasing, beam, WAYS[way]))
            for way in ways:
                tell(name, way, size, rows[way])


if __name__ == "__main__":
    main()
