"""The recipe of following one speaker: what scenes hold, what is learnt of them, and that the graph gives that."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
onnx = pytest.importorskip("onnx", reason="needs the extra nearword[train]")

import soundfile
from nearword.models import ModelFileError, Transducer
from nearword.models.anchor import AnchorGraph
from nearword.models.training.anchor import (
    EARLY,
    AnchorConfig,
    AnchorNetwork,
    AnchorTraining,
    SceneCorpus,
    encode_scenes,
    judged,
    load_network,
    make_batch,
    save_network,
    train,
)
from nearword.models.training.anchor_export import blank_frame, export_network
from nearword.models.training.anchor_scenes import FRAME, Scenes, power, requests, speaking
from nearword.models.training.equal_error import equal_error_rate
from nearword.models.training.speaker_data import cache_tap
from nearword.models.training.speaker_sets import Utterance

RATE = 16000
SMALL = AnchorConfig(width=8, pooled=16, bottleneck=8, size=8, level=4, hidden=16, last=8)


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """Four speakers, each a tone of its own that comes and goes; two recordings of each, and one of noise."""
    folder = tmp_path_factory.mktemp("voices")
    rng, found = np.random.default_rng(0), []
    for number in range(4):
        for take, seconds in enumerate((1.0, 2.5)):
            at = np.arange(int(seconds * RATE)) / RATE
            tone = 0.3 * np.sin(2 * np.pi * 200 * 1.5**number * at) * (np.sin(2 * np.pi * 3 * at) > -0.5)
            path = folder / f"{number}{take}.wav"
            soundfile.write(path, tone + rng.normal(0, 1e-4, len(at)), RATE)
            found.append(Utterance(path, f"a/{number}", "a", seconds, "hey" if take == 0 else "turn it on"))
    soundfile.write(folder / "noise.wav", rng.normal(0, 0.1, 5 * RATE), RATE)
    return found, [folder / "noise.wav"]


def scene_of(voices, ratios, seed=3):
    found, noises = voices
    return Scenes(found, noises).make(found[1], found[0], np.random.default_rng(seed), ratios)


def test_a_request_is_of_more_than_a_word(voices):
    assert [one.path.name for one in requests(voices[0])] == ["01.wav", "11.wav", "21.wav", "31.wav"]
    assert Scenes(*voices).leads == ["a/0", "a/1", "a/2", "a/3"]


@pytest.mark.parametrize("seed", range(5))
def test_a_scene_says_when_whom_to_follow_speaks(voices, seed):
    scene = scene_of(voices, None, seed)
    assert scene.samples.dtype == np.float32
    assert np.abs(scene.samples).max() < 1.1
    assert len(scene.speaks) == len(scene.samples) // FRAME
    times = np.flatnonzero(scene.speaks) * FRAME / RATE
    (begin, end), (first, last) = scene.anchor, scene.request
    assert begin < end < first < last < len(scene.samples) / RATE
    inside = ((times > begin - 0.05) & (times < end)) | ((times > first - 0.05) & (times < last))
    assert inside.all()
    assert scene.speaks.mean() > 0.2


@pytest.mark.parametrize("ratio", [0.0, 10.0])
def test_others_are_as_loud_as_is_asked_for(voices, ratio):
    measured = []
    for seed in range(8):
        scene = scene_of(voices, (ratio, ratio), seed)
        pitches = np.abs(np.fft.rfft(scene.samples[: 1 << 16], 1 << 17)) ** 2
        frequencies = np.fft.rfftfreq(1 << 17, 1 / RATE)
        own = pitches[np.abs(frequencies - 200) < 15].sum()
        others = sum(pitches[np.abs(frequencies - 200 * 1.5**k) < 15].sum() for k in range(1, 4))
        measured.append(10 * np.log10(own / others))
    # rooms, pauses and where others speak make it vary around
    assert abs(np.median(measured) - ratio) < 8
    assert np.median(measured) > ratio - 5


def test_the_same_draw_is_the_same_scene(voices):
    one, other = (Scenes(*voices).draw(np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one.samples, other.samples)
    assert one.anchor == other.anchor


def test_power_leaves_silence_out():
    tone = np.sin(np.arange(RATE) / 5).astype(np.float32)
    padded = np.concatenate([np.zeros(RATE, np.float32), tone])
    assert power(padded) == pytest.approx(power(tone), rel=0.05)
    assert speaking(padded).sum() == len(tone) // FRAME


def test_encoding_scenes_goes_on_where_it_was_broken_off(voices, bundled, tmp_path):
    scenes, tap = Scenes(*voices), cache_tap(bundled, (0,))
    encode_scenes(scenes, 3, bundled, tap, tmp_path / "whole", seed=2)
    encode_scenes(scenes, 2, bundled, tap, tmp_path / "parts", seed=2)
    index = tmp_path / "parts" / "index.jsonl"
    index.write_text(index.read_text()[:-20])  # cut off in the middle of a line
    encode_scenes(scenes, 3, bundled, tap, tmp_path / "parts", seed=2)
    for name in ("heard.f16", "index.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    corpus = SceneCorpus([tmp_path / "whole"], 384)
    assert len(corpus.rows) == 3
    for frames, (begin, end), speaks in corpus.rows:
        assert frames.shape == (len(speaks), 384)
        assert 0 < begin < end < len(frames)
        assert speaks[begin:end].mean() > 0.3


def write_scenes(folder, count, seed, width=8):
    """Scenes of voices that are directions in which frames lie."""
    rng, rows, offset = np.random.default_rng(seed), [], 0
    folder.mkdir()
    with (folder / "index.jsonl").open("w") as index:
        for _ in range(count):
            voice, other = rng.normal(0, 1, (2, width))
            speaks = np.repeat(rng.random(12) < 0.5, 10)
            speaks[:20] = True
            frames = np.where(speaks[:, None], voice, other) + rng.normal(0, 0.4, (120, width))
            rows.append(frames)
            row = {"offset": offset, "frames": 120, "anchor": [2, 18], "speaks": "".join("01"[int(x)] for x in speaks)}
            index.write(json.dumps(row) + "\n")
            offset += 120
    np.concatenate(rows).astype(np.float16).tofile(folder / "heard.f16")
    return SceneCorpus([folder], width)


def test_training_finds_who_speaks_among_voices_it_has_not_heard(tmp_path):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = AnchorNetwork(SMALL)
    corpus, kept = write_scenes(tmp_path / "scenes", 200, 1), write_scenes(tmp_path / "kept", 30, 2)

    def rate():
        odds, truth = (values.double().numpy() for values in judged(network, kept))
        return equal_error_rate(odds[truth > 0], odds[truth == 0])

    before = rate()
    options = AnchorTraining(updates=150, rows=16, peak_rate=5e-3, every=50)
    train(network, corpus, kept, options, tmp_path)
    assert rate() < min(0.2, 0.7 * before)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["update"] for row in rows] == [50, 100, 150]
    save_network(network, tmp_path / "anchor.pt")
    again = load_network(tmp_path / "anchor.pt")
    for name, value in network.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])


def test_only_frames_after_the_wake_word_count_and_the_first_sound_comes_early(tmp_path):
    corpus = write_scenes(tmp_path / "scenes", 4, 5)
    batch = make_batch(corpus, range(4), SMALL)
    first = SMALL.context - SMALL.ahead
    for row, (_, (_, end), speaks) in enumerate(corpus.rows):
        counts = batch.counts[row].numpy()
        assert counts[: max(0, end - first)].sum() == 0
        assert (counts[max(0, end - first) :] == 1).all()
        wanted = [speaks[k : k + EARLY + 1].max() for k in range(first, len(speaks) - SMALL.ahead)]
        np.testing.assert_array_equal(batch.speaks[row].numpy(), wanted)


def test_a_longer_scene_beside_it_changes_nothing():
    torch.manual_seed(1)
    network = AnchorNetwork(SMALL).eval()
    heard, anchor = torch.randn(1, 60, 8), torch.randn(1, 12, 8)
    padded = torch.cat([anchor, torch.full((1, 9, 8), 5.0)], 1)
    with torch.inference_mode():
        plain = network(heard, anchor, torch.tensor([12]))
        torch.testing.assert_close(plain, network(heard, padded, torch.tensor([12])), atol=1e-5, rtol=1e-5)
        assert plain.shape == (1, 60 - SMALL.context)


def test_the_graph_gives_what_was_trained(bundled, tmp_path):
    torch.manual_seed(3)
    network = AnchorNetwork(AnchorConfig())
    network.start_from(onnx.load(str(bundled.info.folder / "speaker.onnx")))
    network.mean.normal_()
    network.deviation.uniform_(0.5, 2)
    network.eval()
    for file in bundled.info.folder.iterdir():
        if file.suffix in (".onnx", ".txt") and file.name != "anchor.onnx":
            (tmp_path / file.name).symlink_to(file)
    export_network(network, bundled, cache_tap(bundled, (0,)), tmp_path)
    graph = AnchorGraph(Transducer.load(tmp_path))
    rng = np.random.default_rng(0)
    heard, anchor = (rng.normal(0, 1, (frames, 384)).astype(np.float32) for frames in (90, 21))
    found = graph.odds(heard, anchor)
    with torch.inference_mode():
        wanted = network(torch.from_numpy(heard)[None], torch.from_numpy(anchor)[None], torch.tensor([21]))[0]
    np.testing.assert_allclose(found, wanted.numpy(), atol=0.02, rtol=0.02)  # weights lie in float16
    config = network.config
    assert (graph.ahead, graph.back) == (config.ahead, config.context - config.ahead)


def test_where_the_frame_of_nothing_stands_no_token_is_expected(bundled):
    frame, blank = blank_frame(bundled), bundled.vocabulary.blank_id
    for context in ((-1, blank), (5, 9), (40, 200), (255, 3)):
        logits = bundled.join(frame[None], bundled.predict(context))[0]
        assert np.exp(logits[blank] - np.logaddexp.reduce(logits)) > 0.99


def test_a_joiner_that_is_not_the_recipes_is_refused(toy):
    with pytest.raises(ModelFileError, match=r"joiner\.onnx: (is no joiner of the recipe|expects the blank)"):
        blank_frame(toy)
