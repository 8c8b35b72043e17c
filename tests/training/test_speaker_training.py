"""The recipe of the speaker vector: who trains it, what it hears, and that the graph gives what was trained."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
pytest.importorskip("pyworld", reason="needs the extra nearword[train]")

from demo import DEMO
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.models import AudioError, ModelFileError, Transducer, read_audio
from nearword.models.training.augment import FLOOR
from nearword.models.training.equal_error import equal_error_rate
from nearword.models.training.speaker import Batches, HeadConfig, HeadTraining, SpeakerHead, train, vectors_of
from nearword.models.training.speaker_data import EarlyLayers, Take, VoiceCorpus, cache_tap, encode_voices, plan
from nearword.models.training.speaker_export import export_head
from nearword.models.training.speaker_sets import Utterance, read_utterances, some_of_each, split_of
from nearword.models.training.speaker_trials import centre_and_threshold, trials
from nearword.models.training.voices import another_voice, world
from nearword.models.training.whispers import whispered
from nearword.models.voice import VoiceEncoder

NOISE = np.random.default_rng(0).normal(-8, 1, (3000, 80)).astype(np.float32)


def utterance(speaker, seconds=3.0, path=DEMO):
    return Utterance(path, speaker, speaker.partition("/")[0], seconds, "tell my brother")


def test_every_speaker_is_in_one_split_and_always_in_the_same():
    names = [f"{corpus}/{number}" for corpus in ("wuw", "librispeech_voices") for number in range(400)]
    splits = {name: split_of(name) for name in names}
    assert splits == {name: split_of(name) for name in reversed(names)}
    shares = [list(splits.values()).count(split) / len(names) for split in ("test", "validation", "train")]
    np.testing.assert_allclose(shares, [0.2, 0.1, 0.7], atol=0.05)
    assert {split_of(f"kathleen/{number}") for number in range(100)} == {"train"}


def test_manifests_without_speakers_give_none(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "wuw.tsv").write_text(
        "path\tseconds\tspeaker\ttext\na.opus\t1.5\t7\thello\nb.opus\t2\t\tno\n"
    )
    (tmp_path / "train" / "kathleen.tsv").write_text("path\tseconds\ttext\nc.opus\t1.5\thello\n")
    assert read_utterances(tmp_path) == [Utterance(tmp_path / "a.opus", "wuw/7", "wuw", 1.5, "hello")]


def test_nobody_who_reads_for_long_is_heard_for_long():
    read = [utterance("a/1", 4.0)] * 10 + [utterance("a/2", 3.0)] * 2
    assert [one.speaker for one in some_of_each(read, 9.0)] == ["a/1"] * 3 + ["a/2"] * 2


def test_another_speed_or_voice_is_another_speaker_and_order_is_of_chance():
    takes = plan([utterance(f"a/{number}") for number in range(5)])
    assert {take.kind for take in takes} == {"plain", "slow", "fast", "bent", "whispered"}
    assert len({take.speaker for take in takes}) == 25
    assert {take.speaker for take in takes if take.kind == "plain"} == {f"a/{number}" for number in range(5)}


def voiced_share(samples):
    pitch, _ = world().dio(samples.astype(np.float64), 16000)
    return float(np.mean(pitch > 0))


@pytest.mark.parametrize("seed", range(6))
def test_a_whisper_has_no_pitch_and_keeps_its_length_about(seed):
    samples = read_audio(DEMO)[: 3 * 16000]
    spoken = whispered(samples, np.random.default_rng(seed))
    assert spoken.dtype == np.float32
    assert 0.8 < len(spoken) / len(samples) < 1.4
    assert 0 < np.abs(spoken).max() <= np.abs(samples).max() + 1e-6
    assert voiced_share(spoken) < 0.3 * voiced_share(samples)


def test_early_layers_give_what_the_whole_encoder_keeps(bundled):
    features = np.random.default_rng(0).normal(-5, 2, (200, 80)).astype(np.float32)
    for layers in ((0,), (1, 0)):
        tap = cache_tap(bundled, layers)
        assert bundled.encoder.fits(tap)
        heard = EarlyLayers(bundled, tap).hear(features)
        stream, shift = bundled.encoder_stream(tap=tap), bundled.info.chunk_shift
        padded = np.concatenate([features, np.full((100, 80), FLOOR, np.float32)])
        rows = [stream.run(padded[k * shift :][: bundled.info.chunk_frames]).voice for k in range(-(-200 // shift))]
        np.testing.assert_array_equal(heard, np.concatenate(rows).astype(np.float16))
        assert heard.shape[1] == 384 * len(layers)


def test_early_layers_begin_where_they_are_told(bundled):
    features = np.random.default_rng(0).normal(-5, 2, (64, 80)).astype(np.float32)
    tap, shift, frames = cache_tap(bundled, (0,)), bundled.info.chunk_shift, bundled.info.chunk_frames
    stream = bundled.encoder_stream(tap=tap)
    for _ in range(3):
        stream.run(np.full((frames, 80), -9.0, np.float32))
    padded = np.concatenate([features, np.full((10, 80), FLOOR, np.float32)])
    rows = [stream.run(padded[k * shift :][:frames]).voice for k in range(2)]
    heard = EarlyLayers(bundled, tap).hear(features, before=3 * shift // 2)
    np.testing.assert_array_equal(heard, np.concatenate(rows).astype(np.float16))
    assert np.abs(heard - EarlyLayers(bundled, tap).hear(features)).max() > 0.1


def test_an_encoder_that_keeps_no_keys_is_refused(toy):
    with pytest.raises(ModelFileError, match="keeps no keys and values"):
        cache_tap(toy, (0,))


def test_encoding_goes_on_where_it_was_broken_off(bundled, tmp_path):
    takes = [Take(utterance(f"a/{number}"), kind) for number in range(2) for kind in ("plain", "fast", "whispered")]
    tap = cache_tap(bundled, (0,))
    encode_voices(takes, NOISE, bundled, tap, tmp_path / "whole")
    encode_voices(takes[:4], NOISE, bundled, tap, tmp_path / "parts")
    index = tmp_path / "parts" / "index.jsonl"
    index.write_text(index.read_text()[:-30])  # cut off in the middle of a line
    encode_voices(takes, NOISE, bundled, tap, tmp_path / "parts")
    for name in ("heard.f16", "index.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    corpus = VoiceCorpus(tmp_path / "whole", 384)
    assert set(corpus.by_speaker) == {"a/0", "a/1", "a/0@fast", "a/1@fast"}
    assert corpus.whispers
    ends = [piece.offset + piece.frames for piece in corpus.whispers]
    assert max(ends) <= len(corpus.heard)


def write_corpus(folder, speakers=12, width=8, seed=0):
    """Voices that differ in the mean of the last four numbers, channels in that of the others; whispers in spread."""
    rng, rows, offset = np.random.default_rng(seed), [], 0
    folder.mkdir()
    with (folder / "index.jsonl").open("w") as index:
        for number in range(speakers):
            voice = np.concatenate([np.zeros(width - 4), rng.normal(0, 2, 4)])
            for take in range(6):
                kind = "whispered" if take == 5 else "plain"
                spread = 3.0 if kind == "whispered" else 0.7
                for _ in range(2):
                    channel = np.concatenate([rng.normal(0, 1.5, width - 4), np.zeros(4)])
                    rows.append(rng.normal(voice + channel, spread, (60, width)))
                row = {"number": offset, "offset": offset, "frames": 120, "pieces": [60, 60]}
                index.write(json.dumps({**row, "speaker": f"a/{number}", "corpus": "a", "kind": kind}) + "\n")
                offset += 120
    np.concatenate(rows).astype(np.float16).tofile(folder / "heard.f16")
    return VoiceCorpus(folder, width)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    head = SpeakerHead(HeadConfig(layers=(0,), width=8, hidden=16, bottleneck=8, size=12))
    options = HeadTraining(updates=200, rows=24, whispers=6, peak_rate=1e-2)
    torch.set_num_threads(1)
    train(head, Batches([write_corpus(folder / "voices", speakers=40)], options), options, folder)
    return head, folder


def test_training_tells_apart_speakers_it_has_not_heard(trained, tmp_path):
    head, folder = trained
    others = write_corpus(tmp_path / "others", seed=1)
    untrained = SpeakerHead(head.config).eval()
    before, after = (equal_error_rate(*trials(vectors_of(each, others))) for each in (untrained, head))
    assert after < 0.15
    assert after < 0.6 * before
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["whisper"] < 0.3
    with torch.inference_mode():
        odds = [
            float(head(torch.from_numpy(others.heard[p.offset :][: p.frames].astype(np.float32))[None],
                       torch.tensor([p.frames]))[1])
            for p in [*others.whispers, *others.by_speaker["a/1"]]
        ]  # fmt: skip
    whispers = len(others.whispers)
    assert np.mean(np.asarray(odds[:whispers]) > 0) > 0.9
    assert max(odds[whispers:]) < 0


def test_a_batch_is_always_the_same(tmp_path):
    options = HeadTraining(rows=8, whispers=2)
    one, other = (Batches([write_corpus(tmp_path / name)], options).draw(7) for name in "ab")
    for left, right in zip(one, other, strict=True):
        assert torch.equal(left, right)
    assert one.whispered.tolist() == [0] * 8 + [1] * 2


def test_padding_changes_nothing(trained):
    head, _ = trained
    x = torch.randn(1, 40, 8)
    padded = torch.cat([x, 9 * torch.ones(1, 25, 8)], 1)
    with torch.inference_mode():
        for plain, same in zip(head(x, torch.tensor([40])), head(padded, torch.tensor([40])), strict=True):
            torch.testing.assert_close(plain, same, atol=1e-5, rtol=1e-5)


def test_the_graph_gives_what_was_trained(bundled, trained, tmp_path):
    torch.manual_seed(3)
    head = SpeakerHead(HeadConfig(layers=(0,), hidden=24, bottleneck=8, size=16))
    for norm in (head.norm, head.frame_norm, head.pooled_norm):
        torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
        torch.nn.init.normal_(norm.running_mean)
    head.eval()
    for file in bundled.info.folder.iterdir():
        if file.suffix in (".onnx", ".txt") and file.name != "speaker.onnx":
            (tmp_path / file.name).symlink_to(file)
    export_head(head, cache_tap(bundled, (0,)), 0.25, tmp_path)
    encoder = VoiceEncoder(Transducer.load(tmp_path))
    assert encoder.threshold == 0.25
    heard = np.random.default_rng(0).normal(0, 1, (70, 384)).astype(np.float32)
    voice = encoder.hear(heard)
    with torch.inference_mode():
        vector, odds = head(torch.from_numpy(heard)[None], torch.tensor([70]))
    wanted = torch.nn.functional.normalize(vector)[0].numpy()
    assert float(voice.vector @ wanted) > 0.9999  # weights lie in float16
    assert voice.whispered == pytest.approx(float(torch.sigmoid(odds)), abs=0.01)


def errors_at_each_threshold(same, different):
    found = []
    for threshold in sorted({*same, *different, max(*same, *different) + 1}):
        refused, taken = np.mean(np.asarray(same) < threshold), np.mean(np.asarray(different) >= threshold)
        found.append((abs(refused - taken), (refused + taken) / 2))
    return min(found)


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=30, unique=True),
    st.lists(st.integers(51, 150), min_size=1, max_size=30, unique=True),
    st.integers(0, 100),
)
@settings(max_examples=100)
def test_the_equal_error_rate_is_that_of_the_best_threshold(low, high, mixed):
    scores = np.random.default_rng(mixed).permutation(np.asarray(low + high, float))
    if len(scores) < 2:
        return
    cut = 1 + mixed % (len(scores) - 1)
    same, different = scores[:cut], scores[cut:]
    gap, _ = errors_at_each_threshold(same, different)
    found = equal_error_rate(same, different)
    candidates = {
        round(rate, 9)
        for threshold in [*scores, scores.max() + 1]
        for refused, taken in [(np.mean(same < threshold), np.mean(different >= threshold))]
        for rate in [(refused + taken) / 2]
        if abs(refused - taken) <= gap + 1e-9 or threshold == scores.max() + 1
    }
    assert round(found, 9) in candidates


def test_centring_moves_vectors_and_chooses_a_threshold(trained, tmp_path):
    head, _ = trained
    corpus = write_corpus(tmp_path / "kept", seed=2)
    kept = vectors_of(head, corpus)
    threshold, told = centre_and_threshold(head, kept)
    moved = vectors_of(head, corpus)
    mean = torch.stack([rows.mean(0) for rows in moved.values()]).mean(0)
    assert float(mean.norm()) < 1e-3
    _, different = trials(moved)
    assert np.mean(different > threshold) == pytest.approx(0.01, abs=0.005)
    assert "12 speakers kept for validation" in told


def test_a_speaker_is_bent_in_the_same_way_every_time():
    samples = read_audio(DEMO)[:32000]
    one, other = (another_voice(samples, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_recording_that_is_no_audio_is_named(bundled, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match=r"a\.wav"):
        encode_voices(
            [Take(utterance("a/1", path=tmp_path / "a.wav"), "plain")],
            NOISE,
            bundled,
            cache_tap(bundled, (0,)),
            tmp_path,
        )
