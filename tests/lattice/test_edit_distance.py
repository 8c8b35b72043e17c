from hypothesis import given
from hypothesis import strategies as st
from lattices import word_errors
from nearword.lattice.edit_distance import edit_distance

WORDS = st.lists(st.sampled_from("abc"), max_size=7)


@given(WORDS, WORDS)
def test_it_is_that_of_the_textbook(one: list[str], other: list[str]) -> None:
    assert edit_distance(one, other) == word_errors(one, other)


@given(WORDS, WORDS, WORDS)
def test_it_is_a_distance(one: list[str], other: list[str], third: list[str]) -> None:
    assert (edit_distance(one, other) == 0) == (one == other)
    assert edit_distance(one, other) == edit_distance(other, one)
    assert edit_distance(one, third) <= edit_distance(one, other) + edit_distance(other, third)
