"""Where words go wrong on the dev sets: by speaker, by how often training heard the word, by how near they sound.

    python tests/benchmarks/error_types.py [--model NAME-OR-FOLDER] [--beam 12] [--top 10]

Needs NEARWORD_SPEECH (with train/) and flite, which says how words sound.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
from dev_speech import Recording, recordings
from nearword.lattice.edit_distance import edit_distance
from nearword.models.training.lexicon import build_lexicon
from nearword.runtime import SearchOptions, load_model, transcribe_file
from nearword.runtime.evaluation.word_errors import read_rows
from nearword.runtime.recognition.text import normalise
from nearword.runtime.search import BeamSettings

NEAR = 1 / 3
"""Two words sound alike when at most this part of the phones differs."""


@dataclass(frozen=True)
class Outcome:
    """What became of one word that was said."""

    said: str
    heard: str | None
    """None: nothing."""
    speaker: str


def heard_counts(speech: Path) -> Counter[str]:
    """Return how often each word occurs in the recordings of train/."""
    counts: Counter[str] = Counter()
    for manifest in sorted(speech.glob("train/*.tsv")):
        for row in read_rows(manifest, "path", "text"):
            counts.update(normalise(str(row["text"])).split())
    return counts


def outcomes(recording: Recording, hypothesis: Sequence[str], speaker: str) -> tuple[list[Outcome], int]:
    """Return what became of each word, and the number of inserted ones."""
    aligned = jiwer.process_words(" ".join(recording.words), " ".join(hypothesis))
    out, inserted = [], 0
    for chunk in aligned.alignments[0]:
        if chunk.type == "insert":
            inserted += chunk.hyp_end_idx - chunk.hyp_start_idx
        for k, said in enumerate(recording.words[chunk.ref_start_idx : chunk.ref_end_idx]):
            out.append(Outcome(said, None if chunk.type == "delete" else hypothesis[chunk.hyp_start_idx + k], speaker))
    return out, inserted


def distance(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the edit distance of two pronunciations, as a part of the longer one."""
    return edit_distance(one, other) / max(len(one), len(other), 1)


def show(title: str, groups: Iterable[tuple[str, list[Outcome]]]) -> None:
    print(f"\n{title}")
    for name, group in groups:
        wrong = sum(one.said != one.heard for one in group)
        print(f"  {name:24} {len(group):5} words  {wrong / len(group):6.1%} wrong or missed")


def speakers(speech: Path) -> dict[str, str]:
    """Return the kind of speaker of each recording of dev/speechocean762."""
    rows = read_rows(speech / "dev/speechocean762.tsv", "path", "age")
    return {Path(str(row["path"])).stem: "child, up to 12" if int(str(row["age"])) <= 12 else "older" for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--beam", type=int, default=12)
    parser.add_argument("--top", type=int, default=10, help="confusions to print")
    arguments = parser.parse_args()
    model, options = load_model(arguments.model), SearchOptions(BeamSettings(max_active=arguments.beam))
    sets: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings():
        sets[recording.entry.path.parent.name].append(recording)
    speech = Path(os.environ["NEARWORD_SPEECH"])
    counts, kinds = heard_counts(speech), speakers(speech)
    for name, members in sets.items():
        words, inserted = [], 0
        for recording in members:
            text = normalise(transcribe_file(model, recording.entry.path, options).text).split()
            found, more = outcomes(recording, text, kinds.get(recording.entry.path.stem, "any"))
            words, inserted = words + found, inserted + more
        swapped = [(one.said, one.heard) for one in words if one.heard is not None and one.said != one.heard]
        missed = sum(one.heard is None for one in words)
        print(f"\n== {name}: {len(words)} words, {len(swapped)} others heard, {missed} missed, {inserted} inserted")
        by_speaker, by_count = defaultdict(list), defaultdict(list)
        for one in words:
            by_speaker[one.speaker].append(one)
            limits = [("never", 0), ("1 to 9 times", 9), ("10 to 99 times", 99), ("oftener", 1 << 60)]
            by_count[next(label for label, most in limits if counts[one.said] <= most)].append(one)
        show("speaker", sorted(by_speaker.items()))
        show("heard in train/", sorted(by_count.items(), key=lambda item: -len(item[1])))
        phones = build_lexicon([word for pair in swapped for word in pair])
        near = sum(distance(phones[said], phones[heard]) <= NEAR for said, heard in swapped)
        print(f"\nsound alike (a third of the phones differs at most): {near} of {len(swapped)} words taken for others")
        common = Counter(swapped).most_common(arguments.top)
        print("most often:", ", ".join(f"{said} > {heard} ({count})" for (said, heard), count in common))


if __name__ == "__main__":
    main()
