"""What phrase lists do to speech in which nobody says anything of them: words wrong without and with lists.

    NEARWORD_SPEECH=FOLDER python tests/benchmarks/biasing_ordinary.py [--sizes 1 10 100 1000] [--word mocha] \
        [--strength 0.5] [--limit N] [--way fusion+spotting|attention|all|...]

Needs faker, for names that are in none of the texts. Of each set and list: words wrong without and with the list, the
difference in percentage points with its 95 % interval (paired bootstrap over recordings), recordings that became worse
and better. ``--word`` lists a word as well, whether it is said or not.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from biasing_contacts import WAYS, names
from nearword.biasing import Biasing, ClassSettings, Phrase
from nearword.models import Transducer, resolve
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.evaluation.biasing import EncodedUtterance, encode_all, recognise
from nearword.runtime.evaluation.word_errors import BOOTSTRAP_DRAWS, count_errors, normalise, read_manifest
from nearword.runtime.recognition.biasing import bias_vocabulary, surprise_of

SETS = (("barista.jsonl", "aligned_text"), ("speechocean762.tsv", "text"), ("commonvoice.tsv", "text"))


def errors(
    model: Transducer,
    utterances: Sequence[EncodedUtterance],
    biasing: Biasing | None,
    beam: BeamSettings,
    search: SearchOptions,
) -> np.ndarray:
    """Return words and errors of each utterance, [utterances, 2]."""
    counts = [count_errors(heard.reference, recognise(model, heard, biasing, beam, search)) for heard in utterances]
    return np.asarray([(words, sum(wrong)) for words, *wrong in counts])


def interval(without: np.ndarray, with_list: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of the difference of error rates, in percentage points."""
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(without), (BOOTSTRAP_DRAWS, len(without)))
    words = without[draws, 0].sum(1)
    low, high = np.quantile(100 * (with_list[draws, 1] - without[draws, 1]).sum(1) / words, (0.025, 0.975))
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--word", action="append", default=[], help="a list of this word alone; again for more")
    parser.add_argument("--beam", type=int, default=12)
    parser.add_argument("--strength", type=float, default=0.5)
    parser.add_argument("--limit", type=int, help="at most so many recordings of each set, spread over it")
    parser.add_argument("--way", choices=WAYS, default="fusion+spotting", help="how the list is used")
    parser.add_argument("--only", default="", help="sets with this in their names")
    options = parser.parse_args()
    folder = os.environ.get("NEARWORD_SPEECH")
    if not folder:
        sys.exit("set NEARWORD_SPEECH to the folder of speech that holds dev/")
    search = WAYS[options.way]
    model, beam = Transducer.load(resolve(options.model)), BeamSettings(max_active=options.beam)
    vocabulary = bias_vocabulary(model.vocabulary, surprise_of(model), model.info.context_size)
    for file, key in SETS:
        if options.only not in file:
            continue
        entries = read_manifest(Path(folder, "dev", file), text_key=key)
        entries = entries[:: max(1, -(-len(entries) // options.limit)) if options.limit else 1]
        said = {word for entry in entries for word in normalise(entry.text).split()}
        absent = [name for name in names(2 * max(options.sizes), 5) if said.isdisjoint(name.split())]
        utterances = encode_all(model, entries, lambda error: print(error, file=sys.stderr))
        without = errors(model, utterances, None, beam, search)
        lists = {f"{size} absent names": absent[:size] for size in options.sizes}
        lists |= {f"the word {word}": [word] for word in options.word}
        for name, listed in lists.items():
            biasing = Biasing(vocabulary, settings=ClassSettings(options.strength))
            biasing.replace("contact", [Phrase(text) for text in listed])
            counts = errors(model, utterances, biasing, beam, search)
            rates = [100 * one[:, 1].sum() / one[:, 0].sum() for one in (without, counts)]
            low, high = interval(without, counts)
            worse, better = (int((sign * (counts - without)[:, 1] > 0).sum()) for sign in (1, -1))
            print(
                f"{file:20} {name:18} {rates[0]:5.1f} % -> {rates[1]:5.1f} %: {rates[1] - rates[0]:+.2f}"
                f" ({low:+.2f} to {high:+.2f}) points; {worse} worse, {better} better",
                flush=True,
            )


if __name__ == "__main__":
    main()
