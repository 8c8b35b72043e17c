"""Expected word errors, against the sum over every sequence of tokens of a tiny network."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import jiwer
import pytest

torch = pytest.importorskip("torch")

from nearword.models.pieces import open_pieces
from nearword.models.training.curriculum import CURRICULUM, Stage, with_word_errors
from nearword.models.training.dataset import Batch, padded
from nearword.models.training.loss import arc_scores, transducer_loss
from nearword.models.training.model import ModelConfig, TransducerModel
from nearword.models.training.mwer import expected_word_errors, n_best
from nearword.models.training.objectives import losses
from nearword.models.training.prepare import train_vocabulary

FRAMES = 4
CONFIG = ModelConfig(vocab_size=4, phones=3, width=8, heads=2, layers=1, joiner_dim=8)


def batch_of(tokens: list[tuple[int, ...]], frames: list[int]) -> Batch:
    labels, sizes = padded(tokens)
    nothing = torch.zeros(len(tokens), dtype=torch.int64)
    return Batch(torch.zeros(len(tokens), 0, 80), torch.tensor(frames), labels, sizes, labels[:, :0], nothing, nothing)


def network(seed: int, config: ModelConfig = CONFIG) -> TransducerModel:
    torch.manual_seed(seed)
    model = TransducerModel(config)
    with torch.no_grad():
        model.joiner.output.weight.mul_(3)  # as sure of some tokens as a trained one
    return model.eval()


def probabilities(model: TransducerModel, encoded: torch.Tensor, frames: int) -> dict[tuple[int, ...], float]:
    """Return the log-probability of every sequence that one utterance [T, dim] can be."""
    every = [s for size in range(frames + 1) for s in product(range(1, model.config.vocab_size), repeat=size)]
    batch = batch_of(every, [frames] * len(every))
    log_blank, log_token = arc_scores(model, encoded[None].expand(len(every), -1, -1), batch)
    values = -transducer_loss(log_blank, log_token, batch.frames, batch.token_lengths)
    return dict(zip(every, values.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(6))
@torch.no_grad()
def test_a_wide_beam_finds_the_most_probable_sequences(seed: int) -> None:
    model = network(seed)
    frames = [FRAMES, 2, 3]
    encoded = 2 * torch.randn(3, FRAMES, CONFIG.joiner_dim)
    found = n_best(model, encoded, torch.tensor(frames), beam=200)
    for row, count in enumerate(frames):
        exact = probabilities(model, encoded[row], count)
        assert sum(map(math.exp, exact.values())) == pytest.approx(1, abs=1e-4)
        ranked = sorted(exact, key=exact.__getitem__, reverse=True)
        assert found[row] == ranked[: len(found[row])]
        assert len(found[row]) == len(ranked)


@pytest.mark.parametrize("seed", range(4))
@torch.no_grad()
def test_a_narrow_beam_lists_sequences_once_and_the_best_first(seed: int) -> None:
    model = network(seed)
    encoded = 2 * torch.randn(2, 12, CONFIG.joiner_dim)
    for listed in n_best(model, encoded, torch.tensor([12, 9]), beam=4):
        assert len(listed) == len(set(listed)) == 4
        assert all(len(tokens) <= 12 for tokens in listed)


@pytest.fixture(scope="module")
def pieces_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pieces")
    train_vocabulary(["a bad cab", "a dab of bad cad", "dad bad cab a fad"] * 3, 12, folder)
    return folder / "bpe.model"


@torch.no_grad()
def test_the_expectation_is_that_over_the_list(pieces_file: Path) -> None:
    pieces = open_pieces(pieces_file)
    model = network(3, ModelConfig(vocab_size=12, phones=3, width=8, heads=2, layers=1, joiner_dim=8))
    encoded = 2 * torch.randn(2, 8, 8)
    texts = ["a bad cab", "dad"]
    batch = batch_of([tuple(pieces.encode(text)) for text in texts], [8, 6])
    expected = 0.0
    for row, text in enumerate(texts):
        [listed] = n_best(model, encoded[row : row + 1], batch.frames[row : row + 1])
        one = batch_of(listed, [int(batch.frames[row])] * len(listed))
        scores = arc_scores(model, encoded[row : row + 1].expand(len(listed), -1, -1), one)
        probability = (-transducer_loss(*scores, one.frames, one.token_lengths)).softmax(0)
        counted = [jiwer.process_words(text, pieces.decode(list(h))) for h in listed]
        errors = torch.tensor([float(one.substitutions + one.deletions + one.insertions) for one in counted])
        expected += float((probability * (errors - errors.mean())).sum()) / 2
    assert float(expected_word_errors(model, encoded, batch, pieces)) == pytest.approx(expected, abs=1e-5)


def test_training_on_it_makes_the_right_words_the_best(pieces_file: Path) -> None:
    pieces = open_pieces(pieces_file)
    model = network(6, ModelConfig(vocab_size=12, phones=3, width=8, heads=2, layers=1, joiner_dim=8))
    encoded = torch.randn(1, 10, 8)
    listed = n_best(model, encoded, torch.tensor([10]))[0]
    spoken = [pieces.decode(list(tokens)).split() for tokens in listed]
    wanted = listed[next(place for place, words in enumerate(spoken) if words != spoken[0])]
    batch = batch_of([wanted], [10])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        expected_word_errors(model, encoded, batch, pieces).backward()
        optimizer.step()
    best = n_best(model, encoded, torch.tensor([10]))[0][0]
    assert pieces.decode(list(best)).split() == pieces.decode(list(wanted)).split()


def test_the_curriculum_counts_word_errors_from_an_update_on() -> None:
    stages = with_word_errors(CURRICULUM, 4000)
    ends = [stage.until for stage in stages]
    assert ends == sorted(set(ends))
    assert ends[-1] == CURRICULUM[-1].until
    for update in (0, 1999, 3999, 4000, 6000, 10_000):
        now = next(stage for stage in stages if update < stage.until)
        as_it_was = next(stage for stage in CURRICULUM if update < stage.until)
        assert (now.risk > 0) == (update >= 4000)
        assert (now.strength, now.follow, now.encoder) == (as_it_was.strength, as_it_was.follow, as_it_was.encoder)


def test_a_stage_that_asks_for_it_learns_from_word_errors(pieces_file: Path) -> None:
    pieces = open_pieces(pieces_file)
    model = network(2, ModelConfig(vocab_size=12, phones=3, width=8, heads=2, layers=1, joiner_dim=8))
    batch = batch_of([tuple(pieces.encode("a bad cab"))], [12])
    frames = model.config.padded_frames(8 * 12)
    phone, one = torch.ones(1, 1, dtype=torch.int64), torch.tensor([1])
    batch = replace(batch, features=torch.randn(1, frames, 80), phones=phone, phone_lengths=one)
    stage = Stage(1, 1, 1, 0.0, transducer=0.5, phone=0.5, token=0.3, risk=1.0)
    with_words = losses(model, batch, stage, pieces)
    without = losses(model, batch, replace(stage, risk=0.0), pieces)
    assert with_words.risk.item() != 0
    assert without.risk.item() == 0
    assert with_words.weighted(stage).item() == pytest.approx(
        without.weighted(stage).item() + with_words.risk.item(), abs=1e-5
    )
