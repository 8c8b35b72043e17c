"""Following one speaker: words wrong with and without an anchor, while others speak before, under and after.

    python tests/benchmarks/following.py --speech FOLDER [--model M] [--requests 100] [--ratios 0,5,10,20]

Scenes of a wake word, a request by the same voice, and others' speech in the same room: requests and wake words are
dev/speechocean762's (12 speakers; a wake word is the first second of another of their recordings), the others
dev/commonvoice's. No voice was trained on. Of each scene three ways: as today, from the end of the wake word on;
anchored, from its beginning on; and both live, where the device takes the first final with words. ``alone`` is the same
without anybody else, ``noise`` with noise at 5 to 25 dB or none: what following costs where there is nobody to be left
out. Written: words wrong (substituted, deleted, inserted; 95 % interval over requests), live also how long after the
request's true end the final came. ``cost`` is the processor time of anchored against plain, in turn.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
from nearword.models import SAMPLE_RATE, Transducer, resolve
from nearword.models.training.anchor_scenes import Scene, Scenes, requests
from nearword.models.training.speaker_sets import read_utterances
from nearword.runtime import Recognizer, Transcriber
from nearword.runtime.recognition.anchor import SpeakerFollowing
from nearword.runtime.recognition.events import Final

BLOCK = SAMPLE_RATE // 10
DRAWS = 1000


def blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(samples), BLOCK):
        yield samples[start : start + BLOCK]


class Listener:
    """One model, with and without somebody to follow."""

    def __init__(self, name: str, threshold: float | None) -> None:
        self.model = Transducer.load(resolve(name))
        self.following = SpeakerFollowing(self.model, **({} if threshold is None else {"threshold": threshold}))

    def parts(self, scene: Scene, *, anchored: bool) -> tuple[np.ndarray, float, float | None]:
        """Audio, the second of the scene at which it begins, and the length of its wake word."""
        begin, end = scene.anchor
        start = begin if anchored else end
        return scene.samples[round(start * SAMPLE_RATE) :], start, end - begin if anchored else None

    def text(self, scene: Scene, *, anchored: bool) -> str:
        samples, _, wake = self.parts(scene, anchored=anchored)
        transcriber = Transcriber(self.model, anchor=self.following.gate(wake) if anchored else None)
        for block in blocks(samples):
            transcriber.accept(block)
        return transcriber.finish().text

    def live(self, scene: Scene, *, anchored: bool) -> tuple[str, float | None]:
        """The first final with words, and how many seconds after the request's end it came."""
        samples, start, wake = self.parts(scene, anchored=anchored)
        recognizer = Recognizer(self.model, anchor=self.following.gate(wake) if anchored else None)
        for block in blocks(samples):
            for event in recognizer.accept(block):
                if isinstance(event, Final) and event.text:
                    return event.text, start + event.time - scene.request[1]
        final = next((one for one in recognizer.finish() if isinstance(one, Final) and one.text), None)
        return ("", None) if final is None else (final.text, start + final.time - scene.request[1])


def report(label: str, wanted: list[str], said: list[str]) -> None:
    one = [jiwer.process_words(a, b) for a, b in zip(wanted, said, strict=True)]
    counts = np.asarray([(x.substitutions, x.deletions, x.insertions, x.hits) for x in one], float)
    words = counts[:, 0] + counts[:, 1] + counts[:, 3]
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(one), size=(DRAWS, len(one)))
    rates = counts[:, :3].sum(1)[drawn].sum(1) / words[drawn].sum(1)
    low, high = np.quantile(rates, [0.025, 0.975])
    total = words.sum()
    sub, dele, ins = (100 * counts[:, k].sum() / total for k in range(3))
    print(
        f"  {label:28} {sub + dele + ins:6.1f} % wrong ({100 * low:.1f} to {100 * high:.1f}): {sub:.1f} substituted,"
        f" {dele:.1f} deleted, {ins:.1f} inserted",
        flush=True,
    )


def cost(listener: Listener, scenes: list[Scene]) -> None:
    ratios = []
    for number, scene in enumerate(scenes):
        taken = {}
        for anchored in (False, True) if number % 2 else (True, False):
            samples, _, _ = listener.parts(scene, anchored=True)
            gate = listener.following.gate(scene.anchor[1] - scene.anchor[0]) if anchored else None
            begun = time.process_time()
            transcriber = Transcriber(listener.model, anchor=gate)
            for block in blocks(samples):
                transcriber.accept(block)
            transcriber.finish()
            taken[anchored] = time.process_time() - begun
        ratios.append(taken[True] / taken[False])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"cost: {middle:.2f} x the processor time of plain recognition (quarters {low:.2f} to {high:.2f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--ratios", default="0,5,10,20")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--no-live", action="store_true")
    arguments = parser.parse_args()
    listener = Listener(arguments.model, arguments.threshold)
    dev = read_utterances(arguments.speech, ("speechocean762",), "dev")
    others = read_utterances(arguments.speech, ("commonvoice",), "dev")
    noises = sorted(p for p in (arguments.speech / "noise").glob("*.*") if p.suffix in (".flac", ".opus", ".wav"))
    scenes = Scenes(dev, noises, others)
    asked = requests(dev)
    order = np.random.default_rng(5).permutation(len(asked))[: arguments.requests]
    chosen = [asked[k] for k in order]
    for condition in ("alone", *map(float, arguments.ratios.split(","))):
        made = []
        for number, request in enumerate(chosen):
            rng = np.random.default_rng((13, number))
            own = [one for one in dev if one.speaker == request.speaker and one is not request]
            ratios = None if isinstance(condition, str) else (condition, condition)
            made.append(scenes.make(request, own[rng.integers(len(own))], rng, ratios))
        print(condition if isinstance(condition, str) else f"others at {condition:g} dB")
        wanted = [one.text for one in chosen]
        for anchored in (False, True):
            label = "anchored" if anchored else "plain"
            report(f"recording, {label}", wanted, [listener.text(scene, anchored=anchored) for scene in made])
            if not arguments.no_live:
                live = [listener.live(scene, anchored=anchored) for scene in made]
                report(f"live, {label}", wanted, [text for text, _ in live])
                waits = [wait for _, wait in live if wait is not None]
                print(
                    f"  {'':28} final after the request's end: median {np.median(waits):.2f} s, 90th percentile"
                    f" {np.quantile(waits, 0.9):.2f} s; before it {sum(wait < 0 for wait in waits)} of {len(waits)}"
                )
        if condition == "alone":
            cost(listener, made[:30])


if __name__ == "__main__":
    main()
