"""What a transducer expects before it hears anything."""

import numpy as np
import pytest
from nearword.biasing import Phrase, Tokenizer
from nearword.models import Transducer
from nearword.runtime.recognition.biasing import bias_vocabulary, load_biasing, surprise_of
from toy_models import ToyModel, write_toy_model


@pytest.mark.parametrize("context_size", [1, 2, 3])
def test_surprises_are_log_probabilities_of_tokens_without_the_blank(tmp_path, context_size):
    toy = Transducer.load(write_toy_model(tmp_path / "toy", ToyModel(context_size=context_size)))
    count = len(toy.vocabulary)
    for before in (-1, 0, 3):
        context = np.full((count, context_size), before, np.int32)
        found = surprise_of(toy)(context, np.arange(count, dtype=np.int32))
        assert found[0] == np.inf
        assert np.exp(-found[1:]).sum() == pytest.approx(1, abs=1e-5)


def test_surprises_are_the_same_alone_and_together_and_asked_again(toy):
    rng = np.random.default_rng(3)
    contexts = rng.integers(-1, len(toy.vocabulary), (300, toy.info.context_size)).astype(np.int32)
    tokens = rng.integers(1, len(toy.vocabulary), 300).astype(np.int32)
    surprise = surprise_of(toy)
    together = surprise(contexts, tokens)
    alone = [surprise_of(toy)(context[None], token[None])[0] for context, token in zip(contexts, tokens, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert (surprise(contexts, tokens) == together).all()


def test_the_bundled_model_expects_common_words_more_than_rare_names(bundled):
    biasing, _ = load_biasing(bundled, [])
    biasing.add_all([Phrase("call"), Phrase("wojtak")])
    graph = biasing.snapshot()

    def per_token(text):
        way = Tokenizer(bias_vocabulary(bundled.vocabulary)).tokenize(Phrase(text)).ways[0]
        return graph.score(way) / len(way)

    assert 0 < per_token("call") < per_token("wojtak")
