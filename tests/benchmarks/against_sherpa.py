"""nearword against sherpa-onnx: processor time, memory, cold start. Same model, same files, one thread each.

    python tests/benchmarks/against_sherpa.py [--model FOLDER] [--precision float] [--rounds 5] [--passes 1]
        [--beam 4] FILE...

FOLDER is any model in icefall's layout, as its exporter names the files, random weights included: the tokens of both
sides are compared too. With ``--beam`` above 1, nearword's beam search with its word lattice runs against sherpa-onnx's
``modified_beam_search``, which has none; with 1 both search greedily. Without files: the dev sets under
NEARWORD_SPEECH. Each side runs in a process of its own, a new one each round; they take turns every few files, so
that what else the machine does hits both alike, and go through all files ``--passes`` times, which costs less than
more rounds where a machine is busy. Model load is measured apart. Reported are medians over the rounds (of processor
time: over all passes), and the lowest and highest ratio.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

BLOCK = 10
"""Files that one side recognises before it is the other's turn."""


def read(paths: list[str]):
    import numpy as np
    import soundfile

    audio = [soundfile.read(path, dtype="float32")[0] for path in paths]
    # silence up to whole blocks of 20 ms, of which nearword keeps a part until more comes
    return [np.pad(samples, (0, int(1.3 * 16000) + -len(samples) % 320)) for samples in audio]


def open_nearword(folder: Path, precision: str, beam: int):
    from nearword.models import Transducer
    from nearword.runtime import BeamSettings, SearchOptions
    from nearword.runtime.recognition.transcriber import Transcriber

    model = Transducer.load(folder, precision=precision)
    options = SearchOptions(BeamSettings(max_active=beam), language=None, phones=False)

    def recognise(samples) -> list[str]:
        transcriber = Transcriber(model, options)
        for start in range(0, len(samples), 1600):
            transcriber.accept(samples[start : start + 1600])
        if beam > 1:
            transcriber.lattice()
        return [model.vocabulary.tokens[token].replace("\u2581", " ") for token in transcriber.tokens]

    return recognise


def open_sherpa(folder: Path, precision: str, beam: int):
    import numpy as np
    import sherpa_onnx
    from nearword.models.graphs import find_graphs

    paths = find_graphs(folder, precision)
    recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"),
        encoder=str(paths["encoder"]),
        decoder=str(paths["decoder"]),
        joiner=str(paths["joiner"]),
        num_threads=1,
        decoding_method="greedy_search" if beam == 1 else "modified_beam_search",
        max_active_paths=beam,
    )

    def recognise(samples) -> list[str]:
        stream = recogniser.create_stream()
        # it waits for a frame more than a step takes, which shows at the end alone
        samples = np.concatenate([samples, np.zeros(160, np.float32)])
        for start in range(0, len(samples), 1600):
            stream.accept_waveform(16000, samples[start : start + 1600])
            while recogniser.is_ready(stream):
                recogniser.decode_stream(stream)
        return [token.replace("\u2581", " ") for token in recogniser.tokens(stream)]

    return recognise


def peak_memory() -> int:
    from nearword.runtime.evaluation.word_errors import peak_memory as measured

    return measured()


def side(name: str, folder: Path, precision: str, beam: int, paths: list[str]) -> None:
    """Run one side: recognise a file for each line on standard input, a line of figures for each."""
    audio = read(paths)
    begun = time.perf_counter()
    recognise = (open_nearword if name == "nearword" else open_sherpa)(folder, precision, beam)
    load = time.perf_counter() - begun
    begun = time.perf_counter()
    recognise(audio[0][: 3 * 16000])
    print(json.dumps({"load": load, "cold": load + time.perf_counter() - begun}), flush=True)
    seconds = sum(map(len, audio)) / 16000
    for samples, _ in zip(itertools.cycle(audio), sys.stdin, strict=False):
        cpu = time.process_time()
        tokens = recognise(samples)
        cpu = time.process_time() - cpu
        print(json.dumps({"cpu": cpu / seconds, "peak": peak_memory() / 2**20, "tokens": tokens}), flush=True)


def play(commands: dict[str, list[str]], files: int, passes: int) -> dict[str, dict]:
    """Run both sides once; returns the figures of each, and its tokens of the first pass."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    sides, figures = {}, {}
    for name, command in commands.items():
        sides[name] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        figures[name] = json.loads(sides[name].stdout.readline()) | {"cpu": [0.0] * passes, "tokens": []}
    blocks = [(k, range(start, min(start + BLOCK, files))) for k in range(passes) for start in range(0, files, BLOCK)]
    for turn, (number, block) in enumerate(blocks):
        for name in sorted(sides, reverse=bool(turn % 2)):
            for _ in block:
                sides[name].stdin.write("\n")
                sides[name].stdin.flush()
                one = json.loads(sides[name].stdout.readline())
                figures[name]["cpu"][number] += one["cpu"]
                figures[name]["peak"] = one["peak"]
                if number == 0:
                    figures[name]["tokens"].append(one["tokens"])
    for process in sides.values():
        process.communicate()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--precision", choices=["int8", "float"], default="int8")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=1)
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
    options = ["--model", str(arguments.model), "--precision", arguments.precision, "--beam", str(arguments.beam)]
    names = ("nearword", "sherpa")
    commands = {name: [sys.executable, __file__, "--side", name, *options, *files] for name in names}
    rounds = [play(commands, len(files), arguments.passes) for _ in range(arguments.rounds)]
    for key, label in (
        ("cpu", "CPU s per s of audio"),
        ("peak", "peak memory, MB"),
        ("load", "import and load, s"),
        ("cold", "cold start to first partial, s"),
    ):
        ours, theirs = (
            list(itertools.chain.from_iterable(row[name][key] if key == "cpu" else [row[name][key]] for row in rounds))
            for name in names
        )
        ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        ratio = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
        medians = f"nearword {statistics.median(ours):9.5f}  sherpa-onnx {statistics.median(theirs):9.5f}"
        print(f"{label:32} {medians}  ratio {ratio}")
    pairs = list(zip(*(rounds[0][name]["tokens"] for name in names), strict=True))
    kinds = len({token for ours, _ in pairs for token in ours})
    print(f"equal tokens: {sum(a == b for a, b in pairs)} of {len(pairs)} recordings; {kinds} different tokens in them")


if __name__ == "__main__":
    main()
