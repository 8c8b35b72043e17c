"""Errors with language models on lattices, what the best path through them would give, and what is sent for it.

    python tests/benchmarks/rescoring_errors.py MANIFEST --text TEXT... [--limit N] [--weights 0.2,0.4]

Trains the language models on the text without the sentences of the manifest. The service runs in this process behind
a real socket; its model is of higher order than the one for the device.
"""

import argparse
import asyncio
import io
import sys
from pathlib import Path

import jiwer
import numpy as np
import soundfile
from nearword.lattice import encode, oracle
from nearword.lattice.rescoring import (
    Rescorer,
    RescoringSettings,
    Weighted,
    read_sentences,
    rescore,
    train_pieces,
)
from nearword.lattice.rescoring.language_models import NgramLanguageModel, Weights
from nearword.models import Transducer, read_audio, resolve
from nearword.runtime.evaluation import normalise, read_manifest
from nearword.runtime.search import BeamSettings, SearchOptions
from nearword.runtime.transcriber import Transcriber
from nearword.runtime.word_pieces import piece_encoder

sys.path.insert(0, str(Path(__file__).parent.parent / "rescoring"))

from rescoring_helpers import served


def lattice_of(model: Transducer, samples: np.ndarray, options: SearchOptions):
    transcriber = Transcriber(model, options)
    transcriber.accept(samples)
    transcriber.finish()
    return transcriber.lattice()


def best(lattice) -> str:
    return normalise(lattice.text(lattice.best_path()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--text", type=Path, nargs="+", required=True)
    parser.add_argument("--text-key", default="text")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--beam", type=int, default=4)
    parser.add_argument("--weights", default="0.1,0.2,0.3,0.5")
    parser.add_argument("--bonus", type=float, default=1.0, help="per word, beside the service's language model")
    options = parser.parse_args()
    folder = resolve("assistant-en")
    model = Transducer.load(folder)
    pieces = piece_encoder(model.vocabulary, folder)
    entries = read_manifest(options.manifest, text_key=options.text_key)[: options.limit]
    references = [normalise(entry.text) for entry in entries]
    text = [sentence for sentence in read_sentences(options.text) if sentence not in set(references)]
    small = train_pieces(text, model.vocabulary.tokens, pieces, order=4, max_bytes=2_000_000)
    large = train_pieces(text, model.vocabulary.tokens, pieces, order=6)
    search = SearchOptions(BeamSettings(max_active=options.beam))
    lattices, opus, pcm = [], 0, 0
    fused: dict[float, list[str]] = {}
    weights = [float(weight) for weight in options.weights.split(",")]
    for entry in entries:
        samples = read_audio(entry.path)
        lattices.append(lattice_of(model, samples, search))
        pcm += 2 * len(samples)
        packed = io.BytesIO()
        soundfile.write(packed, samples, 16000, format="OGG", subtype="OPUS")
        opus += len(packed.getvalue())
        for weight in weights[1:3]:
            scored = SearchOptions(BeamSettings(max_active=options.beam), language=Weighted(small, weight))
            fused.setdefault(weight, []).append(best(lattice_of(model, samples, scored)))
    words = sum(len(reference.split()) for reference in references)
    print(f"{options.manifest.name}: {len(entries)} utterances, {words} words, beam {options.beam}")

    def told(name: str, hypotheses: list[str]) -> None:
        print(f"  {name:46} {jiwer.wer(references, hypotheses):7.2%}", flush=True)

    told("local, best path", [best(lattice) for lattice in lattices])
    for weight, hypotheses in fused.items():
        told(f"fused with the device's 4-gram, weight {weight}", hypotheses)
    for weight in weights:
        told(
            f"lattice, the device's 4-gram, weight {weight}",
            [best(rescore(one, small, pieces, weight)) for one in lattices],
        )
    for weight in weights:
        serving = NgramLanguageModel(large, pieces, weights=Weights(weight, word_bonus=options.bonus))
        told(f"service, 6-gram, weight {weight}, bonus {options.bonus}", ask(serving, lattices))
    found = [oracle(one, reference.split()) for one, reference in zip(lattices, references, strict=True)]
    print(f"  {'oracle of the lattices':46} {sum(one.errors for one in found) / words:7.2%}")
    count = len(entries)
    arcs, whole = np.mean([(lattice.num_arcs, len(encode(lattice))) for lattice in lattices], axis=0)
    print(f"  {arcs:.1f} arcs and {whole:.0f} bytes a lattice, {np.mean(SENT):.0f} bytes sent for it")
    print(f"  16 kHz audio: {pcm / count:.0f} bytes, Opus: {opus / count:.0f} bytes")


SENT: list[int] = []


def ask(serving: NgramLanguageModel, lattices: list) -> list[str]:
    async def run(port: int) -> list[str]:
        hypotheses = []
        async with Rescorer(RescoringSettings(f"http://127.0.0.1:{port}", deadline=10)) as rescorer:
            for number, lattice in enumerate(lattices):
                result = await rescorer.rescore(number, 0, lattice)
                assert result.text is not None, result
                SENT.append(result.bytes_sent)
                hypotheses.append(normalise(result.text))
        return hypotheses

    with served(serving) as (port, _):
        return asyncio.run(run(port))


if __name__ == "__main__":
    main()
