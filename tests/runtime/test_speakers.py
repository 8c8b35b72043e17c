"""Who speaks: what is kept of those who are enrolled, what is refused, and what results say."""

import asyncio
import json
import random

import numpy as np
import pytest
from contract import SMALL_SEARCH, check_contract, random_audio, scripted
from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import Transducer, read_audio
from nearword.models.voice import Voice, VoiceEncoder
from nearword.runtime import Final, Pipeline, Segmenter, Speaker, Speakers, SpeakersError, SpeculativeFinal
from nearword.runtime.recognition.events import from_dict
from nearword.runtime.recognition.speakers import EnrolledSpeakers, read_speakers, voices_of
from toy_models import write_toy_model
from toy_voices import write_voices

RESULTS = (SpeculativeFinal, Final)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return Transducer.load(write_voices(write_toy_model(tmp_path_factory.mktemp("voices") / "toy")))


@pytest.fixture(scope="module")
def encoder(model):
    return VoiceEncoder(model)


def voice(*numbers, seconds=2.0):
    vector = np.asarray(numbers, np.float32)
    return Voice(vector / np.linalg.norm(vector), 0.1, seconds)


ANNA, BEN, CARL = voice(1, 0, 0, 0), voice(0, 1, 0, 0), voice(0, 0, 1, 0)


@pytest.fixture
def enrolled(encoder):
    known = EnrolledSpeakers(encoder.identity)
    known.add("anna", ANNA)
    known.add("ben", BEN)
    return known


def test_the_nearest_of_those_who_are_enrolled_is_told(encoder, enrolled):
    speakers = Speakers(encoder, enrolled)
    assert speakers.names == ("anna", "ben")
    assert speakers.who(voice(1, 0.2, 0, 0)) == Speaker("anna", 0.981)
    assert speakers.who(voice(0.2, 1, 0, 0)).name == "ben"
    assert speakers.scores(BEN) == {"anna": 0.0, "ben": 1.0}


def test_somebody_else_has_a_score_and_no_name(encoder, enrolled):
    assert Speakers(encoder, enrolled).who(CARL) == Speaker(None, 0.0)
    near = voice(1, 0, 1, 0)
    assert Speakers(encoder, enrolled, threshold=0.8).who(near) == Speaker(None, 0.707)
    assert Speakers(encoder, enrolled, threshold=0.7).who(near) == Speaker("anna", 0.707)


def test_where_nobody_is_enrolled_nobody_is_told(encoder):
    assert Speakers(encoder).who(ANNA) is None
    assert Speakers(encoder).scores(ANNA) == {}


def test_long_utterances_count_for_more_than_short_ones(encoder):
    known = EnrolledSpeakers(encoder.identity)
    known.add("anna", voice(1, 0, 0, 0, seconds=9.0))
    known.add("anna", voice(0, 1, 0, 0, seconds=3.0))
    assert known.seconds("anna") == 12
    names, centroids = known.centroids()
    assert names == ("anna",)
    np.testing.assert_allclose(centroids[0], np.asarray([3, 1, 0, 0]) / np.sqrt(10), atol=1e-6)


def test_a_file_gives_back_what_was_saved(encoder, enrolled, tmp_path):
    path = tmp_path / "home.json"
    enrolled.add("anna", voice(1, 2, 3, 4, seconds=1.25))
    enrolled.save(path)
    assert path.stat().st_mode & 0o077 == 0
    again = read_speakers(path, encoder)
    assert list(again.voices) == ["anna", "ben"]
    for (one, seconds), (other, same) in zip(enrolled.voices["anna"], again.voices["anna"], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        assert seconds == same
    np.testing.assert_allclose(enrolled.centroids()[1], again.centroids()[1], atol=1e-5)


def changed(values, *path, to):
    *way, last = path
    inner = values
    for key in way:
        inner = inner[key]
    inner[last] = to
    return values


DAMAGES = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "a list": lambda _: "[1]",
    "another file": lambda _: '{"version": 1}',
    "deep": lambda _: "[" * 100_000,
    "a later version": lambda text: json.dumps(changed(json.loads(text), "version", to=2)),
    "a version that is none": lambda text: json.dumps(changed(json.loads(text), "version", to=True)),
    "another model": lambda text: json.dumps(changed(json.loads(text), "model", to="0123456789abcdef")),
    "no speakers": lambda text: json.dumps(changed(json.loads(text), "speakers", to=[])),
    "a speaker without vectors": lambda text: json.dumps(changed(json.loads(text), "speakers", "anna", to=[])),
    "a short vector": lambda text: json.dumps(changed(json.loads(text), "speakers", "anna", 0, "vector", to=[1.0])),
    "a vector of nothing": lambda text: json.dumps(
        changed(json.loads(text), "speakers", "anna", 0, "vector", to=[0, 0, 0, 0])
    ),
    "words for numbers": lambda text: json.dumps(
        changed(json.loads(text), "speakers", "anna", 0, "vector", to=["a", "b", "c", "d"])
    ),
    "not a number": lambda text: json.dumps(
        changed(json.loads(text), "speakers", "anna", 0, "vector", to=[float("nan"), 1, 0, 0])
    ),
    "no seconds": lambda text: json.dumps(changed(json.loads(text), "speakers", "anna", 0, "seconds", to=None)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(encoder, enrolled, tmp_path, damage):
    path = tmp_path / "home.json"
    enrolled.save(path)
    path.write_text(DAMAGES[damage](path.read_text()))
    with pytest.raises(SpeakersError) as caught:
        read_speakers(path, encoder)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=60)
def test_any_bytes_changed_are_refused_or_read(encoder, tmp_path_factory, seed, count):
    folder = tmp_path_factory.mktemp("any")
    known = EnrolledSpeakers(encoder.identity)
    known.add("anna", ANNA)
    known.save(folder / "home.json")
    data, chance = bytearray((folder / "home.json").read_bytes()), random.Random(seed)
    for _ in range(count):
        data[chance.randrange(len(data))] = chance.randrange(256)
    (folder / "home.json").write_bytes(data)
    try:
        found = read_speakers(folder / "home.json", encoder)
    except SpeakersError:
        return
    assert all(np.isfinite(vector).all() for voices in found.voices.values() for vector, _ in voices)


def listen(model, speakers, seed, **options):
    recognizer = scripted(model, seed, speakers=speakers, **options)
    audio, events, at = random_audio(seed, 5.0), [], 0
    while at < len(audio):
        events += recognizer.accept(audio[at : at + 1777])
        at += 1777
    return [*events, *recognizer.finish()]


@given(st.integers(0, 10**6))
@settings(max_examples=12)
def test_the_contract_holds_and_results_with_words_say_who(model, encoder, seed):
    known = EnrolledSpeakers(encoder.identity)
    known.add("anna", ANNA)
    told = []
    events = listen(model, Speakers(encoder, known, threshold=-1.0, told=told.append), seed)
    check_contract(events)
    finals = [event for event in events if isinstance(event, Final)]
    for event in events:
        if isinstance(event, RESULTS):
            assert (event.speaker is None) == (event.whispered is None)
            assert event.text or event.speaker is None
            assert event.speaker is None or event.speaker.name == "anna"
    assert len(told) == sum(event.speaker is not None for event in finals)


def test_words_and_times_are_as_without(model):
    encoder = VoiceEncoder(model)
    plain, tapped = listen(model, None, 11), listen(model, Speakers(encoder), 11)
    assert any(isinstance(event, RESULTS) for event in plain)
    assert all(event.whispered is None for event in plain if isinstance(event, RESULTS))
    rows = [[event.to_dict(lattice=True) for event in events] for events in (plain, tapped)]
    for row in rows[1]:
        row.pop("whispered", None)
    assert rows[0] == rows[1]


def test_events_survive_json(model):
    known = EnrolledSpeakers(VoiceEncoder(model).identity)
    known.add("anna", ANNA)
    events = listen(model, Speakers(VoiceEncoder(model), known), 11)
    asked = [event for event in events if isinstance(event, RESULTS) and event.speaker is not None]
    assert asked
    for event in asked:
        values = json.loads(event.to_json())
        assert values["speaker"] == {"name": event.speaker.name, "score": event.speaker.score}
        again = from_dict(values)
        assert (again.speaker, again.whispered) == (event.speaker, event.whispered)


def test_a_transcript_has_a_voice_for_each_utterance(model):
    segmenter = Segmenter(model, search=SMALL_SEARCH, speakers=Speakers(VoiceEncoder(model)))
    for at in range(3):
        segmenter.accept(np.random.default_rng(at).normal(0, 0.2, 16000).astype(np.float32))
        segmenter.accept(np.zeros(48000, np.float32))
    segmenter.finish()
    assert segmenter.voices
    assert len(segmenter.voices) == len(segmenter.utterance_texts)
    assert Segmenter(model).voices is None


def test_a_pipeline_reads_the_file(model, enrolled, tmp_path):
    enrolled.save(tmp_path / "home.json")

    async def blocks():
        yield np.random.default_rng(5).normal(0, 0.2, 32000).astype(np.float32)
        yield np.zeros(32000, np.float32)

    async def run():
        async with Pipeline(model, search=SMALL_SEARCH, speakers=tmp_path / "home.json") as pipeline:
            return [event async for event in pipeline.run(blocks()) if isinstance(event, Final)]

    assert any(event.speaker is not None for event in asyncio.run(run()))


def vector_after(bundled, encoder, samples, seconds):
    quiet = np.random.default_rng(0).normal(0, 1e-3, int(seconds * 16000)).astype(np.float32)
    whole = np.concatenate([quiet, samples])
    found = voices_of(bundled, encoder, [whole[at : at + 1600] for at in range(0, len(whole), 1600)])
    return found[-1].vector


def test_a_voice_is_the_same_whenever_it_speaks_and_others_are_others(bundled, speech_folder):
    """Positions go round after a minute, and a stream is silent for longer than that."""
    encoder = VoiceEncoder(bundled)
    folder = speech_folder / "dev" / "speechocean762"
    files = [min(folder.glob(f"{speaker}*")) for speaker in ("00005", "02244")]
    near, far = [], []
    for file in files:
        at_once, later = (vector_after(bundled, encoder, read_audio(file), seconds) for seconds in (0, 40))
        near.append(float(at_once @ later))
        far.append(at_once)
    assert min(near) > 0.75
    assert float(far[0] @ far[1]) < 0.6


def test_silence_around_an_utterance_is_left_out(bundled):
    encoder = VoiceEncoder(bundled)
    samples = read_audio(DEMO)
    around = np.concatenate([np.zeros(8000, np.float32), samples, np.zeros(32000, np.float32)])
    plain, wrapped = (
        voices_of(bundled, encoder, [one[at : at + 1600] for at in range(0, len(one), 1600)])
        for one in (samples, around)
    )
    assert len(plain) == len(wrapped) == 2
    assert all(abs(a.seconds - b.seconds) < 0.5 for a, b in zip(plain, wrapped, strict=True))
    assert all(float(a.vector @ b.vector) > 0.8 for a, b in zip(plain, wrapped, strict=True))
    assert all(voice.whispered < 0.5 for voice in (*plain, *wrapped))
