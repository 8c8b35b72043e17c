"""The search of sizes: what candidates cost, which of them is tried next, and what is on the front."""

import itertools
import math
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
pytest.importorskip("onnx")

from nearword.models.compression.onnx_tensors import with_outputs
from nearword.models.training.encoder_graph import encoder_graph
from nearword.models.training.follow import Windows, heard
from nearword.models.training.model import ModelConfig, TransducerModel
from nearword.models.training.sizes import (
    Size,
    Surrogate,
    Tried,
    costs_of,
    first_ones,
    front,
    grid,
    next_one,
    operations,
    parameters,
    part_of,
)
from nearword.models.training.sizes_search import ShortTraining, draw, found, read_tried, search, table, try_size

LARGEST = ModelConfig()
TINY = ModelConfig(vocab_size=12, width=64, heads=4, layers=4, joiner_dim=32, left=48, dropout=0.0)


def multiplications(config: ModelConfig) -> int:
    """Count those of the products in one step of the exported graph, as it runs."""
    model = TransducerModel(config)
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    weights["silence"] = np.zeros(config.width, np.float32)
    graph = encoder_graph(weights, config)
    said = {entry.key: int(entry.value) for entry in graph.metadata_props if entry.value.isdecimal()}
    sizes = {"h0": said["d_model"], "c0": said["rnn_hidden_size"]}
    feeds = {name: np.zeros((config.layers, 1, size), np.float32) for name, size in sizes.items()}
    feeds["x"] = np.zeros((1, config.input_frames, 80), np.float32)
    products = [node.input for node in graph.graph.node if node.op_type == "MatMul"]
    shapes = {one.name: tuple(one.dims) for one in graph.graph.initializer}
    made = sorted({name for pair in products for name in pair} - shapes.keys() - feeds.keys())
    session = ort.InferenceSession(with_outputs(graph.SerializeToString(), made))
    shapes |= {name: value.shape for name, value in zip(made, session.run(made, feeds), strict=True)}
    shapes |= {name: value.shape for name, value in feeds.items()}
    return sum(math.prod(shapes[left]) * shapes[right][-1] for left, right in products)


@pytest.mark.parametrize("config", [TINY, replace(TINY, layers=2, feed=96, width=48, heads=2)])
def test_operations_are_those_of_the_exported_graph(config: ModelConfig) -> None:
    steps_a_second = 100 / config.chunk_frames
    # what a step counts twice: frames that the first convolution has in common with the next step
    twice = (config.input_frames * 80 * 80 + (2 * config.step + 1) * 3 * 80 * config.width) - (
        config.chunk_frames * 80 * 80 + 2 * config.step * 3 * 80 * config.width
    )
    assert operations(config) == pytest.approx(steps_a_second * (multiplications(config) - twice))


@pytest.mark.parametrize("config", [TINY, replace(TINY, layers=2, feed=96, width=48, heads=2)])
def test_parameters_are_those_of_the_encoder(config: ModelConfig) -> None:
    assert parameters(config) == sum(value.numel() for value in TransducerModel(config).encoder.parameters())


@pytest.mark.parametrize(("stride", "count"), [(0.5, 2), (0.25, 4)])
def test_the_grid_goes_down_from_the_largest_in_strides(stride: float, count: int) -> None:
    candidates = grid(LARGEST, stride)
    assert Size.of(LARGEST) in candidates
    assert len(set(candidates)) == len(candidates)
    for place, whole in enumerate(astuple(Size.of(LARGEST))):
        values = {astuple(size)[place] for size in candidates}
        assert max(values) == whole
        assert len(values) == count
    assert all(size.width % (2 * size.heads) == 0 for size in candidates)


@pytest.mark.parametrize("size", [Size(4, 64, 4, 256), Size(2, 48, 2, 96), Size(1, 16, 1, 64)])
def test_a_part_of_a_network_has_its_size_and_begins_with_its_weights(size: Size) -> None:
    torch.manual_seed(2)
    whole = TransducerModel(TINY)
    part = part_of(whole, size.config(TINY))
    assert parameters(part.config) == sum(value.numel() for value in part.encoder.parameters())
    known = set(torch.cat([value.flatten() for value in whole.encoder.parameters()]).tolist())
    taken = torch.cat([value.flatten() for value in part.encoder.parameters()])
    assert set(taken.tolist()) <= known
    features = torch.randn(2, TINY.padded_frames(64), 80)
    out = part.encoder(features).out
    assert out.shape == (2, 8, TINY.joiner_dim)
    if size == Size.of(TINY):
        assert torch.equal(out, whole.encoder(features).out)


@given(
    st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12).map(
        lambda rows: np.asarray(rows, np.float64)
    )
)
def test_the_front_is_what_nothing_is_better_than(costs: np.ndarray) -> None:
    wanted = [
        not any(all(a <= b for a, b in zip(other, one, strict=True)) and tuple(other) != tuple(one) for other in costs)
        for one in costs
    ]
    assert front(costs).tolist() == wanted


def test_the_surrogate_finds_a_law_of_powers_and_says_how_far_off_it_is() -> None:
    candidates = grid(LARGEST, 0.25)
    rng = np.random.default_rng(0)

    def tried(noise: float, count: int) -> list[Tried]:
        some = [candidates[k] for k in rng.permutation(len(candidates))[:count]]
        return [
            Tried(size, 9 * size.layers**-1.0 * size.width**-0.5 * math.exp(rng.normal(0, noise)), 1.0) for size in some
        ]

    exact = Surrogate(tried(0.0, 30))
    wanted = [9 * size.layers**-1.0 * size.width**-0.5 for size in candidates]
    assert exact(candidates) == pytest.approx(wanted, rel=0.02)
    assert exact.off < 0.02
    assert 0.15 < Surrogate(tried(0.2, 40)).off < 0.3


def test_first_each_variable_alone_then_the_expected_front_and_nothing_twice() -> None:
    candidates = grid(LARGEST, 0.25)
    tried: list[Tried] = []
    while len(tried) < 16:
        size = next_one(candidates, tried, LARGEST)
        assert size is not None
        tried.append(Tried(size, 0.01 if size == Size.of(LARGEST) else 10 / size.width / size.layers, 1.0))
    order = [one.size for one in tried]
    assert len(set(order)) == 16
    first = first_ones(candidates, LARGEST)
    assert order[: len(first)] == first
    assert order[0] == Size.of(LARGEST)
    for place in range(len(first), len(order)):
        expected = Surrogate(tried[1:place])(candidates)
        known = {one.size: one.error for one in tried[:place]}
        errors = [known.get(size, error) for size, error in zip(candidates, expected, strict=True)]
        costs = costs_of(candidates, errors, LARGEST)
        own = costs[candidates.index(order[place])]
        assert not any((other <= own).all() and (other < own).any() for other in costs)


@pytest.fixture(scope="module")
def teacher() -> TransducerModel:
    torch.manual_seed(0)
    return TransducerModel(TINY).eval()


@pytest.fixture(scope="module")
def windows(teacher: TransducerModel) -> Windows:
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(10, TINY.padded_frames(64), 80, generator=generator).half()
    return heard(teacher, features, torch.zeros(10, dtype=torch.int64))


def test_a_candidate_learns(teacher: TransducerModel, windows: Windows) -> None:
    size, held = Size(2, 32, 2, 64), windows.at(slice(0, 4))
    before, after = (try_size(teacher, size, windows, held, ShortTraining(updates, rate=3e-3)) for updates in (0, 25))
    assert after.error < 0.8 * before.error
    assert try_size(teacher, Size.of(TINY), windows, held, ShortTraining(3)).error < 1e-4


def test_a_search_goes_on_where_it_was_broken_off(teacher: TransducerModel, windows: Windows, tmp_path: Path) -> None:
    training, held = ShortTraining(2), windows.at(slice(0, 2))

    def go(folder: str, most: int) -> list[Tried]:
        return search(
            tmp_path / folder, teacher, windows, held, stride=0.25, training=training, until=math.inf, most=most
        )

    whole = go("whole", 12)
    go("halves", 5)
    again = go("halves", 12)
    assert [one.size for one in again] == [one.size for one in whole]
    assert [one.error for one in again] == pytest.approx([one.error for one in whole], rel=1e-4)
    assert read_tried(tmp_path / "halves") == again

    result = found(again, teacher, 0.25, training)
    assert result["trainings"] == 12
    tried = [row for row in result["sizes"] if row["tried"]]
    assert len(tried) == 12
    for one, other in itertools.permutations(tried, 2):
        if one["front_of_tried"]:
            worse = [one[key] >= other[key] for key in ("parameters", "operations", "error")]
            equal = [one[key] == other[key] for key in ("parameters", "operations", "error")]
            assert not all(worse) or all(equal)
    assert table(result).count("\n") == 13
    draw(result, tmp_path / "front.svg")
    assert (tmp_path / "front.svg").read_text().count("<use ") >= len(tried)
