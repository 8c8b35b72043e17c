"""Real orders to a coffee machine, understood by a model that was learnt of fifty written ones.

    NEARWORD_SPEECH=... python tests/benchmarks/understanding_barista.py [--limit 40] [--vary 8]

``barista_texts.txt`` holds the orders, and fifty texts that are none. An order counts if its intent and the value of
every labelled slot are right, as in Picovoice's benchmark (in brackets: if its words are); what is refused does not.
Compared are the recogniser's best words and its lattice; the grammar that says all that may be said, and pocketsphinx
with it, are in ``barista_commands.py``. Of dev/speechocean762 is counted how many sentences, which are no orders, are
taken for one.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from nearword.lattice.understanding import Understanding
from nearword.lattice.understanding.training import Example, Settings, train
from nearword.models import Transducer, resolve, stream_audio
from nearword.runtime.evaluation.word_errors import normalise
from nearword.runtime.recognition.transcriber import Transcriber
from nearword.runtime.recognition.understanding_file import load_understanding, load_word_classes, save_understanding

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from marked_requests import lines_of, marked

TEXTS = Path(__file__).with_name("barista_texts.txt")
INTENT = "orderDrink"


def read_texts() -> tuple[list[Example], list[str]]:
    """Return orders and what is none."""
    found = [marked(line, INTENT) for line in lines_of(TEXTS)]
    return [one for one in found if one.slots], [one.text for one in found if not one.slots]


def is_right(found: Understanding, slots: dict[str, str], *, values: bool = True) -> bool:
    """Whether an order is understood: accepted, with the right value, or words, of every slot that is labelled."""
    said = {
        slot.name: normalise(str(slot.value) if values and slot.kind == "phrase" else slot.text) for slot in found.slots
    }
    return found.accepted and all(said.get(name) == normalise(value) for name, value in slots.items())


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--speech-model", default="assistant-en")
    parser.add_argument("--vary", type=int, default=8, help="variants of each text that are learnt as well")
    settings = parser.parse_args()
    root = Path(os.environ["NEARWORD_SPEECH"])
    orders, others = read_texts()
    learning = Settings(max_bytes=None, vary=settings.vary)
    trained = train(orders, other=others, classes=load_word_classes(), settings=learning).model
    with tempfile.TemporaryDirectory() as folder:
        size = save_understanding(trained, Path(folder, "barista.nlu"))
        model = load_understanding(Path(folder, "barista.nlu"))
        print(f"{len(orders)} orders, {len(others)} other texts: {size / 1000:.0f} kB")
        speech = Transducer.load(resolve(settings.speech_model))

        def heard(path: Path) -> tuple[Understanding, Understanding]:
            transcriber = Transcriber(speech)
            for block in stream_audio(path):
                transcriber.accept(block)
            words = [word.text for word in transcriber.finish().words]
            return model.understand_words(words), model.understand_lattice(transcriber.lattice())

        rows = [json.loads(line) for line in (root / "dev" / "barista.jsonl").read_text().splitlines()][
            : settings.limit
        ]
        right, words_right = [0, 0], [0, 0]
        for row in rows:
            for way, found in enumerate(heard(root / row["path"])):
                right[way] += is_right(found, row["slots"])
                words_right[way] += is_right(found, row["slots"], values=False)
        for name, count, words in zip(("best words", "lattice"), right, words_right, strict=True):
            print(f"{name}: {count} of {len(rows)} orders understood ({count / len(rows):.1%}; {words})")
        lines = (root / "dev" / "speechocean762.tsv").read_text().splitlines()
        column = lines[0].split("\t").index("path")
        paths = [line.split("\t")[column] for line in lines[1:]][: settings.limit or 60]
        taken = [0, 0]
        for path in paths:
            there = root / path if (root / path).exists() else root / "dev" / path
            for way, found in enumerate(heard(there)):
                taken[way] += found.accepted
        print(
            f"of {len(paths)} sentences that are no orders, taken for one: {taken[0]} by words, {taken[1]} by lattice"
        )


if __name__ == "__main__":
    main()
