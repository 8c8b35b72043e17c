"""What understanding loses on its way from floats to a file, and what it costs to use.

    python tests/benchmarks/understanding_size.py LABELLED.jsonl [--max-kb 300] [--plot FILE.svg] [--mutations 10000]
    python tests/benchmarks/understanding_size.py LABELLED.jsonl --folds

A fifth of LABELLED is held out. Learnt are all weights in floats, and as many as fit; these are stored as they are
shipped, and with several numbers of levels and widths of fingerprints. What the floats take is counted in a file that
is written: the names of the features that have weights, each weight in four bytes and its column in two. Then what
becomes of mutated copies of the file, with the checksum made right again. With ``--folds`` each fifth is held out in
turn, and the figures alone are told: one fifth does not show tenths of a point. Time and memory:
``understanding_speed.py``.
"""

import argparse
import json
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nearword.lattice.understanding import (
    ExactWeights,
    UnderstandingError,
    UnderstandingModel,
    graph,
    intent_features,
    model,
    path_language,
    slot_features,
    words,
)
from nearword.lattice.understanding.training import Example, Settings, read_examples, train
from nearword.runtime.evaluation.requests import answer, score_requests
from nearword.runtime.recognition.understanding_file import (
    Precision,
    load_understanding,
    load_word_classes,
    save_understanding,
)

HASH_OF, HASHES_OF, COMBINED, CONTINUED = words.hash_of, words.hashes_of, words.combined, words.continued
MODULES = (words, graph, intent_features, model, slot_features, path_language)
Row = tuple[int, int, float, float]
"""Setting, bytes, intents right, slot F1."""
LEVELS = (8, 16, 32, 64, 128, 256, 4096)
WIDTHS = (0, 2, 4, 6, 8, 12, 16)
FOLDS = 5
CLASSES_BYTES = 31_500
"""What classes of words take of a file."""
SAME = 1e-9
"""Weights of a feature that differ by less are one."""


def figures(found: UnderstandingModel, examples: Sequence[Example]) -> tuple[float, float]:
    """Return intents right and slot F1, in per cent; slots are 0 where there are none."""
    score = score_requests(list(answer(found, examples)))
    return 100 * score.intents.value, 100 * score.slot_f1 if score.slots else 0.0


class FeatureNames:
    """What features are called, noted while they are made: the models themselves know only their hashes."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        for module in MODULES:
            for name, noted in (
                ("hash_of", self._hash_of),
                ("hashes_of", self._hashes_of),
                ("combined", self._combined),
                ("continued", self._continued),
            ):
                if hasattr(module, name) and (module, name) != (words, "continued"):
                    setattr(module, name, noted)
        words.hashed.cache_clear()
        kinds = ("word", "pair", "characters", "coarse pair", "fine", "coarse", "listed", "always")
        begun = [f"slot {number}" for number in range(slot_features.NUM_TEMPLATES)]
        begun += [f"intent {kind}" for kind in kinds] + [f"language {order}" for order in (1, 2, 3)]
        for text in (*begun, words.BEGIN, words.END):
            self.names[int(COMBINED([self._hash_of(text)])[0])] = text

    def forget(self) -> None:
        """Let features go unnamed again: time and memory are those of a model in use."""
        plain_ones = {"hash_of": HASH_OF, "hashes_of": HASHES_OF, "combined": COMBINED, "continued": CONTINUED}
        for module in MODULES:
            for name, plain in plain_ones.items():
                if hasattr(module, name):
                    setattr(module, name, plain)
        self.names.clear()

    def _hash_of(self, text: str) -> int:
        key = HASH_OF(text)
        self.names[key] = text
        return key

    def _hashes_of(self, texts: Sequence[str]) -> words.Keys:
        out = HASHES_OF(texts)
        self.names.update(zip(out.tolist(), texts, strict=True))
        return out

    def _combined(self, parts: Sequence[words.Keys | int]) -> words.Keys:
        out = COMBINED(parts)
        rows = np.broadcast_arrays(*[np.asarray(part, np.uint64) for part in parts])
        for key, *row in zip(
            out.ravel().tolist(), *[np.broadcast_to(one, out.shape).ravel().tolist() for one in rows], strict=True
        ):
            if key not in self.names:
                self.names[key] = "|".join(self.names.get(part, str(part)) for part in row if part)
        return out

    def _continued(self, keys: words.Keys, part: words.Keys) -> words.Keys:
        out = CONTINUED(keys, part)
        rows = (np.broadcast_to(one, out.shape).ravel().tolist() for one in (keys, part))
        for key, before, behind in zip(out.ravel().tolist(), *rows, strict=True):
            if key not in self.names:
                begun = self.names.get(before, str(before))
                self.names[key] = f"{begun}|{self.names.get(behind, str(behind))}" if behind else begun
        return out


def dictionary_bytes(model: UnderstandingModel, names: FeatureNames, path: Path) -> int:
    """Return the size of a file of the exact weights of intents and slots with the names of their features."""
    with path.open("wb") as file:
        for part in (model.intent_weights, model.slot_weights):
            assert isinstance(part, ExactWeights)
            first = 0
            for key, end in zip(part.keys.tolist(), part.ends.tolist(), strict=True):
                weights, columns = part.weights[first:end], part.columns[first:end]
                first = end
                if len(weights) == part.num_columns:  # what all intents have alike decides nothing
                    weights = weights - np.median(weights)
                kept = np.abs(weights) > SAME
                if kept.any():
                    file.write(names.names[key].encode() + b"\0" + bytes([min(255, int(kept.sum()))]))
                    file.write(columns[kept].astype("<u2").tobytes() + weights[kept].astype("<f4").tobytes())
    return path.stat().st_size


def stored(model: UnderstandingModel, precision: Precision, folder: Path) -> tuple[int, UnderstandingModel]:
    """Return the size of a file, and the model in it."""
    path = folder / f"{precision.levels}-{precision.fingerprint_bits}.nlu"
    return save_understanding(model, path, precision), load_understanding(path)


def row_of(
    model: UnderstandingModel, precision: Precision, folder: Path, held: Sequence[Example]
) -> tuple[int, float, float]:
    """Return size and figures of a model that is stored so exactly."""
    length, found = stored(model, precision, folder)
    told = figures(found, held)
    print(f"{precision}: {length / 1000:.1f} kB, intents {told[0]:.2f}, F1 {told[1]:.2f}", flush=True)
    return length, *told


def over_folds(examples: Sequence[Example], wanted: Settings) -> None:
    """Print the figures of each fifth, and their means: all weights, those that are kept, and the file."""
    order, classes = np.random.default_rng(1).permutation(len(examples)), load_word_classes()
    rows = []
    for fold in range(FOLDS):
        held = [examples[place] for place in order[fold::FOLDS]]
        learnt = [examples[place] for number, place in enumerate(order) if number % FOLDS != fold]
        trained = train(learnt, classes=classes, settings=wanted)
        whole, small = trained.whole, trained.model
        assert whole is not None
        with tempfile.TemporaryDirectory() as name:
            length, shipped = stored(small, Precision(), Path(name))
        rows.append([figures(one, held) for one in (whole, small, shipped)])
        print(f"fold {fold + 1}, {length / 1000:.1f} kB: {told_of(rows[-1])}", flush=True)
    print(f"mean: {told_of(np.mean(rows, 0))}")


def told_of(row: Sequence[Sequence[float]]) -> str:
    """Return figures of all weights, those that are kept, and the file, in words."""
    names = ("all weights", "those kept", "the file")
    return "; ".join(f"{name}: intents {one[0]:.2f}, F1 {one[1]:.2f}" for name, one in zip(names, row, strict=True))


def mutate(path: Path, count: int, folder: Path) -> None:
    """Print what becomes of damaged copies."""
    whole, place = path.read_bytes(), folder / "mutated.nlu"
    header = 20 + int(np.frombuffer(whole[12:16], "<u4")[0])
    chance = np.random.default_rng(3)
    refused = harmless = caught = 0
    for number in range(count):
        data = bytearray(whole)
        for _ in range(int(chance.integers(1, 6))):
            data[int(chance.integers(8, header if number % 2 else len(data)))] = int(chance.integers(256))
        if number % 10 == 0:
            data = data[: int(chance.integers(0, len(data)))]
        if number % 5 and len(data) > 20:  # four in five with a right checksum
            data[16:20] = np.uint32(zlib.crc32(bytes(data[20:]))).tobytes()
        place.write_bytes(data)
        try:
            load_understanding(place).understand_text("wake me at twenty to nine")
        except UnderstandingError as error:
            refused += 1
            caught += "checksum" in str(error)
        else:
            harmless += 1
    print(f"{count} mutated files: {refused} refused in one line ({caught} by the checksum), {harmless} understood")


def draw(
    path: Path, by_levels: list[tuple[int, int, float, float]], by_width: list[tuple[int, int, float, float]]
) -> None:
    """Draw size and figures by levels and by fingerprints."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    plt.rcParams |= {"svg.hashsalt": "nearword", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, rows, name in zip(
        axes, (by_levels, by_width), ("levels of weights", "bits of fingerprints"), strict=True
    ):
        places = list(range(len(rows)))
        axis.plot(places, [row[2] for row in rows], "o-", color="#0072b2", label="intents right, %")
        if any(row[3] for row in rows):
            axis.plot(places, [row[3] for row in rows], "s-", color="#d55e00", label="slot F1")
        axis.set_xticks(places, [f"{row[0]}\n{row[1] / 1000:.0f} kB" for row in rows])
        axis.set_xlabel(name)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--max-kb", type=int, default=300)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--mutations", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="the shipped levels and fingerprints alone")
    parser.add_argument("--folds", action="store_true", help="each fifth in turn, the figures alone")
    settings = parser.parse_args()
    examples = read_examples([settings.labelled])
    wanted = Settings(max_bytes=1000 * settings.max_kb, classes_bytes=CLASSES_BYTES, keep_whole=True)
    if settings.folds:
        over_folds(examples, wanted)
        return
    order = np.random.default_rng(1).permutation(len(examples))
    held = [examples[place] for place in order[: len(order) // 5]]
    learnt = [examples[place] for place in order[len(order) // 5 :]]
    classes, names = load_word_classes(), FeatureNames()
    trained = train(learnt, classes=classes, settings=wanted)
    whole, small = trained.whole, trained.model
    assert whole is not None
    with tempfile.TemporaryDirectory() as name:
        size = dictionary_bytes(whole, names, Path(name, "whole"))
        few = dictionary_bytes(small, names, Path(name, "few"))
    print(
        f"all weights, floats: {size / 1e6:.2f} MB with names; intents, F1 {figures(whole, held)}",
        flush=True,
    )
    print(
        f"those kept, floats: {few / 1e6:.2f} MB with names; intents, F1 {figures(small, held)}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        length, shipped = stored(small, Precision(), folder)
        told = "as shipped: {:.1f} kB ({:.1%} smaller), intents {:.2f}, F1 {:.2f}"
        print(told.format(length / 1000, 1 - length / size, *figures(shipped, held)), flush=True)
        tables: list[list[Row]] = []
        if not settings.quick:
            exact = [Precision(levels=one, most_intent_levels=one, most_slot_levels=one) for one in LEVELS]
            tables = [
                [(one.levels, *row_of(small, one, folder, held)) for one in exact],
                [(width, *row_of(small, Precision(fingerprint_bits=width), folder, held)) for width in WIDTHS],
            ]
            print(json.dumps({"levels": tables[0], "fingerprints": tables[1]}))
        if settings.plot and tables:
            draw(settings.plot, *tables)
        save_understanding(small, folder / "shipped.nlu")
        names.forget()
        if settings.mutations:
            mutate(folder / "shipped.nlu", settings.mutations, folder)


if __name__ == "__main__":
    main()
