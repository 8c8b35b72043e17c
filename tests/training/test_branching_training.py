"""The recipe of the cheap branch: what it follows, that it learns, and that the graphs give what was trained."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")

from demo import DEMO
from nearword.models import Transducer
from nearword.models.branching import Branch as LoadedBranch
from nearword.models.training.augment import FLOOR
from nearword.models.training.branching import Branch, BranchConfig
from nearword.models.training.branching_commands import shape_of
from nearword.models.training.branching_data import FRAMES, HeardSteps, Streams, hear, hear_streams, step_type
from nearword.models.training.branching_export import export_branch
from nearword.models.training.branching_train import BranchRun, BranchTraining, load_branch
from nearword.models.training.prepare import Recording

NOISE = np.random.default_rng(0).normal(-8, 1, (3000, 80)).astype(np.float32)
STREAMS = Streams({"ours": [Recording(DEMO, "", "ours", 1.0)]}, NOISE, 1)


@pytest.fixture(scope="module")
def heard(bundled: Transducer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steps")
    hear_streams(STREAMS, bundled, shape_of(bundled), folder, 100, range(1))
    return folder


def test_a_stream_depends_on_its_number_alone() -> None:
    one, again, other = STREAMS.make(3), STREAMS.make(3), STREAMS.make(4)
    np.testing.assert_array_equal(one, again)
    assert one.shape[1] == 80
    assert len(one) in (FRAMES, 2 * FRAMES)
    assert len(one) != len(other) or not np.array_equal(one, other)
    assert one.min() >= FLOOR - 8


def test_what_is_kept_of_a_step_is_what_the_caches_hold(bundled: Transducer) -> None:
    shape, features = shape_of(bundled), STREAMS.make(1)[:400]
    steps, stream = hear(bundled, shape, features), bundled.encoder_stream(phones=True)
    stream.run(features[:35])
    for number, step in enumerate(steps, 1):
        assert step["count"] == 16 * number
        np.testing.assert_array_equal(step["x"], features[32 * number - 32 : 32 * number + 35].astype(np.float16))
        encoded = stream.run(features[32 * number : 32 * number + 35])
        h0, c0 = (state[:, 0] for state in stream.states)
        np.testing.assert_array_equal(step["out"], encoded.out.astype(np.float16))
        keys, values = np.split(step["cached"], 2, axis=2)
        past = shape.left * shape.width
        np.testing.assert_array_equal(keys.reshape(4, -1), h0[:, past - 16 * 384 :].astype(np.float16))
        np.testing.assert_array_equal(values.reshape(4, -1), c0[:, past - 16 * 384 : past].astype(np.float16))
        np.testing.assert_array_equal(step["waiting"].reshape(4, -1), c0[:, past:-1].astype(np.float16))


def test_hearing_goes_on_where_it_was_cut_off(bundled: Transducer, heard: Path, tmp_path: Path) -> None:
    shape = shape_of(bundled)
    kind = step_type(bundled, shape)
    hear_streams(STREAMS, bundled, shape, tmp_path, 1, range(1))
    with (tmp_path / "steps.bin").open("ab") as file:
        file.write(b"half a step")
    with (tmp_path / "index.jsonl").open("a") as file:
        file.write('{"steps": 6')
    hear_streams(STREAMS, bundled, shape, tmp_path, 100, range(1))
    assert (tmp_path / "steps.bin").read_bytes() == (heard / "steps.bin").read_bytes()
    assert len(HeardSteps(tmp_path, kind)) >= 100


def test_the_branch_learns_and_a_run_goes_on(bundled: Transducer, heard: Path, tmp_path: Path) -> None:
    shape, lines = shape_of(bundled), []
    steps = HeardSteps(heard, step_type(bundled, shape))
    options = BranchTraining(updates=30, rows=16, warmup=5, told_every=10)
    folder = Path(str(bundled.info.folder))
    run = BranchRun(tmp_path, steps, folder, shape, options)
    run.train(0.0, lines.append)
    assert run.update == 0
    for until in (15, 30):
        part = BranchTraining(updates=until, rows=16, warmup=5, told_every=10)
        BranchRun(tmp_path, steps, folder, shape, part).train(np.inf, lines.append)
    assert BranchRun(tmp_path, steps, folder, shape, options).update == 30
    first, *_, last = (float(line.rpartition(" ")[2]) for line in lines)
    assert last < first


def test_graphs_give_what_was_trained(bundled: Transducer, tmp_path: Path) -> None:
    shape = shape_of(bundled)
    torch.manual_seed(3)
    network = Branch(BranchConfig(), shape).eval()
    network.shift.fill_(-8.0)
    network.scale.fill_(3.0)
    export_branch(network, {"balanced": 0.25, "low": 1.5}, tmp_path)
    graphs = LoadedBranch(bundled.encoder, tmp_path)
    assert graphs.losses == {"full": 0.0, "balanced": 0.25, "low": 1.5}
    x, count = np.random.default_rng(0).normal(-8, 3, (67, 80)).astype(np.float32), np.full((1, 1), 160, np.float32)
    loss, hidden = graphs.look(x[:32], x[32:], count)
    step, left = graphs.step(hidden, count, phones=True)
    with torch.inference_mode():
        expected, units = network.look(torch.from_numpy(x)[None], torch.tensor([160.0]))
        followed = network.follow(units)
    assert np.log(loss) == pytest.approx(float(expected), abs=0.01)
    np.testing.assert_allclose(hidden, units, atol=0.02)
    assert left.before == 176

    def near(ours: np.ndarray, theirs: np.ndarray) -> None:
        """Int8 rounds by a part of a hundred or so of the largest."""
        np.testing.assert_allclose(ours, theirs, atol=0.2 * float(np.abs(theirs).max()))
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99

    keys, values = (part.flatten(1) for part in followed.cached[0].split(shape.width, 2))
    near(step.out, followed.out[0].numpy())
    near(step.phones, followed.phones[0].log_softmax(-1).numpy())
    near(left.keys[:, 0], keys.numpy())
    near(left.values[:, 0], values.numpy())
    near(left.waiting[:, 0], followed.waiting[0].flatten(1).numpy())


def test_a_checkpoint_gives_its_branch(bundled: Transducer, heard: Path, tmp_path: Path) -> None:
    shape = shape_of(bundled)
    steps = HeardSteps(heard, step_type(bundled, shape))
    run = BranchRun(tmp_path, steps, Path(str(bundled.info.folder)), shape, BranchTraining(updates=2, rows=8))
    run.train(np.inf, lambda _: None)
    loaded = load_branch(tmp_path / "branch.pt")
    for name, value in run.branch.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
