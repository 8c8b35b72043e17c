"""Where sherpa-onnx's hotwords go wrong: the same model, sound and phrases, with results worked out by hand.

``pytest -s`` prints what both heard.
"""

import math

import numpy as np
import pytest
from scripted_model import hear_with, write_scripted_model

TOKENS = ("<blk>", "turn", "on", "living", "room", "lamp", "land", "den", "then", "bathroom")
NEAR = 1 / (1 + math.e)
"""One nat less likely than what it is mistaken for: a phrase gives more than that, be it by a little."""
SAID = {word: {word: 1.0} for word in TOKENS}
SAID |= {"lamp?": {"land": 1 - NEAR, "lamp": NEAR}, "den?": {"then": 1 - NEAR, "den": NEAR}}
SCORE = 2.0
"""Of each token, in sherpa-onnx."""


def sherpa(folder, phrases):
    sherpa_onnx = pytest.importorskip("sherpa_onnx", reason="sherpa-onnx is not installed: nothing to compare with")
    (folder / "hotwords.txt").write_text("".join(f"{phrase}\n" for phrase in phrases))
    recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"), encoder=str(folder / "encoder.onnx"), decoder=str(folder / "decoder.onnx"),
        joiner=str(folder / "joiner.onnx"), num_threads=1, decoding_method="modified_beam_search",
        max_active_paths=4, hotwords_file=str(folder / "hotwords.txt") if phrases else "", hotwords_score=SCORE,
        modeling_unit="cjkchar",
    )  # fmt: skip
    stream = recogniser.create_stream()
    stream.accept_waveform(16000, np.zeros(16000, np.float32))
    stream.input_finished()
    while recogniser.is_ready(stream):
        recogniser.decode_stream(stream)
    return list(recogniser.tokens(stream))


def folder_of(tmp_path, words):
    return write_scripted_model(tmp_path / "scripted", TOKENS, [SAID[word] for word in words.split()])


def compare(tmp_path, words, phrases):
    folder = folder_of(tmp_path, words)
    ours, theirs = hear_with(folder, phrases), sherpa(folder, phrases)
    print(f"\n{words!r} with {phrases}:\n  nearword    {' '.join(ours)}\n  sherpa-onnx {' '.join(theirs)}")
    return ours, theirs


def test_both_hear_the_same_without_a_list(tmp_path):
    ours, theirs = compare(tmp_path, "turn on living room lamp?", [])
    assert ours == theirs == ["turn", "on", "living", "room", "land"]


def test_both_find_a_phrase(tmp_path):
    ours, theirs = compare(tmp_path, "turn on living room lamp?", ["living room lamp"])
    assert ours == theirs == ["turn", "on", "living", "room", "lamp"]


def test_a_phrase_that_begins_another_does_not_starve_it(tmp_path):
    ours, theirs = compare(tmp_path, "turn on living room lamp?", ["living room", "living room lamp"])
    assert ours == ["turn", "on", "living", "room", "lamp"]
    assert theirs == ["turn", "on", "living", "room", "land"], "sherpa-onnx has learned it: say so in the README"


def test_an_unfinished_phrase_keeps_nothing_at_the_end(tmp_path):
    ours, theirs = compare(tmp_path, "turn on den?", ["den lamp"])
    assert ours == ["turn", "on", "then"]
    assert hear_with(folder_of(tmp_path, "turn on den?"), ["den lamp"], max_active=1) == ours
    assert theirs == ["turn", "on", "den"], "sherpa-onnx has learned it: say so in the README"


@pytest.mark.parametrize("max_active", [1, 2, 4])
def test_phrases_under_way_push_nothing_out_that_wins_without_them(tmp_path, max_active):
    folder = folder_of(tmp_path, "turn on den? bathroom")
    assert hear_with(folder, ["den lamp", "den land"], max_active=max_active) == ["turn", "on", "then", "bathroom"]
    assert hear_with(folder, ["den bathroom"], max_active=max_active) == ["turn", "on", "den", "bathroom"]
