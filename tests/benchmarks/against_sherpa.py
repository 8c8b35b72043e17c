"""nearword against sherpa-onnx: processor time, memory, cold start. Same model, same files, one thread each.

    python tests/benchmarks/against_sherpa.py [--model FOLDER] [--precision float] [--rounds 5] [--beam 4] FILE...

With ``--beam`` above 1, nearword's beam search with its word lattice runs against sherpa-onnx's
``modified_beam_search``, which has none; with 1 both search greedily. Without files: the dev sets under
NEARWORD_SPEECH. Each side runs in processes of its own, turn about; model load is measured apart.
Reported are the median over the rounds and the ratio of each pair.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path


def read(paths: list[str]):
    import numpy as np
    import soundfile

    tail = np.zeros(int(1.3 * 16000), np.float32)
    return [np.concatenate([soundfile.read(path, dtype="float32")[0], tail]) for path in paths]


def open_nearword(folder: Path, precision: str, beam: int):
    from nearword.models import Transducer
    from nearword.runtime import BeamSettings, SearchOptions
    from nearword.runtime.transcriber import Transcriber

    model = Transducer.load(folder, precision=precision)
    options = SearchOptions(BeamSettings(max_active=beam))

    def recognise(samples) -> str:
        transcriber = Transcriber(model, options)
        for start in range(0, len(samples), 1600):
            transcriber.accept(samples[start : start + 1600])
        if beam > 1:
            transcriber.lattice()
        return transcriber.partial.text

    return recognise


def open_sherpa(folder: Path, precision: str, beam: int):
    import sherpa_onnx

    encoder = "encoder.onnx" if precision == "float" else "encoder.int8.onnx"
    recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"),
        encoder=str(folder / encoder),
        decoder=str(folder / "decoder.onnx"),
        joiner=str(folder / "joiner.onnx"),
        num_threads=1,
        decoding_method="greedy_search" if beam == 1 else "modified_beam_search",
        max_active_paths=beam,
    )

    def recognise(samples) -> str:
        stream = recogniser.create_stream()
        for start in range(0, len(samples), 1600):
            stream.accept_waveform(16000, samples[start : start + 1600])
            while recogniser.is_ready(stream):
                recogniser.decode_stream(stream)
        return recogniser.get_result(stream)

    return recognise


def peak_memory() -> int:
    from nearword.runtime.evaluation import peak_memory as measured

    return measured()


def side(name: str, folder: Path, precision: str, beam: int, paths: list[str]) -> None:
    """Run one side and print its figures."""
    audio = read(paths)
    begun = time.perf_counter()
    recognise = (open_nearword if name == "nearword" else open_sherpa)(folder, precision, beam)
    load = time.perf_counter() - begun
    begun = time.perf_counter()
    first = recognise(audio[0][: 3 * 16000])
    cold = load + time.perf_counter() - begun
    cpu = time.process_time()
    texts = [recognise(samples) for samples in audio]
    cpu = time.process_time() - cpu
    seconds = sum(map(len, audio)) / 16000
    peak = peak_memory() / 2**20
    print(
        json.dumps(
            {
                "cpu": cpu / seconds,
                "load": load,
                "cold": cold,
                "peak": peak,
                "first": first,
                "words": sum(len(t.split()) for t in texts),
            }
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--precision", choices=["int8", "float"], default="int8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--side", choices=["nearword", "sherpa"])
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    if arguments.model is None:
        from nearword.models import resolve

        arguments.model = resolve()
    files = arguments.files or sorted(str(p) for p in Path(os.environ["NEARWORD_SPEECH"], "dev").glob("*/*.flac"))
    precision = "auto" if arguments.precision == "int8" else "float"
    if arguments.side:
        side(arguments.side, arguments.model, precision, arguments.beam, files)
        return
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    rows: dict[str, list[dict[str, float]]] = {"nearword": [], "sherpa": []}
    for number in range(arguments.rounds):
        for name in sorted(rows, reverse=bool(number % 2)):
            command = [
                sys.executable,
                __file__,
                "--side",
                name,
                "--model",
                str(arguments.model),
                "--precision",
                arguments.precision,
                "--beam",
                str(arguments.beam),
                *files,
            ]
            output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
            rows[name].append(json.loads(output))
    for key, label in (
        ("cpu", "CPU s per s of audio"),
        ("peak", "peak memory, MB"),
        ("load", "import and load, s"),
        ("cold", "cold start to first partial, s"),
    ):
        ours, theirs = ([row[key] for row in rows[name]] for name in ("nearword", "sherpa"))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        medians = f"nearword {statistics.median(ours):9.5f}  sherpa-onnx {statistics.median(theirs):9.5f}"
        print(f"{label:32} {medians}  ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
