import numpy as np
from contract import SMALL_SEARCH, random_audio
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import Transducer, read_audio
from nearword.runtime import Recognizer
from nearword.runtime.recognition.events import Final
from nearword.runtime.recognition.formats import cues
from nearword.runtime.recognition.segmenter import SETTINGS, Segmenter
from nearword.runtime.recognition.transcript import Transcript


def transcribe(model: Transducer, samples: np.ndarray, sizes: list[int]) -> Transcript:
    segmenter, start, seen = Segmenter(model, search=SMALL_SEARCH), 0, ""
    for size in [*sizes, len(samples)]:
        news = segmenter.accept(samples[start : start + size])
        assert segmenter.stable_text.startswith(seen), "what was shown stays the beginning"
        assert news or segmenter.stable_text == seen
        seen, start = segmenter.stable_text, start + size
    transcript = segmenter.finish()
    assert transcript.text.startswith(seen)
    assert segmenter.finish() == transcript
    return transcript


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(0, 20000), max_size=6))
def test_the_words_are_those_of_the_finals(toy: Transducer, seed: int, sizes: list[int]) -> None:
    samples = random_audio(seed, 6)
    transcript = transcribe(toy, samples, sizes)
    recognizer = Recognizer(toy, SETTINGS, search=SMALL_SEARCH)
    events = [*recognizer.accept(samples), *recognizer.finish()]
    finals = [event for event in events if isinstance(event, Final) and event.words]
    assert transcript.words == tuple(word for final in finals for word in final.words)
    assert len(transcript.utterances) == len(finals)
    assert transcript.seconds == 6.0
    for first, final in zip(transcript.utterances, finals, strict=True):
        assert transcript.words[first] == final.words[0]


def test_no_subtitle_goes_on_into_the_next_utterance(bundled: Transducer) -> None:
    pause = np.zeros(24000, np.float32)
    demo = read_audio(DEMO)
    transcript = transcribe(bundled, np.concatenate([demo, pause, demo, pause]), [])
    assert len(transcript.utterances) >= 2
    starts = [start for start, _, _ in cues(transcript.words, transcript.utterances)]
    assert {transcript.words[first].start for first in transcript.utterances} <= set(starts)
