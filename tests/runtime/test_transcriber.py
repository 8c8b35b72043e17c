import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from demo import DEMO, DEMO_TEXT
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import FeatureExtractor, Transducer, read_audio
from nearword.models.encoder import Encoded
from nearword.runtime import Session, Transcriber, load_model, transcribe_file
from nearword.runtime.recognition.decode_loop import STEPS_AT_ONCE, DecodeLoop
from nearword.runtime.recognition.encoder_stream import AudioEncoder
from nearword.runtime.search import GREEDY


def transcribe(model: Transducer, samples: np.ndarray, sizes: list[int]) -> Transcriber:
    transcriber, start = Transcriber(model), 0
    for size in sizes:
        transcriber.accept(samples[start : start + size])
        start += size
    transcriber.accept(samples[start:])
    transcriber.finish()
    return transcriber


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 9000), max_size=10))
def test_any_chunking_gives_the_same_transcript(toy: Transducer, sizes: list[int]) -> None:
    samples = np.random.default_rng(5).normal(0, 0.2, 32000).astype(np.float32)
    whole = transcribe(toy, samples, []).finish()
    assert whole.words
    assert transcribe(toy, samples, sizes).finish() == whole


def test_greedy_partials_grow_and_end_as_the_transcript(toy: Transducer, noise: np.ndarray) -> None:
    transcriber, seen = Transcriber(toy, GREEDY), [""]
    for start in range(0, len(noise), 800):
        news = transcriber.accept(noise[start : start + 800])
        text = transcriber.partial.text
        assert text.startswith(seen[-1])
        assert news or text == seen[-1]
        seen.append(text)
    assert transcriber.finish().text.startswith(seen[-1])
    assert len(set(seen)) > 5


def test_times_lie_in_the_audio_and_in_order(toy: Transducer, noise: np.ndarray) -> None:
    transcript = transcribe(toy, noise, []).finish()
    assert transcript.seconds == 3.0
    assert transcript.text == " ".join(word.text for word in transcript.words)
    for word in transcript.words:
        assert 0 <= word.start <= word.end <= 3.0
        assert 0 < word.confidence <= 1
    starts = [word.start for word in transcript.words]
    assert starts == sorted(starts)
    assert all(token.log_probability <= 0 for token in transcript.tokens)


def test_nothing_more_is_taken_after_the_end(toy: Transducer) -> None:
    transcriber = Transcriber(toy)
    assert transcriber.finish() == transcriber.finish()
    with pytest.raises(RuntimeError, match="finished"):
        transcriber.accept(np.zeros(10, np.float32))


def test_no_audio_gives_no_words(bundled: Transducer) -> None:
    transcript = Transcriber(bundled).finish()
    assert (transcript.text, transcript.words, transcript.seconds) == ("", (), 0.0)


def test_the_shipped_recording_comes_out_right(bundled: Transducer) -> None:
    transcript = transcribe_file(bundled, DEMO)
    assert transcript.text == DEMO_TEXT
    # two sentences with a pause of 0.8 s between them: no word lies in it
    starts = [word.start for word in transcript.words]
    assert transcript.words[0].start < 1.0
    assert max(b - a for a, b in itertools.pairwise(starts)) > 0.8


def test_real_commands_come_out_as_words(bundled: Transducer, speech_folder: Path) -> None:
    """Not an accuracy test (``nearword evaluate`` is): on real recordings the commonest opening must be there."""
    paths = sorted((speech_folder / "dev" / "barista").glob("*.flac"))[:20]
    texts = [transcribe_file(bundled, path).text for path in paths]
    assert all(texts)
    words = [word for text in texts for word in text.split()]
    assert (
        sum(
            word in {"get", "me", "can", "i", "have", "make", "want", "a", "an", "with", "of", "like", "milk"}
            for word in words
        )
        > 40
    )


@pytest.mark.parametrize("kind", ["silence", "hum", "white noise"])
def test_no_words_without_speech(bundled: Transducer, kind: str) -> None:
    t = np.arange(20 * 16000) / 16000
    rng = np.random.default_rng(0)
    samples = {
        "silence": np.zeros_like(t),
        "hum": 0.05 * np.sin(2 * np.pi * 50 * t),
        "white noise": rng.normal(0, 0.01, len(t)),
    }[kind]
    transcriber = Transcriber(bundled)
    transcriber.accept(samples.astype(np.float32))
    assert transcriber.finish().text == ""


def test_ten_samples_and_one_sample(bundled: Transducer) -> None:
    for count in (1, 10, 159, 161):
        transcriber = Transcriber(bundled)
        transcriber.accept(np.zeros(count, np.float32))
        assert transcriber.finish().text == ""


def test_load_model_takes_names_folders_and_models(bundled: Transducer, toy_folder: Path) -> None:
    assert load_model(bundled) is bundled
    assert load_model(toy_folder).info.name == "toy"
    assert load_model().info.name == "assistant-en"
    assert bundled.info.size_bytes <= 10_000_000
    assert bundled.info.chunk_shift * 10 <= 320
    assert 0.15 < bundled.info.look_ahead_seconds <= 0.2


def test_long_audio_is_searched_while_it_is_encoded(toy: Transducer) -> None:
    loop, given = DecodeLoop(Session(toy, GREEDY)), 0
    ahead: list[int] = []

    class Watch:
        """Counts how many steps are encoded that no search has heard."""

        def advance(self, step: Encoded) -> None:
            del step
            ahead.append(given - len(ahead))

    def steps() -> Iterator[Encoded]:
        nonlocal given
        for step in loop.encoder.accept(np.random.default_rng(5).normal(0, 0.2, 64000).astype(np.float32)):
            given += 1
            yield step

    loop.follow(Watch())
    assert loop.decode(steps())
    assert len(ahead) == given > 3 * STEPS_AT_ONCE
    assert max(ahead) == STEPS_AT_ONCE
    assert not loop.decode(iter(()))


def test_a_step_comes_with_the_block_that_completes_it(bundled: Transducer) -> None:
    audio = read_audio(DEMO)
    encoder, extractor, info, steps = AudioEncoder(bundled), FeatureExtractor(), bundled.info, 0
    for start in range(0, len(audio) // 320 * 320, 320):
        extractor.accept(audio[start : start + 320])
        steps += len(list(encoder.accept(audio[start : start + 320])))
        ready = extractor.frames_ready + bundled.encoder.lead_frames
        assert steps == max(0, (ready - info.chunk_frames) // info.chunk_shift + 1)
    assert steps > 10
