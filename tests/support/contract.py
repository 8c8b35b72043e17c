"""What holds of every stream of events, and end-pointers that do as a script says."""

import random
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from nearword.endpointing import EndReason, Evidence
from nearword.lattice import DeterminizeSettings
from nearword.models import Transducer
from nearword.runtime import BeamSettings, SearchOptions
from nearword.runtime.recognition.events import AudioLost, Event, Final, Partial, Reset, SpeculativeFinal, SpeechStarted
from nearword.runtime.recognition.hypothesis import PARTIAL_SECONDS
from nearword.runtime.recognition.recognizer import Recognizer

SMALL_SEARCH = SearchOptions(BeamSettings(max_active=3), lattice=DeterminizeSettings(beam=2.0, max_arcs=40))
"""Random weights say everything at once; of that, a little will do."""

STREAMS = {
    "seed": st.integers(0, 10**6),
    "length": st.integers(0, 90000),
    "speculative": st.sampled_from((0.0, 0.05, 0.5)),
    "final": st.sampled_from((0.0, 0.01, 0.1)),
}
"""Hypothesis: so many samples, and how often each end-pointer of a script fires."""


def check_contract(events: Sequence[Event], *, ended: bool = True) -> None:
    """Assert the contract; ``ended`` says that the stream came to its end and was not broken off."""
    time, utterance, revision = 0.0, 1, 0
    started, standing, settled, shown_at = False, None, [], -1.0
    for event in events:
        assert event.time >= time, "times never go back"
        assert event.utterance == utterance, "utterances count up, one after the other"
        assert event.revision >= revision
        time, revision = event.time, event.revision
        if isinstance(event, AudioLost):
            continue
        assert started != isinstance(event, SpeechStarted), "first SpeechStarted, and only once"
        started = True
        assert standing is None or isinstance(event, Reset | Final), "a speculation stands until Reset or Final"
        if isinstance(event, Reset):
            assert standing is not None, "no Reset without SpeculativeFinal"
            assert event.revision == standing.revision
            standing = None
        if isinstance(event, Partial | SpeculativeFinal | Final):
            assert event.text == " ".join(word.text for word in event.words)
            assert [word.text for word in event.words[: len(settled)]] == settled, "a stable word never changes"
            assert all(word.start <= word.end <= event.time + 1e-3 for word in event.words)
        if isinstance(event, Partial):
            assert event.time - shown_at >= PARTIAL_SECONDS - 1e-6
            assert len(settled) <= event.stable <= len(event.words)
            settled, shown_at = [word.text for word in event.words[: event.stable]], event.time
        if isinstance(event, SpeculativeFinal):
            assert event.text
            standing = event
        if isinstance(event, Final):
            if standing is None:
                assert event.confirms is None
            else:
                assert event.confirms == standing.revision, "Reset comes before a Final that does not confirm"
                assert event.text == standing.text
                assert event.command == standing.command, "a Final has the understanding of what it confirms"
                assert event.understanding == standing.understanding, "of a grammar and of a model"
                voice = standing.speaker, standing.whispered
                assert (event.speaker, event.whispered) == voice, "and it is by whoever said that"
            started, standing, settled, shown_at = False, None, [], -1.0
            utterance, revision = utterance + 1, 0
    if ended:
        assert not started, "every SpeechStarted has its Final"


class ScriptedVad:
    """Speech and silence by chance, in runs."""

    frame_seconds = 0.02

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._left, self._speech = 0, False

    def accept(self, frame: np.ndarray) -> bool:
        assert frame.dtype == np.float32
        assert len(frame) == 320
        if not self._left:
            self._left, self._speech = self._random.choice((1, 3, 8, 20, 40)), not self._speech
        self._left -= 1
        return self._speech

    def reset(self) -> None:
        self._left = 0


class Always:
    """Voice activity that hears speech always, or never."""

    frame_seconds = 0.02

    def __init__(self, speech: bool) -> None:
        self._speech = speech

    def accept(self, frame: np.ndarray) -> bool:
        return self._speech

    def reset(self) -> None:
        pass


class ScriptedSpeculative:
    """Fires by chance."""

    def __init__(self, seed: int, chance: float) -> None:
        self._random, self._chance = random.Random(seed), chance

    def update(self, evidence: Evidence) -> bool:
        check_evidence(evidence)
        return self._random.random() < self._chance

    def reset(self) -> None:
        pass


class ScriptedFinal(ScriptedSpeculative):
    """Ends by chance, for any reason."""

    def update(self, evidence: Evidence) -> EndReason | None:
        check_evidence(evidence)
        return self._random.choice(list(EndReason)) if self._random.random() < self._chance else None


class EndEvery:
    """Ends after so many looks."""

    def __init__(self, looks: int, reason: EndReason) -> None:
        self._looks, self._reason, self._count = looks, reason, 0

    def update(self, evidence: Evidence) -> EndReason | None:
        self._count += 1
        return self._reason if self._count % self._looks == 0 else None

    def reset(self) -> None:
        pass


def check_evidence(evidence: Evidence) -> None:
    assert 0 <= evidence.trailing_silence <= evidence.utterance_seconds <= evidence.time
    assert evidence.trailing_blank >= 0
    assert evidence.stable_for >= 0
    assert 0 <= evidence.blank_probability <= 1.000001
    assert 0 <= evidence.complete <= 1


def scripted(
    model: Transducer,
    seed: int,
    *,
    speculative: float = 0.1,
    final: float = 0.02,
    search: SearchOptions = SMALL_SEARCH,
    **options: object,
) -> Recognizer:
    """A recogniser whose voice activity and end-pointers do anything."""
    return Recognizer(
        model,
        **options,
        search=search,
        vad=ScriptedVad(seed),
        speculative=ScriptedSpeculative(seed + 1, speculative),
        final=ScriptedFinal(seed + 2, final),
    )


def random_audio(seed: int, seconds: float) -> np.ndarray:
    """Loud and quiet stretches; on random weights the loud ones give words."""
    generator = np.random.default_rng(seed)
    samples = generator.normal(0, 0.2, int(seconds * 16000)).astype(np.float32)
    start = 0
    while start < len(samples):
        length = int(generator.integers(800, 16000))
        samples[start : start + length] *= generator.choice((0.0, 0.01, 1.0))
        start += length
    return samples
