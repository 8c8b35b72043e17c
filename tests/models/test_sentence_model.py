"""The network for whole sentences: what it takes, and files that are none."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from nearword.models import ModelFileError, Transducer
from nearword.models.sentence_model import FILE, SentenceModel


@pytest.fixture(scope="module")
def network(bundled: Transducer) -> SentenceModel:
    return SentenceModel(bundled.info.folder / FILE, len(bundled.vocabulary))


def log_prob(network: SentenceModel, row: list[int]) -> float:
    count = len(row) - 1
    mask = np.tril(np.ones((count, count), np.int64))[None]
    logits = network.logits(np.array([row[:-1]]), mask, np.arange(count)[None])
    return float((logits[range(count), row[1:]] - np.log(np.exp(logits).sum(1))).sum())


def test_what_people_say_is_more_probable_than_what_sounds_like_it(bundled: Transducer, network: SentenceModel) -> None:
    from nearword.runtime.recognition.word_pieces import piece_encoder

    encode = piece_encoder(bundled.vocabulary, bundled.info.folder)

    def said(text: str) -> float:
        return log_prob(network, [network.begin, *encode(text), network.end])

    for right, wrong in (
        ("what is the weather in boston", "what is the whether in boston"),
        ("set an alarm for seven", "said an alarm for seven"),
        ("turn off the lights in the kitchen", "turn of the lights in the kitchen"),
    ):
        assert said(right) > said(wrong) + 1


def test_files_that_are_no_such_network_are_told(bundled: Transducer, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"lm\.onnx: missing"):
        SentenceModel(tmp_path / FILE, 256)
    (tmp_path / FILE).write_bytes((bundled.info.folder / FILE).read_bytes()[:10_000])
    with pytest.raises(ModelFileError, match="truncated"):
        SentenceModel(tmp_path / FILE, 256)
    shutil.copyfile(bundled.info.folder / "decoder.onnx", tmp_path / FILE)
    with pytest.raises(ModelFileError, match=r"its inputs are y; expected input_ids, position_ids, attention_mask"):
        SentenceModel(tmp_path / FILE, 256)


def test_other_word_pieces_are_told(bundled: Transducer) -> None:
    with pytest.raises(ModelFileError, match=r"lm\.onnx: is over 256 word pieces, the speech model over 500"):
        SentenceModel(bundled.info.folder / FILE, 500)
