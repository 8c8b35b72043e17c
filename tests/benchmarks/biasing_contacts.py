"""Contacts: calls and messages to people on lists of 10 to 10,000, by a voice that training never heard.

    python tests/benchmarks/biasing_contacts.py synthesize FOLDER [--count 160] [--seed 11]
    python tests/benchmarks/biasing_contacts.py measure FOLDER [--model M] [--beam 12] [--strength 0.5 ...]
        [--sizes 10 100 1000 10000] [--templates | --everywhere] [--sherpa 1.5 ...]
        [--only none fusion spotting fusion+spotting attention attention+spotting all]

The first needs festival (``text2wave``) and faker. Of each list: errors on names with the right one on the list, with
the share of names that come out whole; errors on all other words; and false accepts, which are names of a list that
has none of those said, heard in any utterance, and how many of these were in one of the utterances without a name.
Several strengths show what names cost in false accepts. With ``--sherpa`` sherpa-onnx's hotwords get the same lists,
with the same model and beam and these scores per token. ``--only`` says which of the ways to use a list are measured;
without it fusion with spotting alone. ``--kind devices`` synthesises requests for devices that no text of the
recipe names, in the place of calls to people.
"""

import argparse
import json
import random
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from nearword.biasing import Biasing, ClassSettings, Phrase
from nearword.models import Transducer, resolve
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.evaluation.biasing import EncodedUtterance, PhraseFinder, encode_all, finder_for, recognise
from nearword.runtime.evaluation.biasing import errors as errors_of
from nearword.runtime.evaluation.word_errors import Entry
from nearword.runtime.recognition.biasing import bias_vocabulary, surprise_of
from nearword.runtime.recognition.text import normalise
from nearword.runtime.search.attended_lists import contextual_bias

SIZES = (10, 100, 1000, 10_000)
CARRIERS = (
    "call {}", "please call {}", "phone {}", "video call {}", "send a message to {}", "text {} that i am late",
    "message {} i will be there soon", "tell {} to bring some milk", "call {} on the mobile",
    "send a message to {} saying happy birthday", "did {} call me", "email {} about the meeting",
)  # fmt: skip
TEMPLATES = (
    "[please] [video] (call|phone|ring|dial|text|message|email|tell|answer|invite) $CONTACT",
    "message to $CONTACT", "did $CONTACT", "from $CONTACT",
)  # fmt: skip
PLAIN = (
    "turn on the light in the kitchen", "what is the weather like tomorrow", "set a timer for ten minutes",
    "play some music in the living room", "remind me to water the plants at seven", "how far is the moon",
    "add eggs and bread to the shopping list", "wake me up at half past six", "turn down the volume",
    "what time is it in new york", "read me the news", "is the back door locked", "open the garage door",
    "tell me a joke", "how do you spell necessary", "what is on my calendar for friday", "stop the music",
    "text me when the washing is done", "call a taxi for eight", "message received thank you",
    "i want to order a large coffee with milk", "dim the lights to twenty percent", "skip this song",
    "the meeting is at noon on the second floor", "please close the blinds in the bedroom",
    "tell him we will be late", "call me back in ten minutes", "send a message to my brother",
    "who won the game last night", "she said the train leaves at nine", "we should go for a walk",
    "can you turn off everything downstairs", "how many ounces are in a pound", "start the vacuum cleaner",
    "what is the capital of norway", "set the heating to twenty one degrees", "repeat that please",
    "call the nearest pharmacy", "text my mother good morning", "show me the front camera",
)  # fmt: skip
WAYS = {
    "fusion": SearchOptions(spotting=False),
    "spotting": SearchOptions(fusion=False),
    "fusion+spotting": SearchOptions(),
    "attention": SearchOptions(fusion=False, spotting=False, attention=True),
    "attention+spotting": SearchOptions(fusion=False, attention=True),
    "all": SearchOptions(attention=True),
}
"""Ways to use a list."""
DEFAULT_SEARCH = SearchOptions()
LOCALES = ("en_US", "en_US", "en_GB", "it_IT", "nl_NL", "fr_FR", "sv_SE", "pl_PL")
"""Half of the names are of kinds that the training sentences have; the others are of none."""


def names(count: int, seed: int) -> Iterator[str]:
    from faker import Faker

    fakers = {locale: Faker(locale) for locale in set(LOCALES)}
    for number, locale in enumerate(sorted(fakers)):
        fakers[locale].seed_instance(seed + number)
    rng, seen = random.Random(seed), set()
    while len(seen) < count:
        fake = fakers[rng.choice(LOCALES)]
        name = unicodedata.normalize("NFKD", f"{fake.first_name()} {fake.last_name()}".replace("\u0142", "l").lower())
        name = "".join(c for c in name if not unicodedata.combining(c)).replace("-", " ")
        if name not in seen and name.replace(" ", "").replace("'", "").isalpha() and name.isascii():
            seen.add(name)
            yield name


def synthesize(folder: Path, count: int, seed: int, kind: str) -> None:
    import soundfile
    import soxr

    folder.mkdir(parents=True, exist_ok=True)
    made, carriers = (devices, DEVICE_CARRIERS) if kind == "devices" else (names, CARRIERS)
    listed = list(made(max(SIZES) + count, seed))
    rows = [(carriers[k % len(carriers)].format(name), name) for k, name in enumerate(listed[:count])]
    rows += [(text, "") for text in PLAIN]

    def speak(job: tuple[int, tuple[str, str]]) -> dict[str, str]:
        number, (text, name) = job
        wav = folder / f"{number:04d}.wav"
        subprocess.run(["text2wave", "-eval", "(voice_ked_diphone)", "-o", wav], input=text, check=True, text=True)
        samples, rate = soundfile.read(wav, dtype="float32")
        wav.unlink()
        soundfile.write(wav.with_suffix(".flac"), np.clip(soxr.resample(samples, rate, 16000), -1, 1), 16000)
        return {"path": f"{number:04d}.flac", "text": text, "name": name}

    with ThreadPoolExecutor(2) as pool:
        spoken = list(pool.map(speak, enumerate(rows)))
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in spoken))
    (folder / "names.txt").write_text("\n".join(listed) + "\n")


DEVICE_CARRIERS = (
    "turn on the {}", "switch off the {}", "is the {} running", "set the {} to forty percent", "start the {} at noon",
    "where did i leave the {}", "lock the {}", "pause the {} for an hour",
)  # fmt: skip
BRANDS = ("bl br c cr d dr f fl g gr h j k kl l m n p pl qu r s sk sl sn st t tr v w x z".split(),
          "a ai e ee i o oo u".split(), "b d ff g k l ll m n nd nt p r rk s sh t x zz".split(),
          "a ax ee en eo er ex ia ic id io ium o on or us y".split())  # fmt: skip
THINGS = (
    "dehydrator", "juicer", "aquarium", "telescope", "treadmill", "loom", "kiln", "winch", "sprinkler", "humidifier",
    "trellis", "turntable", "dynamo", "periscope", "barometer", "lathe", "bellows", "gazebo", "theremin", "centrifuge",
)  # fmt: skip


def devices(count: int, seed: int) -> Iterator[str]:
    """Yield devices by a made-up brand, and two in three by what they are too."""
    rng, seen = random.Random(seed), set()
    while len(seen) < count:
        name = "".join(map(rng.choice, BRANDS))
        if rng.random() < 0.67:
            name += f" {rng.choice(THINGS)}"
        if name not in seen:
            seen.add(name)
            yield name


def names_heard(finder: PhraseFinder, text: str) -> int:
    return len(finder.find(text.split()))


def measure(
    rows: list[dict[str, str]],
    finder: PhraseFinder,
    others: PhraseFinder,
    recognised: Callable[[bool], list[str]],
) -> str:
    """Return the figures of one list; ``recognised`` gives the texts with the list or with others' names only."""
    counts = np.zeros(5, np.int64)
    for row, text in zip(rows, recognised(True), strict=True):
        reference, hypothesis = normalise(row["text"]).split(), text.split()
        inside = {place for begin, end in finder.find(reference) for place in range(begin, end)}
        wrong = [kind != "insert" and place in inside for kind, place, _ in errors_of(reference, hypothesis)]
        whole = bool(row["name"]) and f" {row['name']} " in f" {text} "
        counts += (len(inside), sum(wrong), len(reference) - len(inside), len(wrong) - sum(wrong), whole)
    heard = [names_heard(others, text) > 0 for text in recognised(False)]
    plain = sum(accepted and not row["name"] for accepted, row in zip(heard, rows, strict=True))
    words, biased, other_words, other, whole = counts.tolist()
    named = sum(bool(row["name"]) for row in rows)
    return (
        f"names {100 * biased / words:5.1f} % wrong, {whole} of {named} whole; "
        f"other words {100 * other / other_words:5.1f} % wrong; false accepts {sum(heard)} of {len(rows)}, "
        f"{plain} of {len(rows) - named} without a name"
    )


def measure_all(arguments: argparse.Namespace) -> None:
    folder = arguments.folder
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    listed = (folder / "names.txt").read_text().splitlines()
    said = [row["name"] for row in rows if row["name"]]
    rest = [name for name in listed if name not in set(said)]
    model = Transducer.load(resolve(arguments.model))
    beam = BeamSettings(max_active=arguments.beam)
    graphs = contextual_bias(model)
    if arguments.silent and graphs is not None:
        graphs._by_letter = lambda words: [() for _ in words]
    utterances = encode_all(model, [Entry(folder / row["path"], row["text"]) for row in rows], print)
    finder = finder_for(model, [Phrase(name, "contact") for name in said])
    vocabulary = bias_vocabulary(model.vocabulary, surprise_of(model), model.info.context_size)

    def make(names: list[str], templates: bool, strength: float) -> Biasing:
        biasing = Biasing(vocabulary, settings=ClassSettings(strength, 0.0))
        biasing.replace("contact", [Phrase(name) for name in names])
        if templates:
            biasing.set_templates(TEMPLATES)
        return biasing

    if not arguments.only or "none" in arguments.only:
        plain = decode(model, utterances, beam, lambda _: None, DEFAULT_SEARCH)
        print("no list:", measure(rows, finder, PhraseFinder([]), lambda _: plain), flush=True)
    ways = [way for way in arguments.only or ["fusion+spotting"] if way != "none"]
    kinds = [True] if arguments.templates else [False] if arguments.everywhere else [True, False]
    for size, way in product(arguments.sizes, ways):
        search = WAYS[way]
        absent = finder_for(model, [Phrase(name, "contact") for name in rest[:size]])
        for templates, strength in product(kinds, arguments.strength):

            def recognised(
                right: bool,
                templates: bool = templates,
                size: int = size,
                strength: float = strength,
                search: SearchOptions = search,
            ) -> list[str]:
                if right and size >= len(said):
                    whole = make(said + rest[: size - len(said)], templates, strength)
                    return decode(model, utterances, beam, lambda _: whole, search)
                if right:  # a short list of one's own for each utterance
                    lists = [
                        make([row["name"], *rest[: size - 1]] if row["name"] else rest[:size], templates, strength)
                        for row in rows
                    ]
                    return decode(model, utterances, beam, lists.__getitem__, search)
                wrong = make(rest[:size], templates, strength)
                return decode(model, utterances, beam, lambda _: wrong, search)

            name = f"{size} names, {way}, {'templates' if templates else 'everywhere'}, strength {strength:.2f}:"
            print(name, measure(rows, finder, absent, recognised), flush=True)
        for score in arguments.sherpa if size >= len(said) else ():
            words = {True: said + rest[: size - len(said)], False: rest[:size]}
            print(
                f"{size} names, sherpa-onnx, score {score:.2f}:",
                measure(
                    rows,
                    finder,
                    absent,
                    lambda right, words=words, score=score: sherpa(arguments, rows, words[right], score),
                ),
                flush=True,
            )


def decode(
    model: Transducer,
    utterances: list[EncodedUtterance],
    beam: BeamSettings,
    biasing: Callable[[int], Biasing | None],
    search: SearchOptions,
) -> list[str]:
    return [recognise(model, heard, biasing(number), beam, search) for number, heard in enumerate(utterances)]


def sherpa(arguments: argparse.Namespace, rows: list[dict[str, str]], names: list[str], score: float) -> list[str]:
    import sherpa_onnx
    import soundfile

    folder = resolve(arguments.model)
    hotwords = arguments.folder / "hotwords.txt"
    hotwords.write_text("\n".join(names) + "\n")
    encoder = next(path for path in (folder / "encoder.int8.onnx", folder / "encoder.onnx") if path.exists())
    bpe = arguments.folder / "bpe.vocab"
    bpe.write_text(vocabulary_of(folder / "bpe.model"))
    recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"), encoder=str(encoder), decoder=str(folder / "decoder.onnx"),
        joiner=str(folder / "joiner.onnx"), num_threads=1, decoding_method="modified_beam_search",
        max_active_paths=arguments.beam, hotwords_file=str(hotwords), hotwords_score=score, modeling_unit="bpe",
        bpe_vocab=str(bpe),
    )  # fmt: skip
    texts = []
    for row in rows:
        samples, rate = soundfile.read(arguments.folder / row["path"], dtype="float32")
        stream = recogniser.create_stream()
        stream.accept_waveform(rate, np.concatenate([samples, np.zeros(int(1.3 * rate), np.float32)]))
        while recogniser.is_ready(stream):
            recogniser.decode_stream(stream)
        texts.append(normalise(recogniser.get_result(stream)))
    return texts


def vocabulary_of(bpe_model: Path) -> str:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(bpe_model))
    pieces = range(processor.get_piece_size())
    return "".join(f"{processor.id_to_piece(piece)}\t{processor.get_score(piece)}\n" for piece in pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["synthesize", "measure"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--seed", type=int, default=11, help="of the names")
    parser.add_argument("--kind", choices=["contacts", "devices"], default="contacts")
    parser.add_argument("--only", nargs="+", choices=["none", *WAYS], default=[], help="ways to use the list")
    parser.add_argument("--silent", action="store_true", help="nobody tells attention how phrases sound")
    parser.add_argument("--everywhere", action="store_true", help="without templates only")
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--beam", type=int, default=12)
    parser.add_argument("--strength", type=float, nargs="+", default=[0.5])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--templates", action="store_true", help="with templates only")
    parser.add_argument("--sherpa", type=float, nargs="+", default=[], metavar="SCORE")
    arguments = parser.parse_args()
    if arguments.action == "synthesize":
        synthesize(arguments.folder, arguments.count, arguments.seed, arguments.kind)
    else:
        measure_all(arguments)


if __name__ == "__main__":
    main()
