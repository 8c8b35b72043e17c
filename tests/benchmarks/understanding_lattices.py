"""Spoken requests understood from the best words, from an n-best list and from the lattice: what is wrong in each.

    python tests/benchmarks/understanding_lattices.py MODEL.nlu LABELLED.jsonl [--texts 200] [--skip 0] [--keep FILE]

LABELLED are texts that MODEL was not trained on. Those without digits and abbreviations are spoken by flite, espeak-ng
and festival (what is installed of them), which the recogniser was not trained with, and recognised. An understanding is
right if intent and all slots are, with all their words. Compared are

- words: the recogniser's best words
- n-best: each of the 20 most probable word sequences is understood; the one whose probability times confidence is
  largest counts
- lattice: as ``understand_lattice`` has it
- said: the true words, which no recogniser can beat

All are accepted in the first column; in the others each refuses the share it is least sure of. ``--sweep`` tries
settings of how paths are compared; choose them on other texts than those that are reported.
"""

import argparse
import dataclasses
import itertools
import json
import math
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nearword.lattice import Lattice, decode, encode, n_best
from nearword.lattice.understanding import PathSettings, Understanding, UnderstandingModel
from nearword.lattice.understanding.training import Example, read_examples
from nearword.models import Transducer, resolve, stream_audio
from nearword.runtime.recognition.transcriber import Transcriber
from nearword.runtime.recognition.understanding_file import load_understanding, resolve_understanding

VOICES = {
    "flite rms": ["flite", "-voice", "rms", "-f", "{text}", "-o", "{wav}"],
    "flite awb": ["flite", "-voice", "awb", "-f", "{text}", "-o", "{wav}"],
    "espeak-ng us": ["espeak-ng", "-v", "en-us", "-s", "150", "-f", "{text}", "-w", "{wav}"],
    "festival": ["text2wave", "{text}", "-o", "{wav}"],
}
PATHS = 20
REFUSED = (0.0, 0.1, 0.2, 0.3, 0.4)
"""Shares that are refused."""
Slots = frozenset[tuple[str, str]]
WAYS = ("words", "n-best", "lattice", "said")


@dataclasses.dataclass(frozen=True)
class Spoken:
    """A request that was spoken and recognised."""

    example: Example
    voice: str
    words: tuple[str, ...]
    lattice: Lattice


def said_slots(example: Example) -> Slots:
    """Return name and words of each slot."""
    tokens, labels = example.labelled()
    slots: list[list[str]] = []
    for token, label in zip(tokens, labels, strict=True):
        if label.startswith("B-"):
            slots.append([label[2:], token.text])
        elif label.startswith("I-"):
            slots[-1][1] += " " + token.text
    return frozenset((name, words) for name, words in slots)


def is_right(example: Example, found: Understanding) -> bool:
    """Whether intent and slots are right."""
    return found.intent == example.intent and frozenset((s.name, s.text) for s in found.slots) == said_slots(example)


def speak(examples: list[Example], folder: Path) -> Iterator[tuple[Example, str, Path]]:
    """Yield recordings, one voice after the other."""
    there = {name: command for name, command in VOICES.items() if shutil.which(command[0])}
    for (number, example), voice in zip(enumerate(examples), itertools.cycle(there)):
        text, wav = folder / f"{number}.txt", folder / f"{number}.wav"
        text.write_text(" ".join(token.text for token in example.labelled()[0]) + "\n")
        subprocess.run([part.format(text=text, wav=wav) for part in there[voice]], check=True, capture_output=True)
        yield example, voice, wav


def recognise(model: Transducer, examples: list[Example]) -> Iterator[Spoken]:
    """Yield what is heard of spoken requests."""
    with tempfile.TemporaryDirectory() as folder:
        for example, voice, wav in speak(examples, Path(folder)):
            transcriber = Transcriber(model)
            for block in stream_audio(wav):
                transcriber.accept(block)
            words = tuple(word.text for word in transcriber.finish().words)
            yield Spoken(example, voice, words, transcriber.lattice())


def from_n_best(model: UnderstandingModel, lattice: Lattice) -> Understanding:
    """Return the understanding of the n-best list."""
    best, score = Understanding(accepted=False), -math.inf
    for path in n_best(lattice, PATHS):
        found = model.understand_words(path.words)
        value = math.log(max(path.posterior, 1e-30)) + math.log(max(found.confidence, 1e-6))
        if value > score:
            best, score = found, value
    return best


def understand(model: UnderstandingModel, spoken: Spoken, way: str) -> Understanding:
    """Return what is understood in one way."""
    if way == "lattice":
        return model.understand_lattice(spoken.lattice)
    if way == "n-best":
        return from_n_best(model, spoken.lattice)
    words = spoken.words if way == "words" else [token.text for token in spoken.example.labelled()[0]]
    return model.understand_words(words)


def table(model: UnderstandingModel, data: list[Spoken]) -> None:
    """Print what is wrong."""
    print(f"{len(data)} requests; voices: {dict(Counter(one.voice for one in data))}")
    wrong_at: dict[str, list[int]] = {}
    shares = "".join(f"{share:>9.0%}" for share in REFUSED)
    print(f"wrong, refused:{shares}{'intent wrong':>15}{'words wrong':>14}{'ms':>8}")
    for way in WAYS:
        found, spent = [], []
        for one in data:
            begun = time.process_time()
            found.append(understand(model, one, way))
            spent.append(1000 * (time.process_time() - begun))
        right = [is_right(one.example, answer) for one, answer in zip(data, found, strict=True)]
        sure = sorted(range(len(data)), key=lambda place: -found[place].confidence)
        wrong_at[way] = [sum(not right[place] for place in sure[: round(len(sure) * (1 - r))]) for r in REFUSED]
        intents = sum(one.example.intent != answer.intent for one, answer in zip(data, found, strict=True))
        texts = sum(
            answer.text != " ".join(t.text for t in one.example.labelled()[0])
            for one, answer in zip(data, found, strict=True)
        )
        counts = "".join(f"{count:>9}" for count in wrong_at[way])
        print(f"{way:15}{counts}{intents:>15}{texts:>14}{statistics.median(spent):>8.2f}")
    for other in ("words", "n-best"):
        fewer = (1 - one / max(two, 1) for one, two in zip(wrong_at["lattice"], wrong_at[other], strict=True))
        print(f"lattice, fewer wrong than {other}: " + ", ".join(f"{share:.1%}" for share in fewer))


def sweep(model: UnderstandingModel, data: list[Spoken]) -> None:
    """Print what is wrong with other settings of how paths are compared."""
    for scale, language, labels in itertools.product((0.3, 0.6, 1.0), (0.0, 0.3, 0.6, 1.0), (0.0, 0.05, 0.1, 0.2)):
        paths = PathSettings(scale, 1.0, language, labels, model.paths.word)
        other = dataclasses.replace(model, paths=paths)
        wrong = sum(not is_right(one.example, other.understand_lattice(one.lattice)) for one in data)
        print(f"scale {scale} language {language} labels {labels}: {wrong} wrong", flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--skip", type=int, default=0, help="texts to leave out before")
    parser.add_argument("--speech-model", default="assistant-en")
    parser.add_argument("--keep", type=Path, help="file to keep what was heard in, and to take it from")
    parser.add_argument("--sweep", action="store_true")
    settings = parser.parse_args()
    examples = [
        one for one in read_examples([settings.labelled]) if one.text.replace(" ", "").replace("'", "").isalpha()
    ]
    random.Random(1).shuffle(examples)
    examples = examples[settings.skip : settings.skip + settings.texts]
    if settings.keep and settings.keep.exists():
        rows = [json.loads(line) for line in settings.keep.read_text().splitlines()]
        data = [
            Spoken(example, row["voice"], tuple(row["words"]), decode(bytes.fromhex(row["lattice"])))
            for row, example in zip(rows, examples, strict=False)
        ]
    else:
        data = list(recognise(Transducer.load(resolve(settings.speech_model)), examples))
        if settings.keep:
            with settings.keep.open("w") as file:
                for one in data:
                    row = {"voice": one.voice, "words": one.words, "lattice": encode(one.lattice).hex()}
                    file.write(json.dumps(row) + "\n")
    model = load_understanding(resolve_understanding(settings.model))
    (sweep if settings.sweep else table)(model, data)


if __name__ == "__main__":
    main()
