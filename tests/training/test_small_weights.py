"""Weights of a finished encoder that are trained to be small, and the speech it follows, on tiny networks."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
onnx = pytest.importorskip("onnx")

from demo import DEMO
from nearword.models import Transducer
from nearword.models.compression.rounding import Rounding, quantised, rounded
from nearword.models.training.compress import CompressConfig, as_columns, as_weight, kept, matrices
from nearword.models.training.export import export
from nearword.models.training.finished import encoder_file, read_config, read_model
from nearword.models.training.follow import (
    FRAMES,
    Windows,
    apart,
    apart_on,
    greedy_contexts,
    heard,
    is_held,
    recordings_by_share,
    windows_of,
)
from nearword.models.training.levels import begin_on_levels, levels_of, moments_of, with_parameters
from nearword.models.training.model import ModelConfig, TransducerModel
from nearword.models.training.prepare import Recording
from nearword.models.training.small import CHECKPOINT, SmallConfig, SmallRun, train

TINY = ModelConfig(vocab_size=12, width=64, heads=2, layers=2, joiner_dim=32, left=48, dropout=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model of random weights."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("tiny")
    (place / "v").mkdir()
    (place / "v" / "tokens.txt").write_text(
        "".join(f"{f't{k}' if k else '<blk>'} {k}\n" for k in range(TINY.vocab_size))
    )
    (place / "v" / "bpe.model").write_bytes(b"")
    model = TransducerModel(TINY)
    with torch.no_grad():
        model.joiner.output.weight.mul_(20)  # that greedy search says something
    export(model.eval(), place / "v", place / "float")
    shutil.copytree(place / "float", place / "m")
    (place / "m" / "encoder.onnx").unlink()
    return place / "m"


@pytest.fixture(scope="module")
def teacher(folder: Path) -> TransducerModel:
    return read_model(folder)


@pytest.fixture(scope="module")
def windows(teacher: TransducerModel) -> Windows:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(12, TINY.padded_frames(64), 80, generator=generator).half()
    return heard(teacher, features, torch.randint(0, TINY.positions, (12,), generator=generator))


def begun(folder: Path, place: Path, rounding: Rounding, **options: float) -> SmallRun:
    """Begin a run on a model's folder."""
    graph = encoder_file(folder).read_bytes()
    pull = options.pop("pull", 0.0)
    updates = int(options.pop("updates", 20))
    compress = CompressConfig(rounding, pull, 0, updates // 2, every=2)
    config = SmallConfig(compress, updates, evaluate_every=10, warmup=2, **options)
    return SmallRun(place, read_model(folder), read_model(folder), levels_of(graph, rounding), config)


def graph_weights(graph: bytes) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for span, scales in quantised(graph):
        yield span.name, np.frombuffer(graph, np.int8, span.length, span.offset).reshape(span.shape), scales


def by_name(graph: bytes) -> dict[str, np.ndarray]:
    return {name: weights.astype(int) for name, weights, _ in graph_weights(graph)}


def test_a_finished_model_is_read_back_with_its_shape_and_what_it_hears(folder: Path, teacher: TransducerModel) -> None:
    assert read_config(folder) == TINY
    features = torch.randn(1, TINY.padded_frames(128), 80, generator=torch.Generator().manual_seed(1))
    own = {}
    for place in (folder, folder.parent / "float"):
        model = Transducer.load(place, precision="int8" if place == folder else "float")
        stream = model.encoder_stream()
        begins = range(0, 128, TINY.chunk_frames)
        steps = [stream.run(features[0, begin : begin + TINY.input_frames].numpy()).out for begin in begins]
        with torch.inference_mode():
            own[place.name] = read_model(place).encoder(features).out[0].numpy()
        streamed = np.concatenate(steps)[TINY.delay // 4 :]
        off = np.abs(streamed - own[place.name][: len(streamed)]).mean()
        # in the int8 graph what comes in is quantised, too, and random weights make much of that
        assert off < (0.25 if place == folder else 1e-5)
    assert 0 < np.abs(own["m"] - own["float"]).mean() < 0.02


def test_windows_are_speech_of_sets_by_their_shares(teacher: TransducerModel) -> None:
    sets = {
        name: [Recording(Path(DEMO), "", name, 1.0)] * count
        for name, count in (("speechocean762", 30), ("wuw", 10), ("mine", 10), ("none", 0))
    }
    drawn = [one.corpus for one in itertools.islice(recordings_by_share(sets, np.random.default_rng(1)), 3000)]
    counts = {name: drawn.count(name) / 3000 for name in sets}
    assert counts["none"] == 0
    assert counts["speechocean762"] == pytest.approx(2 * counts["wuw"], rel=0.15)
    assert counts["mine"] == pytest.approx(0.2, abs=0.03)

    noise = torch.randn(2000, 80, generator=torch.Generator().manual_seed(2))

    def windows(seed: int) -> Windows:
        rng = np.random.default_rng(seed)
        return windows_of(recordings_by_share(sets, rng), noise, teacher, 3, rng)

    first, again, other = windows(1), windows(1), windows(2)
    assert len(first) == 3
    assert first.features.shape == (3, TINY.padded_frames(FRAMES), 80)
    assert first.out.shape == (3, FRAMES // 8, TINY.joiner_dim)
    assert first.phones.shape == (3, FRAMES // 4, TINY.phones)
    assert first.contexts.shape == (3, FRAMES // 8, TINY.context_size)
    assert torch.equal(first.features, again.features)
    assert not torch.equal(first.features, other.features)
    # what was kept is what the teacher makes of what was kept
    assert float(apart_on(teacher.encoder, first, teacher).total()) < 2e-3


def test_some_recordings_are_never_trained_on() -> None:
    held = [is_held(Recording(Path(f"{k}.wav"), "", "x", 1.0)) for k in range(4000)]
    assert np.mean(held) == pytest.approx(1 / 20, abs=0.015)


def test_contexts_are_those_of_greedy_search(teacher: TransducerModel, windows: Windows) -> None:
    said = 0
    for out, contexts in zip(windows.out.float(), greedy_contexts(teacher, windows.out.float()), strict=True):
        past = [-1] * (TINY.context_size - 1) + [0]
        for frame, context in zip(out, contexts, strict=True):
            assert context.tolist() == past[-TINY.context_size :]
            best = int(teacher.joiner(frame, teacher.predictor(context)).argmax())
            past += [best] if best else []
        said += len(past) - TINY.context_size
    assert said > 0


def test_who_does_as_the_teacher_is_not_apart_and_others_are(teacher: TransducerModel, windows: Windows) -> None:
    same = apart_on(teacher.encoder, windows, teacher)
    assert float(same.total()) == pytest.approx(0, abs=2e-3)
    torch.manual_seed(9)
    with torch.inference_mode():
        other = apart(TransducerModel(TINY).encoder(windows.features.float(), windows.first), windows, teacher)
    assert all(float(theirs) > 10 * float(own) + 0.01 for own, theirs in zip(same, other, strict=True))


def test_columns_and_weights_are_the_same_numbers(teacher: TransducerModel) -> None:
    for _, weight in matrices(teacher):
        assert torch.equal(as_weight(as_columns(weight), weight), weight)


def test_levels_are_those_of_rounding(folder: Path, teacher: TransducerModel) -> None:
    """What lies nearest on levels is what packing would round the file to."""
    graph = encoder_file(folder).read_bytes()
    rounding = Rounding(4, group=32)
    levels = levels_of(graph, rounding)
    before, wanted = by_name(graph), by_name(rounded(graph, rounding))
    nearest = {
        name: as_weight(levels[name].nearest(as_columns(weight.detach())), weight) for name, weight in matrices(teacher)
    }
    made = by_name(with_parameters(graph, nearest))
    for name in (f"{name}_quantized" for name, _ in matrices(teacher)):
        # one that lies half-way between two levels may go to either
        assert np.array_equal(np.abs(made[name] - before[name]), np.abs(wanted[name] - before[name]))
        assert (made[name] == wanted[name]).mean() > 0.95


def test_weights_that_were_rounded_before_keep_the_levels_they_have(folder: Path) -> None:
    graph = rounded(encoder_file(folder).read_bytes(), Rounding(4, group=1 << 15))
    levels = levels_of(graph, Rounding())
    for name, weights, scales in graph_weights(graph):
        steps = levels[name.removesuffix("_quantized")].steps(torch.from_numpy((weights * scales).T))
        assert float((steps - steps.round()).abs().max()) < 1e-3
        assert int(steps.abs().max()) <= 7


def test_parameters_go_into_the_file_and_come_back(folder: Path) -> None:
    model, graph = read_model(folder), encoder_file(folder).read_bytes()
    parameters = dict(model.named_parameters())
    assert with_parameters(graph, parameters) == graph
    changed = {**parameters, "encoder.norm.bias": parameters["encoder.norm.bias"] + 1}
    again = onnx.load_from_string(with_parameters(graph, changed))
    [norm] = [item for item in again.graph.initializer if item.name == "encoder.norm.bias"]
    assert np.allclose(onnx.numpy_helper.to_array(norm), changed["encoder.norm.bias"].detach().numpy())


def test_errors_are_made_up_for(folder: Path, teacher: TransducerModel, windows: Windows) -> None:
    """What matrices give out, and so the whole encoder, is nearer to the teacher than by plain rounding."""
    rounding = Rounding(4, zeros=0.5, group=32)
    graph = encoder_file(folder).read_bytes()
    levels = levels_of(graph, rounding)
    moments = moments_of(teacher, lambda: teacher.encoder(windows.features.float(), windows.first))
    assert moments.keys() == levels.keys() & moments.keys() == {name for name, _ in matrices(teacher)}
    plain, made = read_model(folder), read_model(folder)
    begin_on_levels(made, levels, moments, rounding.zeros)
    with torch.no_grad():
        for name, weight in matrices(plain):
            mask = kept(weight, rounding.zeros, 1)
            weight.copy_(as_weight(levels[name].nearest(as_columns(weight * mask)), weight))
        for name, weight in matrices(made):
            columns = as_columns(weight)
            assert torch.allclose(levels[name].nearest(columns), columns, atol=1e-6)
            assert float((columns == 0).float().mean()) >= 0.49
    off = [float(apart_on(model.encoder, windows, teacher).total()) for model in (plain, made)]
    assert off[1] < 0.8 * off[0]


def test_moments_are_those_of_what_is_multiplied(folder: Path, teacher: TransducerModel, windows: Windows) -> None:
    """A convolution sees three frames in the order in which the graph has them."""
    some = windows.at(slice(0, 2))
    moments = moments_of(teacher, lambda: teacher.encoder(some.features.float(), some.first))
    x = teacher.encoder.adapt(some.features.float()).transpose(1, 2)
    seen = torch.nn.functional.gelu(teacher.encoder.conv1(x)).transpose(1, 2).detach()
    frames = range(0, seen.shape[1] - 2, 2)
    rows = torch.cat([torch.cat([seen[:, at], seen[:, at + 1], seen[:, at + 2]], 1) for at in frames])
    assert torch.allclose(moments["encoder.conv2.weight"], rows.T @ rows, rtol=1e-3, atol=1e-2)


def test_an_encoder_becomes_small_and_does_as_before(folder: Path, windows: Windows, tmp_path: Path) -> None:
    run = begun(folder, tmp_path / "run", Rounding(4, zeros=0.5, group=32), pull=0.3, updates=40, rate=2e-3)
    held = windows.at(slice(0, 4))
    least = begun(folder, tmp_path / "other", Rounding(4, zeros=0.5, group=32), rate=0.0, updates=2)
    train(least, windows, held)
    untaught = float(apart_on(least.encode, held, least.teacher).total())
    train(run, windows, held)
    assert run.state()["zeros"] >= 0.5
    assert least.state()["zeros"] >= 0.5
    assert float(apart_on(run.encode, held, run.teacher).total()) < 0.6 * untaught
    graph = with_parameters(encoder_file(folder).read_bytes(), run.parameters())
    shares, inside = [], {f"{name}_quantized" for name, _ in matrices(run.model)}
    for name, weights, _ in graph_weights(graph):
        if name not in inside:
            continue
        shares.append((weights == 0).mean())
        for begin in range(0, len(weights), 32):
            for column in weights[begin : begin + 32].T:
                assert len(np.unique(column)) <= 15
    assert min(shares) > 0.49
    # what was trained is what the file says
    (tmp_path / "m").mkdir()
    for path in folder.iterdir():
        (tmp_path / "m" / path.name).write_bytes(path.read_bytes())
    encoder_file(tmp_path / "m").write_bytes(graph)
    from_file = apart_on(read_model(tmp_path / "m").encoder, held, run.teacher)
    in_training = apart_on(run.encode, held, run.teacher)
    assert float(from_file.total()) == pytest.approx(float(in_training.total()), rel=1e-3)


def test_pull_brings_weights_to_levels(folder: Path, windows: Windows, tmp_path: Path) -> None:
    off = []
    for pull in (0.0, 3.0):
        run = begun(folder, tmp_path / str(pull), Rounding(4, group=32), pull=pull, updates=20, rate=1e-3)
        train(run, windows, windows.at(slice(0, 2)))
        off.append(run.state()["off_levels"])
    assert off[1] < 0.7 * off[0]


def test_a_run_that_was_broken_off_ends_as_one_that_was_not(folder: Path, windows: Windows, tmp_path: Path) -> None:
    def make(name: str) -> SmallRun:
        return begun(folder, tmp_path / name, Rounding(5, zeros=0.3, group=32), pull=0.1, updates=12, rate=1e-3)

    whole = make("whole")
    train(whole, windows, windows.at(slice(0, 2)))

    def stop(update: int) -> None:
        if update == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make("halves"), windows, windows.at(slice(0, 2)), progress=stop)
    assert (tmp_path / "halves" / CHECKPOINT).exists()
    again = make("halves")
    assert again.update == 5
    train(again, windows, windows.at(slice(0, 2)))
    for name, value in whole.parameters().items():
        assert torch.allclose(value, again.parameters()[name], atol=1e-6), name
