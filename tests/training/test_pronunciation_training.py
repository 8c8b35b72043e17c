"""Letters to phones: what is learnt from, and that the exported graph says what the network says."""

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
onnx = pytest.importorskip("onnx")

from nearword.models.pronunciation import Pronouncer
from nearword.models.training.lexicon import PHONE_ID, PHONES, pronounce
from nearword.models.training.pronunciation import (
    PronunciationConfig,
    PronunciationTraining,
    batches,
    collect_words,
    encode,
    graph,
    is_held_out,
    measure,
    read_lexicon,
    train_pronunciation,
)

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite (apt-get install flite)")
SOUNDS = {"b": "b", "d": "d", "k": "k", "sh": "sh", "a": "ae", "oo": "uw", "n": "n", "t": "t", "x": "k s"}
LEXICON = {
    "".join(parts): tuple(PHONE_ID[phone] for part in parts for phone in SOUNDS[part].split())
    for parts in product(("b", "d", "k", "sh"), ("a", "oo"), ("n", "t", "x", "sh", "d"))
}
SMALL = PronunciationConfig(dim=24, blocks=2)


def test_a_small_network_learns_to_read_and_its_graph_says_the_same(tmp_path: Path) -> None:
    losses: list[float] = []
    training = PronunciationTraining(epochs=60, batch_letters=40, peak_rate=1e-2)
    network = train_pronunciation(LEXICON, SMALL, training, lambda update, updates, loss: losses.append(loss))
    assert losses[-1] < 0.2 < losses[0]
    path = tmp_path / "pronounce.onnx"
    onnx.save(graph(network), path)
    pronouncer = Pronouncer.load(path)
    assert pronouncer.phones == ("<blk>", *PHONES)
    fit = measure(pronouncer, LEXICON)
    assert fit.words == len(LEXICON)
    assert fit.phone_errors <= fit.word_errors < 0.1
    for word in ("bax", "shoot", "zzz", "o'dad"):
        with torch.no_grad():
            expected = network(torch.tensor([encode(word)])).log_softmax(2).numpy()
        np.testing.assert_allclose(pronouncer._run("log_probs", [word]), expected, atol=0.3)  # a step of rounding


def test_training_goes_on_from_weights_and_passes_over_words_without_room(tmp_path: Path) -> None:
    training = PronunciationTraining(epochs=1, batch_letters=40, peak_rate=0.0)
    first = train_pronunciation({**LEXICON, "b": (1, 1) * 40}, SMALL, training)
    again = train_pronunciation(
        LEXICON, SMALL, PronunciationTraining(epochs=1, peak_rate=0.0, seed=2), start=first.state_dict()
    )
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_batches_hold_every_word_once_and_one_length_each() -> None:
    import random

    parts = batches(sorted(LEXICON), 30, random.Random(1))
    assert sorted(word for part in parts for word in part) == sorted(LEXICON)
    assert all(len({len(word) for word in part}) == 1 for part in parts)


def test_one_word_in_twenty_is_held_out_always() -> None:
    words = ["".join(letters) for letters in product("abcdefghij", repeat=4)]
    assert 0.03 < sum(map(is_held_out, words)) / len(words) < 0.07
    assert list(map(is_held_out, words)) == list(map(is_held_out, words))


@needs_flite
def test_words_pronounced_together_are_said_as_alone_and_kept(tmp_path: Path) -> None:
    words = ["kitchen", "dr", "w", "o'neil", "st", "bauer", "ii", "i'm"]
    cache = tmp_path / "lexicon.tsv"
    lexicon = read_lexicon(words, cache)
    assert lexicon == {word: pronounce(word) for word in words}
    text = cache.read_text()
    done: list[int] = []
    assert read_lexicon(words[:3], cache, done.append) == {word: lexicon[word] for word in words[:3]}
    assert done == [3]
    cache.write_text(text[:-4])
    assert read_lexicon(words, cache, done.append) == lexicon
    assert cache.read_text() == text
    assert done == [3, len(words) - 1, len(words)]


@needs_flite
def test_words_and_names_come_from_everywhere(tmp_path: Path) -> None:
    pytest.importorskip("faker")
    pytest.importorskip("wordfreq")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("Dim the zyzzy lamp\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "speechocean762.tsv").write_text("path\ttext\nx.flac\tquuxly\n")
    words, names, commonest = collect_words(tmp_path, 300, 300, 1)
    assert {"zyzzy", "quuxly", "the", "because"} <= set(words)
    assert words == sorted(set(words))
    assert names < set(words)
    assert len(names) > 50
    assert {"the", "call"} <= commonest < set(words)
    assert not commonest & names
