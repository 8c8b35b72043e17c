"""Few weights take the room they are given, and say nearly what all say."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.lattice.understanding.training.few_weights import fitted, strongest
from scipy import sparse

SEEDS = st.integers(0, 10**6)


def ignored(_: str) -> None:
    """Progress that nobody reads."""


@given(SEEDS, st.integers(1, 400))
def test_the_largest_are_kept_as_far_as_there_is_room(seed, bits):
    chance = np.random.default_rng(seed)
    rows, sizes = chance.integers(0, 6, 40), chance.random(40) * (chance.random(40) < 0.8)
    kept = strongest(rows, sizes, bits, 11.0, 18.0)
    assert 11 * kept.sum() + 18 * len(set(rows[kept].tolist())) <= bits
    assert not kept[sizes == 0].any()
    left = (sizes > 0) & ~kept
    if left.any() and kept.any():
        assert sizes[left].max() <= sizes[kept].min()
    if left.any():  # and the next would not have had room
        following = np.flatnonzero(left)[sizes[left].argmax()]
        more = kept | (np.arange(40) == following)
        assert 11 * more.sum() + 18 * len(set(rows[more].tolist())) >= bits


@settings(max_examples=30)
@given(SEEDS)
def test_fitted_weights_are_never_further_from_all_scores_than_those_they_were(seed):
    chance = np.random.default_rng(seed)
    table = sparse.csr_matrix((chance.random((30, 12)) < 0.4).astype(float))
    whole = sparse.csc_matrix(chance.normal(size=(12, 3)))
    few = sparse.csc_matrix(whole.toarray() * (chance.random((12, 3)) < 0.5))
    found = fitted(table, whole, few, 0.1, ignored)
    assert set(zip(*found.nonzero(), strict=True)) <= set(zip(*few.nonzero(), strict=True))
    before, after = (abs(table @ (whole - one)).power(2).sum() for one in (few, found))
    assert after <= before + 1e-9


def test_a_weight_makes_up_for_its_twin():
    table = sparse.csr_matrix(np.repeat([[1.0, 1.0], [0.0, 0.0]], 50, axis=0))
    whole = sparse.csc_matrix([[2.0], [1.0]])
    found = fitted(table, whole, sparse.csc_matrix([[2.0], [0.0]]), 0.01, ignored)
    assert np.allclose(found.toarray(), [[3.0], [0.0]], atol=1e-3)


def test_with_all_weights_nothing_changes():
    whole = sparse.csc_matrix(np.random.default_rng(0).normal(size=(8, 2)))
    table = sparse.csr_matrix(np.random.default_rng(1).random((20, 8)))
    assert np.allclose(fitted(table, whole, whole, 3.0, ignored).toarray(), whole.toarray())


def test_the_same_texts_give_the_same_weights_whatever_was_drawn_before():
    from home_requests import home_examples
    from nearword.lattice.understanding.training import Settings, train

    examples = home_examples()[::6]
    one, other = (train(examples, settings=Settings(iterations=2)).model.slot_weights for _ in range(2))
    assert np.array_equal(one.keys, other.keys)
    assert np.array_equal(one.weights, other.weights)
