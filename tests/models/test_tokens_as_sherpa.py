"""Token lists as they are published: sherpa-onnx reads the same ones and shows the same text."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO
from nearword.models import Transducer, read_audio
from nearword.runtime import Transcriber
from nearword.runtime.search import GREEDY

sherpa_onnx = pytest.importorskip("sherpa_onnx")


def both(model: Transducer, folder: Path, tokens: list[str]) -> tuple[str, str]:
    """The text of the shipped recording, by sherpa-onnx and here, with other tokens for the model's outputs."""
    for path in model.info.graphs:
        shutil.copy(path, folder / path.name)
    (folder / "tokens.txt").write_text("".join(f"{t} {i}\n" for i, t in enumerate(tokens)), encoding="utf-8")
    samples = np.concatenate([read_audio(DEMO), np.zeros(20800, np.float32)])
    encoder, decoder, joiner = (str(folder / path.name) for path in model.info.graphs)
    recogniser = sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"), encoder=encoder, decoder=decoder, joiner=joiner, num_threads=1
    )
    stream = recogniser.create_stream()
    stream.accept_waveform(16000, samples)
    stream.input_finished()
    while recogniser.is_ready(stream):
        recogniser.decode_stream(stream)
    transcriber = Transcriber(Transducer.load(folder), GREEDY, lower=False)
    transcriber.accept(read_audio(DEMO))
    return " ".join(recogniser.get_result(stream).split()), transcriber.finish().text


def test_with_disambiguation_symbols_behind_the_last(bundled: Transducer, tmp_path: Path) -> None:
    theirs, ours = both(bundled, tmp_path, [*bundled.vocabulary.tokens, "#0", "#1"])
    assert ours == theirs
    assert len(ours.split()) > 8


@pytest.mark.parametrize("special", ["<sos/eos>", "<laugh>", "<|en|>", "[noise]"])
def test_special_tokens_are_shown_alike(bundled: Transducer, tmp_path: Path, special: str) -> None:
    tokens = list(bundled.vocabulary.tokens)
    transcriber = Transcriber(bundled, GREEDY)
    transcriber.accept(read_audio(DEMO))
    transcriber.finish()
    tokens[transcriber.tokens[1]] = special
    theirs, ours = both(bundled, tmp_path, tokens)
    assert special in theirs
    assert ours == theirs
