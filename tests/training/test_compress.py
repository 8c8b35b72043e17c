"""Weights that are trained to be small, on tiny networks."""

import itertools
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
onnx = pytest.importorskip("onnx")

from nearword.models.compression.rounding import Rounding, quantised, rounded
from nearword.models.training.compress import CompressConfig, Compressor, as_columns, kept, matrices, off_levels
from nearword.models.training.curriculum import Stage
from nearword.models.training.dataset import Batch
from nearword.models.training.export import export
from nearword.models.training.model import ModelConfig, TransducerModel
from nearword.models.training.train import Run, TrainConfig

SMALL = ModelConfig(vocab_size=12, width=24, heads=2, layers=2, joiner_dim=16, left=48)


@pytest.fixture
def model() -> TransducerModel:
    torch.manual_seed(0)
    return TransducerModel(SMALL)


def test_the_share_of_zeros_rises_and_stays() -> None:
    config = CompressConfig(Rounding(zeros=0.6), begin=100, end=1100)
    shares = [config.zeros(update) for update in range(0, 1500, 100)]
    assert shares[:2] == [0.0, 0.0]
    assert all(a < b for a, b in itertools.pairwise(shares[1:12]))
    assert shares[11:] == [pytest.approx(0.6)] * 4
    # most of it early, when there is time left to make up for it
    assert config.zeros(350) > 0.5 * 0.6


@pytest.mark.parametrize("block", [1, 8])
def test_the_least_weights_go_in_their_blocks(model: TransducerModel, block: int) -> None:
    for _, weight in matrices(model):
        mask = as_columns(kept(weight, 0.5, block))
        size = as_columns(weight).detach().square()
        width = size.shape[1] // block * block
        worth, stays = (each[:, :width].unflatten(1, (-1, block)) for each in (size, mask))
        assert bool((stays.amax(2) == stays.amin(2)).all())
        if width == size.shape[1]:
            worth, stays = worth.sum(2), stays.amax(2)
            assert float(1 - stays.mean()) == pytest.approx(0.5, abs=0.02)
            assert float(worth[stays == 0].max()) <= float(worth[stays == 1].min())


def test_weights_on_levels_cost_nothing_and_others_are_pulled_to_them() -> None:
    rounding = Rounding(4, group=16)
    torch.manual_seed(1)
    levels = torch.randint(-7, 8, (5, 32)).float()
    levels[:, 0] = levels[:, 16] = 7
    assert float(off_levels(levels * 0.018, rounding).max()) < 0.01
    weights = (0.05 * torch.randn(5, 32)).requires_grad_()
    before = float(off_levels(weights.detach(), rounding).mean())
    optimiser = torch.optim.SGD([weights], lr=2e-4)
    for _ in range(300):
        optimiser.zero_grad()
        off_levels(weights, rounding).mean().backward()
        optimiser.step()
    assert float(off_levels(weights.detach(), rounding).mean()) < 0.3 * before


def test_zeros_stay_zero_while_all_else_learns(model: TransducerModel) -> None:
    compressor = Compressor(CompressConfig(Rounding(zeros=0.5), end=20, every=5))
    average = {name: value.clone() for name, value in model.state_dict().items()}
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    features = torch.randn(2, SMALL.padded_frames(128), 80)
    for update in range(1, 41):
        optimiser.zero_grad()
        model.encoder(features).out.square().mean().backward()
        optimiser.step()
        compressor.thin(model, average, update)
    state = compressor.state(model)
    assert state["zeros"] == pytest.approx(0.5, abs=0.02)
    for name, weight in matrices(model):
        assert bool((average[name][weight == 0] == 0).all())


def test_the_penalty_begins_when_it_is_told_to(model: TransducerModel) -> None:
    compressor = Compressor(CompressConfig(Rounding(5), strength=2.0, begin=10, end=20))
    assert float(compressor.penalty(model, 10)) == 0.0
    halfway, whole = (float(compressor.penalty(model, update).detach()) for update in (15, 20))
    assert halfway == pytest.approx(whole / 2)
    assert whole == pytest.approx(2 * compressor.state(model)["off_levels"], rel=1e-3)


def test_a_run_trains_and_its_weights_become_small(tmp_path: Path) -> None:
    compressor = Compressor(CompressConfig(Rounding(4, zeros=0.4), strength=0.5, end=3, every=1))
    run = Run(tmp_path / "run", SMALL, TrainConfig(threads=1), compressor=compressor)
    batch = Batch(
        torch.randn(1, SMALL.padded_frames(96), 80),
        torch.tensor([12]),
        torch.randint(1, 12, (1, 3)),
        torch.tensor([3]),
        torch.randint(1, 41, (1, 4)),
        torch.tensor([4]),
        torch.tensor([0]),
    )
    for _ in range(5):
        run.step(batch, Stage(9, 1, 1, 0.0, 1.0, 0.5, 0.3))
    assert compressor.state(run.model)["zeros"] == pytest.approx(0.4, abs=0.02)
    averaged = torch.cat([run.average[name].flatten() for name, _ in matrices(run.model)])
    assert float((averaged == 0).float().mean()) == pytest.approx(0.4, abs=0.02)


def test_what_was_trained_comes_through_export_and_packing_as_it_is(model: TransducerModel, tmp_path: Path) -> None:
    rounding = Rounding(4, zeros=0.5, group=1 << 15)
    compressor = Compressor(CompressConfig(rounding, strength=1.0, end=1, every=1))
    compressor.thin(model, model.state_dict(), 1)
    with torch.no_grad():  # as if the loss had pulled all of them all the way
        for _, weight in matrices(model):
            columns = as_columns(weight)
            step = columns.abs().amax(1, keepdim=True) / 126
            multiplier = 18
            snapped = torch.round(columns / (step * multiplier)).clamp(-7, 7) * step * multiplier
            largest = columns.abs().argmax(1, keepdim=True)
            snapped.scatter_(1, largest, 7 * multiplier * step * columns.gather(1, largest).sign())
            if weight.ndim == 3:
                snapped = snapped.unflatten(1, (weight.shape[2], weight.shape[1])).transpose(1, 2)
            weight.copy_(snapped)
    assert compressor.state(model)["off_levels"] < 0.01
    (tmp_path / "v").mkdir()
    for name in ("tokens.txt", "bpe.model"):
        (tmp_path / "v" / name).write_bytes(b"")
    export(model, tmp_path / "v", tmp_path / "m")
    graph = (tmp_path / "m" / "encoder.int8.onnx").read_bytes()
    weights = {span.name: np.frombuffer(graph, np.int8, span.length, span.offset) for span, _ in quantised(graph)}
    inside = [value for name, value in weights.items() if "adapt" not in name and "conv1" not in name]
    assert np.concatenate(inside).size == sum(weight.numel() for _, weight in matrices(model))
    assert (np.concatenate(inside) == 0).mean() > 0.49
    packed = rounded(graph, Rounding(4, group=1 << 15))
    for span, _ in quantised(packed):
        moved = np.abs(np.frombuffer(packed, np.int8, span.length, span.offset) - weights[span.name].astype(int))
        assert moved.max() <= 1
