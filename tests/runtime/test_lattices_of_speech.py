"""What a stream's lattices hold, and that they depend on the audio alone."""

import numpy as np
import pytest
from contract import SMALL_SEARCH, random_audio
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.lattice import encode
from nearword.models import Transducer, read_audio
from nearword.runtime import Final, Recognizer, SearchOptions, SpeculativeFinal, Transcriber


def lattices(model: Transducer, samples: np.ndarray, sizes: list[int], search: SearchOptions) -> list[bytes]:
    """The lattices of all events, encoded."""
    recognizer, start, events = Recognizer(model, search=search), 0, []
    for size in [*sizes, len(samples)]:
        events += recognizer.accept(samples[start : start + size])
        start += size
    events += recognizer.finish()
    found = [event.lattice for event in events if isinstance(event, Final | SpeculativeFinal)]
    return [encode(lattice) for lattice in found if lattice is not None]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), sizes=st.lists(st.integers(0, 20000), max_size=6))
def test_any_chunking_gives_the_same_lattices_byte_for_byte(toy: Transducer, seed: int, sizes: list[int]) -> None:
    samples = random_audio(seed, 4)
    assert lattices(toy, samples, sizes, SMALL_SEARCH) == lattices(toy, samples, [], SMALL_SEARCH)


@pytest.mark.parametrize("size", [160, 1001, 3200, 16000])
def test_any_chunking_of_speech_gives_the_same_lattices_byte_for_byte(bundled: Transducer, size: int) -> None:
    samples, search = read_audio(DEMO), SearchOptions()
    whole = lattices(bundled, samples, [], search)
    assert whole
    assert all(whole)
    assert lattices(bundled, samples, [size] * (len(samples) // size), search) == whole


@pytest.mark.parametrize("size", [401, 4800])
def test_the_whole_recording_as_one_utterance_has_one_lattice(bundled: Transducer, size: int) -> None:
    samples, found = read_audio(DEMO), []
    for step in (size, len(samples)):
        transcriber = Transcriber(bundled)
        for start in range(0, len(samples), step):
            transcriber.accept(samples[start : start + step])
        transcript = transcriber.finish()
        lattice = transcriber.lattice()
        assert lattice.find(transcript.text.split()) is not None
        found.append(encode(lattice))
    assert found[0] == found[1]


def test_lattices_hold_more_than_the_words_and_their_times_lie_in_the_audio(bundled: Transducer) -> None:
    recognizer = Recognizer(bundled)
    samples = read_audio(DEMO)
    finals = [event for event in [*recognizer.accept(samples), *recognizer.finish()] if isinstance(event, Final)]
    # a sentence that the language model knows may be certain, all of them are not
    assert sum(final.lattice.num_arcs for final in finals if final.lattice) > sum(len(final.words) for final in finals)
    for final in (final for final in finals if final.words):
        assert final.lattice is not None
        path = final.lattice.find(final.text.split())
        assert path is not None
        assert final.lattice.start[path].tolist() == pytest.approx([word.start for word in final.words], abs=0.2)
        assert final.lattice.start.min() >= 0
        assert final.lattice.end.max() <= len(samples) / 16000
