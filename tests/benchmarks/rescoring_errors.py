"""Word errors of what the device hears, of what language models make of its lattices, and of the best path in them.

    python tests/benchmarks/rescoring_errors.py [--model FOLDER] [--beam 12] [--temperature 1] [--onnx FOLDER]

Both dev sets under NEARWORD_SPEECH. Language models are trained on text/, the read training sentences and generated
ones, without the sentences of the dev sets; ``--onnx`` is a transformer trained likewise (sentences to leave out are
written by ``--write-exclude``). Weights are chosen on one half of the speakers, the same for both sets, and reported on
the other half, and the other way round; the service's lines go over a real socket, with what the client prunes.
"""

import argparse
import asyncio
import io
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from nearword.lattice import Lattice, n_best, oracle
from nearword.lattice.language import NgramModel, train_pieces
from nearword.lattice.rescoring import Rescorer, RescoringSettings, rescore
from nearword.lattice.service.language_models import LanguageModel, NgramLanguageModel, Weights, bias_weighted
from nearword.lattice.service.transformer import CausalTransformer, load_transformer
from nearword.models import Transducer, read_audio, resolve
from nearword.models.training.phrases import generate
from nearword.models.training.synthesize import read_texts
from nearword.runtime.recognition.text import normalise
from nearword.runtime.recognition.transcriber import Transcriber
from nearword.runtime.recognition.word_pieces import piece_encoder
from nearword.runtime.search import BeamSettings, SearchOptions
from nearword.runtime.search.language import DEFAULT_WEIGHT, Fusion

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from dev_speech import Recording, recordings
from rescoring_helpers import served

GENERATED = 60_000
"""Sentences of the templates beside the text."""
TRIES = 1500
"""Weights tried on a half."""
FIRST = Weights()
"""How candidates for choosing weights are found."""


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording and its lattice."""

    said: Recording
    lattice: Lattice

    @property
    def half(self) -> int:
        """0 or 1; the same for all recordings of a speaker."""
        return zlib.crc32(self.said.group.encode()) % 2

    @property
    def set_name(self) -> str:
        """Which dev set it is of."""
        return "speechocean762" if "speechocean762" in str(self.said.entry.path) else "barista"

    def errors(self, words: Sequence[str]) -> int:
        """Return the word errors of a hypothesis."""
        said = self.said.words
        row = np.arange(len(words) + 1)
        for word in said:
            change = np.minimum(row[1:] + 1, row[:-1] + [word != other for other in words])
            row = np.minimum.accumulate(np.append(row[0] + 1, change) - np.arange(len(row))) + np.arange(len(row))
        return int(row[-1])


@dataclass(frozen=True, eq=False)
class Models:
    """What lattices are rescored with."""

    ngram: NgramModel
    pieces: Callable[[str], list[int]]
    transformer: Path | None

    def serving(self, kind: str, chosen: Sequence[float]) -> LanguageModel:
        """Return what a service scores with; weights as ``choose`` gives them."""
        language, word, token, share = chosen
        weights = Weights(language, 1.0, word, token)
        if kind == "transformer":
            return load_transformer(self.transformer, weights=weights)
        first = NgramLanguageModel(self.ngram, self.pieces, weights=replace(weights, language=language * share))
        if kind == "n-gram":
            return first
        own = replace(weights, language=language * (1 - share))
        return load_transformer(self.transformer, first=first, weights=own)

    @cached_property
    def encoder(self) -> CausalTransformer | None:
        """The transformer, for its scores alone."""
        return None if self.transformer is None else load_transformer(self.transformer)

    def kinds(self) -> list[str]:
        """Return what there is."""
        return ["n-gram"] if self.transformer is None else ["n-gram", "transformer", "both"]


def lattice_of(model: Transducer, samples: np.ndarray, options: SearchOptions) -> Lattice:
    """Return what the search leaves of a recording."""
    transcriber = Transcriber(model, options)
    transcriber.accept(samples)
    transcriber.finish()
    return transcriber.lattice()


def best(lattice: Lattice) -> list[str]:
    """Return the words of the best path."""
    return normalise(lattice.text(lattice.best_path())).split()


@cache
def features(heard: Heard, models: Models) -> np.ndarray:
    """Return for each candidate its errors, its score without language models, and what weights go with.

    [candidates, 7]: errors; acoustic, words, pieces, n-gram, the transformer's tokens, its log-probability.
    """
    scored = rescore(bias_weighted(heard.lattice, FIRST, models.pieces), models.ngram, models.pieces, FIRST.language)
    plain = bias_weighted(heard.lattice, Weights(word_bonus=FIRST.word_bonus))
    found = {}
    for path in n_best(scored, 60):
        pieces = len(models.pieces(path.text))
        found[path.words] = (
            path.scores[0] - FIRST.word_bonus * len(path.words) - FIRST.language * FIRST.token_bonus * pieces
        )
    for path in n_best(plain, 40):
        found.setdefault(path.words, path.scores[0] - FIRST.word_bonus * len(path.words))
    texts = [" ".join(words) for words in found]
    transformer = models.encoder
    log_probs = [0.0] * len(texts) if transformer is None else transformer.log_probs(texts)
    lengths = [0 if transformer is None else len(transformer.tokens(text)) for text in texts]
    rows = []
    for (words, acoustic), text, log_prob, length in zip(found.items(), texts, log_probs, lengths, strict=True):
        pieces = models.pieces(text)
        ngram = models.ngram.sentence(pieces)
        errors = heard.errors(normalise(text).split())
        rows.append((errors, acoustic, len(words), len(pieces), ngram, length, log_prob))
    return np.array(rows)


SHARES = {"n-gram": (1, 1), "transformer": (0, 0), "both": (0.2, 0.8)}
"""Of the language weight, what the n-gram may have."""


def choose(kind: str, tables: Sequence[np.ndarray]) -> list[float]:
    """Return language weight, word and token bonus and the n-gram's share with the fewest errors on candidates."""
    rng = np.random.default_rng(0)
    ranges = ((0.2, 0.9), (0.0, 1.5), (2.0, 4.5), SHARES[kind])
    tries = np.stack([rng.uniform(low, high, TRIES) for low, high in ranges], 1)
    language, word, token, share = tries.T
    ngram, transformer = language * share, language * (1 - share)
    weights = np.stack([np.ones(TRIES), word, token * ngram, ngram, token * transformer, transformer])
    errors = np.zeros(TRIES)
    for table in tables:
        errors += table[(table[:, 1:] @ weights).argmax(0), 0]
    # of the best ones their middle: it depends less on chance
    return [float(value) for value in np.median(tries[np.argsort(errors, kind="stable")[:15]], 0)]


def serve(kind: str, heard: Sequence[Heard], models: Models) -> list[int]:
    """Return the errors of what a service answers, each half with weights that the other one chose."""
    tables = [features(one, models) for one in heard]
    errors = [0] * len(heard)
    for half in (0, 1):
        weights = choose(kind, [t for t, one in zip(tables, heard, strict=True) if one.half != half])
        mine = [k for k, one in enumerate(heard) if one.half == half]
        for k, words in zip(mine, ask(models.serving(kind, weights), [heard[k].lattice for k in mine]), strict=True):
            errors[k] = heard[k].errors(words)
        print(f"    {kind}, weights for half {half}: {', '.join(f'{w:.2f}' for w in weights)}", flush=True)
    return errors


SENT: list[int] = []


def ask(serving: LanguageModel, lattices: Sequence[Lattice]) -> list[list[str]]:
    """Return what the real service answers."""

    async def run(port: int) -> list[list[str]]:
        found = []
        settings = RescoringSettings(f"http://127.0.0.1:{port}", deadline=30, connect_timeout=30)
        async with Rescorer(settings) as rescorer:
            for number, lattice in enumerate(lattices):
                result = await rescorer.rescore(number, 0, lattice)
                assert result.text is not None, result
                SENT.append(result.bytes_sent)
                found.append(normalise(result.text).split())
        return found

    with served(serving) as (port, _):
        return asyncio.run(run(port))


def opus_bytes(samples: np.ndarray) -> int:
    """Return the size of a recording as Opus."""
    packed = io.BytesIO()
    soundfile.write(packed, samples, 16_000, format="OGG", subtype="OPUS")
    return len(packed.getvalue())


def report(name: str, heard: Sequence[Heard], errors: Sequence[int]) -> None:
    """Print the error rate on each set."""
    shares = []
    for set_name in ("barista", "speechocean762"):
        chosen = [k for k, one in enumerate(heard) if one.set_name == set_name]
        words = sum(len(heard[k].said.words) for k in chosen)
        shares.append(sum(errors[k] for k in chosen) / words if words else float("nan"))
    print(f"  {name:58} {shares[0]:7.1%} {shares[1]:7.1%}", flush=True)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, required=True, help="the folder that NEARWORD_SPEECH names")
    parser.add_argument("--model", default="assistant-en")
    parser.add_argument("--limit", type=int, help="recordings of each set")
    parser.add_argument("--beam", type=int, default=12)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument(
        "--fusion", type=float, default=DEFAULT_WEIGHT, help="weight of the device's 4-gram; 0 to leave it out"
    )
    parser.add_argument("--onnx", type=Path, help="folder of a transformer")
    parser.add_argument("--write-exclude", type=Path, help="write the sentences to leave out in training, and end")
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    options = arguments()
    told = recordings(options.limit)
    left_out = {" ".join(recording.words) for recording in recordings()}
    if options.write_exclude:
        options.write_exclude.write_text("".join(f"{text}\n" for text in sorted(left_out)))
        return
    folder = resolve(options.model)
    model = Transducer.load(folder)
    pieces = piece_encoder(model.vocabulary, folder)
    text = [*read_texts(options.speech), *islice(generate(7), GENERATED)]
    text = [sentence for sentence in text if sentence not in left_out]
    small = train_pieces(text, model.vocabulary.tokens, pieces, order=4, max_bytes=2_000_000)
    models = Models(train_pieces(text, model.vocabulary.tokens, pieces, order=6), pieces, options.onnx)
    search = SearchOptions(BeamSettings(max_active=options.beam, temperature=options.temperature), language=None)
    heard: list[Heard] = []
    fused: list[Heard] = []
    opus = pcm = 0
    for recording in told:
        samples = read_audio(recording.entry.path)
        heard.append(Heard(recording, lattice_of(model, samples, search)))
        opus, pcm = opus + opus_bytes(samples), pcm + 2 * len(samples)
        if options.fusion:
            with_lm = replace(search, language=Fusion(model, small, options.fusion))
            fused.append(Heard(recording, lattice_of(model, samples, with_lm)))
    print(f"{folder.name}, beam {options.beam}, temperature {options.temperature}, {len(heard)} utterances")
    print(f"  {'word error rate':58} barista  so762")
    report("local, best path", heard, [one.errors(best(one.lattice)) for one in heard])
    if fused:
        name = f"local, the device's 4-gram in the search ({options.fusion})"
        report(name, heard, [one.errors(best(one.lattice)) for one in fused])
    for kind in models.kinds():
        report(f"service, {kind}", heard, serve(kind, heard, models))
    if fused:
        kind = models.kinds()[-1]
        report(f"service, {kind}, after that search", heard, serve(kind, fused, models))
        report("oracle after that search", heard, [oracle(one.lattice, one.said.words).errors for one in fused])
    report("oracle of what was sent", heard, [oracle_sent(one) for one in heard])
    report("oracle of the lattices", heard, [oracle(one.lattice, one.said.words).errors for one in heard])
    count = len(heard)
    print(f"  an utterance: {np.mean(SENT):.0f} bytes sent, {pcm / count:.0f} as audio, {opus / count:.0f} as Opus")


def oracle_sent(heard: Heard) -> int:
    """Return the fewest errors of a path of what the client sends."""
    request, _ = RescoringSettings("http://127.0.0.1").request(0, 0, heard.lattice)
    return oracle(request.lattice, heard.said.words).errors


if __name__ == "__main__":
    main()
