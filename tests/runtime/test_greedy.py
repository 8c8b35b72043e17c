from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models import Transducer
from nearword.runtime.search import GreedySearch
from toy_models import ToyModel, write_toy_model


def frame_by_frame(model: Transducer, encoded: np.ndarray) -> tuple[list[int], list[int], list[float]]:
    """The definition: one joiner run per frame, at most one token there, <unk> counts as blank."""
    context, tokens, frames, log_probs = [-1] * (model.info.context_size - 1) + [0], [], [], []
    for t, frame in enumerate(encoded):
        logits = model.join(frame[None], model.predict(tuple(context)))[0].astype(np.float64)
        best = int(logits.argmax())
        if best not in (0, model.vocabulary.unk_id):
            tokens.append(best)
            frames.append(t)
            log_probs.append(float(logits[best] - np.logaddexp.reduce(logits)))
            context = [*context[1:], best]
    return tokens, frames, log_probs


@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 9), min_size=1, max_size=10), scale=st.floats(0.2, 4))
def test_whole_runs_of_frames_give_the_tokens_of_frame_by_frame_search(
    toy: Transducer, seed: int, cuts: list[int], scale: float
) -> None:
    encoded = np.random.default_rng(seed).normal(0, scale, (sum(cuts), 6)).astype(np.float32)
    search, start = GreedySearch(toy), 0
    for cut in cuts:
        search.advance(encoded[start : start + cut])
        start += cut
    tokens, frames, log_probs = frame_by_frame(toy, encoded)
    assert search.tokens == tokens
    assert search.frames == frames
    assert search.log_probs == pytest.approx(log_probs, abs=1e-4)
    assert search.frames_seen == len(encoded)
    assert search.trailing_blanks == len(encoded) - (frames[-1] + 1 if frames else 0)


@pytest.mark.parametrize("scale", [0.2, 1.0, 4.0])
def test_the_joiner_is_asked_for_few_frames_where_tokens_come_thick(
    toy: Transducer, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = np.random.default_rng(3).normal(0, scale, (120, 6)).astype(np.float32)
    rows, join = [], toy.join
    monkeypatch.setattr(toy, "join", lambda frames, out: (rows.append(len(frames)), join(frames, out))[1])
    search = GreedySearch(toy)
    search.advance(encoded)
    assert search.frames_seen == 120 <= sum(rows) <= 3 * 120
    assert len(rows) <= 2 * len(search.tokens) + 8


@pytest.mark.parametrize("context_size", [1, 2, 3])
def test_other_context_sizes_and_int8_joiners(tmp_path: Path, context_size: int) -> None:
    model = Transducer.load(write_toy_model(tmp_path / "m", ToyModel(context_size=context_size, quantise_joiner=True)))
    encoded = np.random.default_rng(context_size).normal(0, 1, (60, 6)).astype(np.float32)
    search = GreedySearch(model)
    search.advance(encoded)
    assert search.tokens == frame_by_frame(model, encoded)[0]
    assert len(search.tokens) > 5


def test_fork_leaves_the_search_as_it_was(toy: Transducer) -> None:
    encoded = np.random.default_rng(0).normal(0, 2, (40, 6)).astype(np.float32)
    search = GreedySearch(toy)
    search.advance(encoded[:20])
    fork = search.fork()
    fork.advance(encoded[30:])
    search.advance(encoded[20:])
    whole = GreedySearch(toy)
    whole.advance(encoded)
    assert (search.tokens, search.frames, search.log_probs) == (whole.tokens, whole.frames, whole.log_probs)
    assert fork.tokens[: len(fork.tokens) // 3] == whole.tokens[: len(fork.tokens) // 3]
