"""The mixture is a probability distribution whatever was said, and bounded in the harm it does."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.lattice.language import NgramModel
from nearword.models import Transducer
from nearword.runtime.context import Act, ContextInput, ContextModel, ContextWeights
from nearword.runtime.context.language import ContextLanguage
from nearword.runtime.search.language import Fusion, own_language

GIVEN = ContextInput(
    "Do you mean Meg Jones or Meg Bauer?", Act.clarify, ("Take Five",), {"contact": ("Meg Jones", "Meg Bauer")},
    heard=("call meg",),
)  # fmt: skip


class NoBase:
    """Adds nothing: what is left is the context's alone."""

    start = 0

    def __init__(self, size: int) -> None:
        self._row = np.zeros(size, np.float32)

    def scores(self, state):
        return self._row

    def advance(self, state, token):
        return 0

    def final(self, state):
        return 0.0


@pytest.fixture(scope="module")
def fusion(bundled: Transducer) -> Fusion:
    found = own_language(bundled)
    assert found is not None
    return found


def alone(bundled: Transducer, fusion: Fusion, given: ContextInput, cache: float = 0.0) -> ContextLanguage:
    computed = ContextModel(bundled, ContextWeights(scale=1.0, cache=cache)).compute(given)
    assert isinstance(fusion.language, NgramModel)
    starts = [token.startswith("\u2581") for token in bundled.vocabulary.tokens]
    return ContextLanguage(
        NoBase(len(starts)), fusion.language, computed.network, word_starts=np.asarray(starts), blank=0, scale=1.0,
        cache=computed.cache, cache_share=cache,
    )  # fmt: skip


@settings(max_examples=8)
@given(st.sampled_from(list(Act)), st.sampled_from([0.0, 0.1]), st.lists(st.integers(1, 400), max_size=4))
def test_all_that_may_follow_adds_up_to_one(
    bundled: Transducer, fusion: Fusion, act: Act, cache: float, tokens: list[int]
) -> None:
    language = alone(
        bundled, fusion, ContextInput(GIVEN.reply, act, GIVEN.screen, GIVEN.entities, heard=GIVEN.heard), cache
    )
    general = fusion.language
    state, plain = language.start, general.start
    for token in [None, *tokens]:
        if token is not None:
            token = token % len(bundled.vocabulary) or 1  # noqa: PLW2901
            state, plain = language.advance(state, token), general.advance(plain, token)
        row = np.exp(language.scores(state).astype(float) + general.scores(plain))
        end = math.exp(language.final(state) + general.final(plain))
        assert row[1:].sum() + end == pytest.approx(1.0, abs=0.08)


def test_an_expected_answer_is_far_likelier_and_an_unexpected_one_loses_no_more_than_its_prior(
    bundled: Transducer, fusion: Fusion
) -> None:
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(bundled.vocabulary.bpe_model))
    language = alone(bundled, fusion, GIVEN)

    def gain(text: str) -> float:
        state, total = language.start, 0.0
        for token in pieces.encode(text):
            total += float(language.scores(state)[token])
            state = language.advance(state, token)
        return total + language.final(state)

    assert gain("meg bauer") > 5
    assert gain("the second one") > 0
    prior = math.log(1 - ContextWeights().expected)
    for text in ("what is the weather like tomorrow", "turn on the light", "set a timer for ten minutes"):
        assert prior - 0.1 <= gain(text) <= 0.5
    assert gain("call meg bauer") > gain("call peg bauer") + 3


def test_blanks_change_nothing(bundled: Transducer, fusion: Fusion) -> None:
    language = alone(bundled, fusion, GIVEN)
    assert language.scores(language.start)[0] == 0
    assert language.advance(language.start, 0) == language.start


def test_a_long_list_is_cut_by_value_and_says_so(bundled: Transducer) -> None:
    names = tuple(f"person{chr(97 + k % 26)} number{chr(97 + k // 26)}" for k in range(600))
    computed = ContextModel(bundled).compute(ContextInput("Call who?", entities={"contact": names}))
    assert computed.left_out > 0
    assert sum(len(terms) for terms in computed.terms.values()) <= 400


def test_every_act_has_answers_that_are_a_grammar(bundled: Transducer) -> None:
    model = ContextModel(bundled)
    for act in Act:
        computed = model.compute(ContextInput("Well?", act, ("Take Five",)))
        assert sum(computed.network.starts.values()) <= 0.99
        for node in computed.network.nodes:
            total = node.end + node.escape + sum(p for arcs in node.arcs.values() for _, p in arcs)
            assert total == pytest.approx(1.0) or not node.arcs
