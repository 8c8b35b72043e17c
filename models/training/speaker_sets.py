"""Whose voices train the speaker vector, and whose are kept for validation and test: no speaker is in two of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from .manifest import read_rows

CORPORA = ("wuw", "librispeech_voices", "speechocean762", "librispeech", "ljprompts", "kathleen", "commonvoice")
"""Sets of train/ whose manifest says who speaks."""
SPLIT = ("wuw", "librispeech_voices")
"""Sets with so many speakers that some can be kept out of training."""
TEST, VALIDATION = 20, 30
"""Percent of their speakers that are for test; and, from there on up to this, for validation."""
MOST_SECONDS = 60.0
"""Of one speaker that are taken: a few read for an hour."""


@dataclass(frozen=True)
class Utterance:
    """One recording of somebody known."""

    path: Path
    speaker: str
    """With the corpus before, so that no two are of one name."""
    corpus: str
    seconds: float
    text: str


def split_of(speaker: str) -> str:
    """Return ``train``, ``validation`` or ``test`` for a speaker; always the same."""
    if speaker.partition("/")[0] not in SPLIT:
        return "train"
    place = crc32(speaker.encode()) % 100
    return "test" if place < TEST else "validation" if place < VALIDATION else "train"


def read_utterances(speech: Path, corpora: Iterable[str] = CORPORA, folder: str = "train") -> list[Utterance]:
    """Return the utterances of sets that are there, speakers named ``corpus/speaker``."""
    found = []
    for corpus in corpora:
        manifest = speech / folder / f"{corpus}.tsv"
        if manifest.exists():
            rows = read_rows(manifest)
            found += [
                Utterance(
                    speech / row["path"], f"{corpus}/{row['speaker']}", corpus, float(row["seconds"]), row["text"]
                )
                for row in rows
                if row.get("speaker")
            ]
    return found


def some_of_each(utterances: Iterable[Utterance], seconds: float = MOST_SECONDS) -> list[Utterance]:
    """Return as many utterances of each speaker as make up so many seconds, the first ones."""
    taken: dict[str, float] = defaultdict(float)
    kept = []
    for one in utterances:
        if taken[one.speaker] < seconds:
            taken[one.speaker] += one.seconds
            kept.append(one)
    return kept
