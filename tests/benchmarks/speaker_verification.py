"""Who speaks and whether in a whisper: equal error rates on speakers that were not trained on, and false alarms.

    python tests/benchmarks/speaker_verification.py --speech FOLDER [--model M] [--only wuw,whispers]

Every recording goes the way of a live stream; the voices of its utterances are put together by seconds. Speakers:
``test`` of ``models.training.speaker_sets`` (a fifth of wuw's callers and of librispeech_voices' readers), and
dev/speechocean762. Trials: a recording against another, and against the mean of four or of twenty seconds of others of
the same speaker. Intervals: 95 %, by drawing speakers anew. Whispers: sentences by espeak-ng, with a voice and with its
whispers; the training knows no espeak-ng, and whispers only such as the recipe makes of ordinary speech.
"""

import argparse
import subprocess
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from nearword.models import SAMPLE_RATE, Transducer, read_audio, resolve
from nearword.models.training.equal_error import equal_error_rate
from nearword.models.training.speaker_sets import SPLIT, Utterance, read_utterances, split_of
from nearword.models.voice import Voice, VoiceEncoder
from nearword.runtime.recognition.speakers import voices_of

BLOCK = SAMPLE_RATE // 10
DRAWS = 400
SENTENCES = 60
WORDS = ("onword", "wildfire", "operator", "thinkengine", "voyager")
"""Of wuw, said alone: what a wake word is like."""
Known = list[tuple[Utterance, Voice]]
Trials = list[tuple[str, str, float]]
"""Speakers of both sides, and the cosine."""


class Listener:
    """One model."""

    def __init__(self, name: str) -> None:
        self.model = Transducer.load(resolve(name))
        self.encoder = VoiceEncoder(self.model)

    def hear(self, samples: np.ndarray) -> Voice | None:
        """The voice of a recording; None where no words are heard."""
        blocks = [samples[at : at + BLOCK] for at in range(0, len(samples), BLOCK)]
        voices = voices_of(self.model, self.encoder, blocks)
        if not voices:
            return None
        seconds = np.asarray([voice.seconds for voice in voices])
        vector = sum(voice.vector * voice.seconds for voice in voices)
        whispered = float(np.dot(seconds, [voice.whispered for voice in voices]) / seconds.sum())
        return Voice(vector / np.linalg.norm(vector), whispered, float(seconds.sum()))

    def hear_all(self, name: str, utterances: Sequence[Utterance], cut: int = 1) -> Known:
        """The voices of recordings, each cut into so many parts; says how many had none."""
        found, all_of_them = [], 0
        for one in utterances:
            for part in np.array_split(read_audio(one.path), cut):
                all_of_them += 1
                voice = self.hear(part)
                if voice is not None:
                    found.append((one, voice))
        speakers = {one.speaker for one, _ in found}
        seconds = np.median([voice.seconds for _, voice in found])
        print(f"\n{name}: {len(speakers)} speakers, {all_of_them} recordings, {all_of_them - len(found)} without words,"
              f" {seconds:.1f} s heard of one", flush=True)  # fmt: skip
        return found


def pairs(known: Known) -> Trials:
    return [(a.speaker, b.speaker, float(x.vector @ y.vector)) for (a, x), (b, y) in combinations(known, 2)]


def with_enrolment(known: Known, enough: Callable[[list[Voice]], bool]) -> Trials:
    """Each speaker's first recordings, until there are enough, against the rest of all."""
    centroids, rest = {}, []
    for speaker in sorted({one.speaker for one, _ in known}):
        voices = [voice for one, voice in known if one.speaker == speaker]
        size = next((n for n in range(1, len(voices)) if enough(voices[:n])), None)
        if size is not None:
            mean = sum(voice.vector * voice.seconds for voice in voices[:size])
            centroids[speaker] = mean / np.linalg.norm(mean)
            rest += [(speaker, voice) for voice in voices[size:]]
    return [(s, t, float(c @ voice.vector)) for s, c in centroids.items() for t, voice in rest]


def rate(trials: Trials) -> float:
    same = np.asarray([score for a, b, score in trials if a == b])
    return equal_error_rate(same, np.asarray([score for a, b, score in trials if a != b]))


def report(name: str, trials: Trials, threshold: float) -> None:
    """Print the equal error rate with its interval, and the errors at the model's own threshold."""
    if not trials:
        print(f"  {name:44} no speaker has enough")
        return
    speakers = sorted({a for a, _, _ in trials} | {b for _, b, _ in trials})
    place = {speaker: number for number, speaker in enumerate(speakers)}
    left, right = (np.asarray([place[trial[side]] for trial in trials]) for side in (0, 1))
    scores, same = np.asarray([score for _, _, score in trials]), left == right
    order = np.argsort(-scores)
    rng, drawn, scores, same, left, right = (
        np.random.default_rng(0),
        [],
        *(x[order] for x in (scores, same, left, right)),
    )
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(len(speakers), size=len(speakers)), minlength=len(speakers))
        weight = np.where(same, times[left], times[left] * times[right])
        drawn.append(weighted_rate(same, weight))
    low, high = np.quantile(drawn, (0.025, 0.975))
    refused, taken = np.mean(scores[same] < threshold), np.mean(scores[~same] >= threshold)
    print(
        f"  {name:44} {100 * rate(trials):5.1f} % ({100 * low:.1f} to {100 * high:.1f});"
        f" {int(same.sum())} and {int((~same).sum())} trials; at {threshold:.2f}: {100 * taken:.1f} % of others taken,"
        f" {100 * refused:.1f} % refused", flush=True,
    )  # fmt: skip


def weighted_rate(same: np.ndarray, weight: np.ndarray) -> float:
    """The equal error rate of trials in order, the most alike first, each so many times."""
    taken = np.cumsum(weight * ~same) / max(1, weight[~same].sum())
    refused = 1 - np.cumsum(weight * same) / max(1, weight[same].sum())
    at = np.argmin(np.abs(taken - refused))
    return float(taken[at] + refused[at]) / 2


def household(known: Known, threshold: float, size: int = 4) -> None:
    """Print how often the right one of a few who are enrolled is named, and what becomes of visitors."""
    rng, counts = np.random.default_rng(1), np.zeros(5, int)
    by_speaker: dict[str, list[Voice]] = {}
    for one, voice in known:
        by_speaker.setdefault(one.speaker, []).append(voice)
    names = sorted(name for name, voices in by_speaker.items() if len(voices) >= 6)
    for _ in range(200):
        home = rng.choice(names, size + 1, replace=False)
        centroids = np.stack([sum(v.vector for v in by_speaker[name][:4]) for name in home[:size]])
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
        for place, name in enumerate(home):
            scores = centroids @ by_speaker[name][rng.integers(4, len(by_speaker[name]))].vector
            best = int(scores.argmax()) if scores.max() >= threshold else -1
            if place < size:
                counts[0 if best == place else 1 if best < 0 else 2] += 1
            else:
                counts[3 if best < 0 else 4] += 1
    right, none, wrong = 100 * counts[:3] / counts[:3].sum()
    print(f"  one of {size} enrolled by four: {right:.1f} % named, {none:.1f} % nobody, {wrong:.1f} % somebody"
          f" else; visitors: {100 * counts[4] / counts[3:].sum():.1f} % taken for one of them")  # fmt: skip


def spoken(text: str, voice: str) -> np.ndarray:
    """A sentence by espeak-ng, 16 kHz."""
    import io

    import soundfile
    import soxr

    made = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], capture_output=True, check=True).stdout
    samples, hertz = soundfile.read(io.BytesIO(made), dtype="float32")
    quiet = np.zeros(SAMPLE_RATE // 2, np.float32)
    return np.concatenate([quiet, soxr.resample(samples, hertz, SAMPLE_RATE), quiet]).astype(np.float32)


def whispers(listener: Listener, speech: Path) -> None:
    sentences = [
        line for line in (speech / "text" / "slurp.txt").read_text().splitlines() if 4 <= len(line.split()) <= 9
    ]
    sentences = sentences[:: len(sentences) // SENTENCES][:SENTENCES]
    rng, odds = np.random.default_rng(0), {}
    for kind, variants in (("with a voice", ("", "+m3", "+f2", "+f4")), ("whispered", ("+whisper", "+whisperf"))):
        found, silent = [], 0
        for number, text in enumerate(sentences):
            for variant in variants:
                voice = f"{('en-us', 'en-gb')[number % 2]}{variant}"
                samples = spoken(text, voice)
                heard = listener.hear((samples + rng.normal(0, 5e-4, len(samples))).astype(np.float32))
                silent += heard is None
                found += [] if heard is None else [heard.whispered]
        odds[kind] = np.asarray(found)
        said = 100 * float(np.mean(odds[kind] > 0.5))
        print(f"  espeak-ng {kind:13} {len(found):4} heard, {silent} without words: {said:.1f} % taken for a whisper",
              flush=True)  # fmt: skip
    print(f"  equal error rate {100 * equal_error_rate(odds['whispered'], odds['with a voice']):.1f} %")


def false_whispers(name: str, known: Known) -> None:
    share = 100 * np.mean([voice.whispered > 0.5 for _, voice in known])
    print(f"  taken for a whisper: {share:.1f} % of {len(known)} ({name})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--only", default="wuw,speechocean,readers,commonvoice,barista,whispers")
    parser.add_argument("--most", type=int, default=10_000, help="speakers of each set to take, the first ones")
    arguments = parser.parse_args()
    listener, wanted = Listener(arguments.model), arguments.only.split(",")
    threshold, speech = listener.encoder.threshold, arguments.speech
    kept = [one for one in read_utterances(speech) if split_of(one.speaker) == "test"]
    by_corpus = [sorted({one.speaker for one in kept if one.corpus == corpus}) for corpus in SPLIT]
    few = {name for names in by_corpus for name in names[: arguments.most]}
    kept = [one for one in kept if one.speaker in few]
    if "wuw" in wanted:
        known = listener.hear_all("callers (wuw, telephone)", [one for one in kept if one.corpus == "wuw"])
        words = [(one, voice) for one, voice in known if one.text in WORDS]
        report("a wake word against another", pairs(words), threshold)
        report("a wake word, enrolled by one other", with_enrolment(words, lambda some: len(some) == 1), threshold)
        report("a wake word, enrolled by four others", with_enrolment(words, lambda some: len(some) == 4), threshold)
        report("any recording against another", pairs(known), threshold)
        enough = with_enrolment(known, lambda some: sum(voice.seconds for voice in some) >= 20)
        report("any recording, enrolled by twenty seconds", enough, threshold)
        household(known, threshold)
        false_whispers("callers", known)
    if "speechocean" in wanted:
        known = listener.hear_all("dev/speechocean762", read_utterances(speech, ["speechocean762"], "dev"))
        report("a sentence against another", pairs(known), threshold)
        report("enrolled by four", with_enrolment(known, lambda some: len(some) == 4), threshold)
        enough = with_enrolment(known, lambda some: sum(voice.seconds for voice in some) >= 20)
        report("enrolled by twenty seconds", enough, threshold)
        household(known, threshold)
        false_whispers("dev/speechocean762", known)
    if "readers" in wanted:
        readers = [one for one in kept if one.corpus == "librispeech_voices"]
        known = listener.hear_all("readers (librispeech_voices, thirds of one recording)", readers, cut=3)
        report("a third against another", pairs(known), threshold)
        false_whispers("readers", known)
    if "commonvoice" in wanted:
        known = listener.hear_all("dev/commonvoice", read_utterances(speech, ["commonvoice"], "dev"))
        false_whispers("dev/commonvoice", known)
    if "barista" in wanted:
        files = sorted((speech / "dev" / "barista").glob("*.flac"))
        known = listener.hear_all("dev/barista", [Utterance(file, "barista/?", "barista", 0.0, "") for file in files])
        false_whispers("dev/barista", known)
    if "whispers" in wanted:
        print("\nwhispers")
        whispers(listener, speech)


if __name__ == "__main__":
    main()
