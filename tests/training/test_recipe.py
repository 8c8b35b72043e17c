"""The recipe on a small scale: loss against brute force, graphs against the network, a run from end to end."""

import csv
import itertools
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra nearword[train]")
pytest.importorskip("onnx")

from nearword.models import NearwordError, Transducer, read_audio
from nearword.models.training.ablation import AMOUNTS, SCRATCH, SHAPES, Variant, ablate, dev_loss, reshaped, table
from nearword.models.training.augment import AugmentConfig, add_noise, change_tempo, distort
from nearword.models.training.dataset import Batch, Batches, Corpus
from nearword.models.training.decode import DevSet, greedy
from nearword.models.training.export import export, read_weights
from nearword.models.training.lexicon import pronounce
from nearword.models.training.loss import transducer_loss
from nearword.models.training.model import Dropout, ModelConfig, TransducerModel
from nearword.models.training.phrases import generate, normalise, spell_number, word_strings
from nearword.models.training.prepare import Recording, fbank, prepare, trim
from nearword.models.training.train import (
    Run,
    Stage,
    TrainConfig,
    arc_scores,
    contexts,
    disagreement,
    fast_products,
    learning_rate,
    load_averaged,
    load_weights,
    train,
)
from nearword.runtime import Transcriber
from nearword.runtime.search import GREEDY

SMALL = ModelConfig(vocab_size=40, dim=24, fast_blocks=1, slow_blocks=2, fast_hidden=32, slow_hidden=32, kernel=5)
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite (apt-get install flite)")


def brute_force(log_blank: np.ndarray, log_token: np.ndarray, frames: int, labels: int) -> float:
    """Sum over every way of placing the labels on frames, at most one per frame."""
    total = -np.inf
    for places in itertools.combinations(range(frames), labels):
        score, u = 0.0, 0
        for t in range(frames):
            if t in places:
                score += log_token[t, u]
                u += 1
            else:
                score += log_blank[t, u]
        total = np.logaddexp(total, score)
    return -total


@pytest.mark.parametrize("delay_penalty", [0.0, 0.3])
def test_loss_is_the_sum_over_all_alignments(delay_penalty: float) -> None:
    rng = np.random.default_rng(0)
    blank, token = rng.normal(-1, 1, (5, 6, 4)), rng.normal(-1, 1, (5, 6, 3))
    frames, labels = np.asarray([6, 4, 5, 3, 1]), np.asarray([3, 2, 0, 3, 1])
    ours = transducer_loss(*map(torch.from_numpy, (blank, token, frames, labels)), delay_penalty=delay_penalty)
    for n in range(5):
        early = delay_penalty * ((frames[n] - 1) / 2 - np.arange(6))[:, None]
        assert ours[n].item() == pytest.approx(brute_force(blank[n], token[n] + early, frames[n], labels[n]), abs=1e-9)


def test_joiner_runs_where_paths_can_be_and_the_loss_is_the_same() -> None:
    network = random_network(5)
    frames, labels = torch.tensor([9, 4, 6, 3, 2]), torch.tensor([4, 4, 0, 1, 2])
    tokens = torch.randint(1, SMALL.vocab_size, (5, 4))
    batch = Batch(torch.empty(0), frames, tokens, labels, tokens, labels)
    encoded = torch.randn(5, 9, SMALL.dim, requires_grad=True)

    predicted = network.predictor(contexts(tokens, SMALL.context_size))
    everywhere = network.joiner(encoded.unsqueeze(2), predicted.unsqueeze(1)).log_softmax(-1)
    log_token = everywhere[:, :, :-1].gather(-1, tokens[:, None, :, None].expand(-1, 9, -1, 1)).squeeze(-1)
    whole = transducer_loss(everywhere[..., 0], log_token, frames, labels)
    in_part = transducer_loss(*arc_scores(network, encoded, batch), frames, labels)
    torch.testing.assert_close(in_part, whole)
    gradients = [torch.autograd.grad(loss.sum(), encoded, retain_graph=True)[0] for loss in (whole, in_part)]
    torch.testing.assert_close(gradients[1], gradients[0])


def test_loss_gradient_is_right() -> None:
    blank = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    token = torch.randn(2, 5, 2, dtype=torch.float64, requires_grad=True)
    frames, labels = torch.tensor([5, 3]), torch.tensor([2, 1])
    assert torch.autograd.gradcheck(lambda b, t: transducer_loss(b, t, frames, labels), (blank, token))


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary")
    letters = ["<blk>", "<unk>", "▁", "'", *"abcdefghijklmnopqrstuvwxyz"]
    (folder / "tokens.txt").write_text(
        "".join(f"{t} {i}\n" for i, t in enumerate(letters + [f"▁{c}" for c in "abcdefghij"]))
    )
    (folder / "bpe.model").write_bytes(b"")
    return folder


def random_network(seed: int) -> TransducerModel:
    torch.manual_seed(seed)
    network = TransducerModel(SMALL).eval()
    with torch.no_grad():
        for block in network.encoder.blocks:
            block.ahead.normal_(0.0, 0.3)
        network.encoder.phone_refine.weight.normal_(0.0, 0.3)
    return network


def test_a_frame_sees_its_own_chunk_and_what_was_before() -> None:
    network = random_network(2)
    features = torch.randn(1, SMALL.padded_frames(160), 80)
    with torch.inference_mode():
        before = network.encoder(features, network.encoder.initial_state(1)).out[0]
        changed = features.clone()
        changed[:, 96 + SMALL.extra_frames - 1] += 1.0  # the last feature frame that the third chunk of 32 needs
        after = network.encoder(changed, network.encoder.initial_state(1)).out[0]
    touched = (before - after).abs().amax(1) > 1e-7
    assert touched.tolist() == [False] * 8 + [True] * (len(touched) - 8)


def test_another_shape_begins_as_the_same_network_where_it_can() -> None:
    network = random_network(3)
    features = torch.randn(1, 400, 80)

    def run(shape: ModelConfig) -> torch.Tensor:
        other = TransducerModel(shape).eval()
        other.load_state_dict(reshaped(network.state_dict(), SMALL, shape))
        with torch.inference_mode():
            frames = features[:, : shape.padded_frames(256)]
            return other.encoder(frames, other.encoder.initial_state(1)).out

    torch.testing.assert_close(run(replace(SMALL, look_ahead=5)), run(SMALL))
    torch.testing.assert_close(run(replace(SMALL, chunk_frames=64)), run(SMALL))
    for variant in SHAPES:
        if "slow_blocks" not in variant.model:
            assert run(replace(SMALL, **variant.model)).shape == run(SMALL).shape
    assert run(replace(SMALL, slow_blocks=1)).shape == run(SMALL).shape


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    dropout, ones = Dropout(0.125), torch.ones(1000, 101)
    dropped = dropout(ones)
    assert sorted(set(dropped.unique().tolist())) == pytest.approx([0.0, 256 / 224])
    assert (dropped == 0).float().mean().item() == pytest.approx(0.125, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.005)
    # neither rows nor columns go together
    assert (dropped == 0).float().mean(0).std().item() < 0.02
    assert (dropped == 0).float().mean(1).std().item() < 0.05
    assert not torch.equal(dropped, dropout(ones))
    assert torch.equal(dropout.eval()(ones), ones)
    assert torch.equal(Dropout(0.0)(ones), ones)


def test_rounded_products_end_with_the_training() -> None:
    torch.manual_seed(0)
    left, right = torch.randn(300, 256), torch.randn(256, 300)
    exact = left @ right
    with fast_products(False):
        assert torch.equal(left @ right, exact)
    with fast_products(True):
        torch.testing.assert_close(left @ right, exact, rtol=0.02, atol=0.5)
    assert torch.equal(left @ right, exact)


def test_views_that_say_the_same_do_not_disagree() -> None:
    log_probs = torch.randn(4, 6, 5).log_softmax(-1)
    frames = torch.tensor([6, 3, 6, 3])
    twice = torch.cat([log_probs[:2], log_probs[:2]])
    assert disagreement(twice, frames).item() == 0.0
    # only frames that count are compared
    late = twice.clone()
    late[1, 3:] = log_probs[3, 3:]
    assert disagreement(late, frames).item() == 0.0
    first, second = log_probs[:2], log_probs[2:]
    each = (first.exp() * (first - second)).sum(-1) + (second.exp() * (second - first)).sum(-1)
    assert disagreement(log_probs, frames).item() == pytest.approx((each[0].sum() + each[1, :3].sum()).item(), rel=1e-5)


def test_exported_steps_are_the_network_and_greedy_search_agrees(tmp_path: Path, vocabulary: Path) -> None:
    network = random_network(4)
    with torch.no_grad():
        network.joiner.output.weight.mul_(8)
    export(network, vocabulary, tmp_path / "m")
    (tmp_path / "m" / "pronounce.onnx").touch()
    model = Transducer.load(tmp_path / "m", precision="float")
    samples = np.random.default_rng(0).normal(0, 0.1, 40000).astype(np.float32)
    transcriber = Transcriber(model, GREEDY)
    transcriber.accept(samples)
    features = fbank(samples)[: model.info.chunk_shift * 7 + SMALL.extra_frames]
    with torch.inference_mode():
        expected = network.encoder(torch.from_numpy(features)[None], network.encoder.initial_state(1))
    stream = model.encoder_stream(phones=True)
    steps = [stream.run(features[32 * k : 32 * k + model.info.chunk_frames]) for k in range(7)]
    np.testing.assert_allclose(np.concatenate([step.out for step in steps]), expected.out[0].numpy(), atol=2e-5)
    phones = expected.phones[0].log_softmax(-1).numpy()
    np.testing.assert_allclose(np.concatenate([step.phones for step in steps]), phones, atol=2e-5)
    tokens = greedy(network, [features])[0]
    assert len(tokens) > 5
    assert transcriber.tokens[: len(tokens)] == tokens


def test_int8_is_near_float_and_reads_back(tmp_path: Path, vocabulary: Path) -> None:
    network = TransducerModel(SMALL).eval()
    export(network, vocabulary, tmp_path / "m")
    chunk = np.random.default_rng(0).normal(-6, 3, (SMALL.input_frames, 80)).astype(np.float32)
    outputs = [Transducer.load(tmp_path / "m", precision=p).encoder_stream().run(chunk).out for p in ("float", "int8")]
    assert np.abs(outputs[0] - outputs[1]).max() < 0.1 * np.abs(outputs[0]).max()
    own = network.state_dict()
    for keep, tolerance in (("float", 0.0), ("int8", 0.01)):
        if keep == "int8":
            for part in ("encoder", "decoder", "joiner"):
                (tmp_path / "m" / f"{part}.onnx").unlink()
        weights = read_weights(tmp_path / "m")
        assert {name for name in own if name not in weights} == {n for n in own if "token_head" in n}
        for name, value in weights.items():
            scale = max(own[name].abs().max().item(), 1e-6)
            # predictor and joiner lie in float16
            least = 0.0 if name.startswith("encoder.") else 2**-11
            assert (value - own[name]).abs().max().item() <= max(least, tolerance) * scale, name


def test_sentences_are_lower_case_letters_and_repeat_with_the_seed() -> None:
    pytest.importorskip("faker")
    first = list(itertools.islice(generate(1), 300))
    assert first == list(itertools.islice(generate(1), 300))
    assert first != list(itertools.islice(generate(2), 300))
    assert all(set(text) <= set("abcdefghijklmnopqrstuvwxyz' ") and text == text.strip() for text in first)
    assert len(set(first)) > 200


def test_strings_of_common_words_repeat_with_the_seed() -> None:
    pytest.importorskip("wordfreq")
    first = list(itertools.islice(word_strings(1, 500), 300))
    assert first == list(itertools.islice(word_strings(1, 500), 300))
    assert all(set(text) <= set("abcdefghijklmnopqrstuvwxyz' ") and 2 <= len(text.split()) <= 7 for text in first)
    assert 300 < len({word for text in first for word in text.split()}) <= 500


def test_numbers_are_spelt() -> None:
    assert [spell_number(n) for n in (0, 13, 40, 72, 100, 305, 1999)] == [
        "zero", "thirteen", "forty", "seventy two", "one hundred", "three hundred five",
        "one thousand nine hundred ninety nine",
    ]  # fmt: skip
    assert normalise("Don\u2019t  STOP, e-mail") == "don't stop e mail"
    assert normalise("café") == ""


def test_trim_cuts_silence_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    speech = rng.normal(0, 0.2, 16000)
    samples = np.concatenate([rng.normal(0, 1e-4, 32000), speech, rng.normal(0, 1e-4, 32000)]).astype(np.float32)
    assert 16000 < len(trim(samples)) < 24000


def test_noise_is_mixed_at_the_asked_ratio() -> None:
    speech = np.full((50, 80), 0.0, np.float32)
    noise = np.full((50, 80), -3.0, np.float32)
    mixed = add_noise(speech, noise, snr=10.0)
    assert np.exp(mixed).mean() == pytest.approx(1.1, abs=1e-3)


def test_augmentation_keeps_the_shape_of_features() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(-6, 1, (500, 80)).astype(np.float32)
    for _ in range(100):
        features = rng.normal(-6, 3, (int(rng.integers(15, 300)), 80)).astype(np.float32)
        out = distort(change_tempo(features, AugmentConfig(), rng), noise, AugmentConfig(), rng)
        assert out.dtype == np.float32
        assert out.shape[1] == 80
        assert np.isfinite(out).all()
        assert 0.75 * len(features) <= len(out) <= 1.3 * len(features) or len(out) == 8


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 50))
def test_the_rate_goes_up_once_more_where_a_restart_is_asked_for(updates: int, restart: int, warmup: int) -> None:
    config = TrainConfig(updates=updates, restart=restart, warmup=warmup)
    rates = [learning_rate(config, update) for update in range(updates + restart)]
    assert all(0 < rate <= config.peak_rate + 1e-12 for rate in rates)
    assert rates[:updates] == [learning_rate(replace(config, restart=0), update) for update in range(updates)]
    again = rates[updates:]
    assert max(again, default=0.0) <= config.restart_rate * config.peak_rate + 1e-12
    if restart > warmup:
        assert again[warmup] == pytest.approx(config.restart_rate * config.peak_rate)
    for part in (rates[:updates], again):
        assert part[:warmup] == sorted(part[:warmup])
        assert part[warmup:] == sorted(part[warmup:], reverse=True)


@needs_flite
def test_pronunciations_come_from_flite() -> None:
    assert len(pronounce("call")) == 3
    assert pronounce("meg") == pronounce("meg")
    assert pronounce("meg") != pronounce("mug")


def test_weights_of_an_earlier_checkpoint_are_mixed_in(tmp_path: Path) -> None:
    now, before = (Run(tmp_path / name, SMALL, TrainConfig(seed=seed)) for seed, name in enumerate(("now", "before")))
    now.save()
    before.save()
    mixed = load_averaged(tmp_path / "now", before.checkpoint, 0.25).state_dict()
    assert load_averaged(tmp_path / "now").state_dict().keys() == mixed.keys()
    for name, value in mixed.items():
        torch.testing.assert_close(value, 0.75 * now.average[name] + 0.25 * before.average[name])


@needs_flite
def test_synthesis_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    from nearword.models.training import synthesize

    pytest.importorskip("faker")
    pytest.importorskip("wordfreq")
    utterances = synthesize.plan(["stop the music"], 4, seed=1, shares={"flite": 1.0})
    broken = [*utterances[:2], replace(utterances[2], voice="nobody")]
    with pytest.raises(KeyError, match="nobody"):
        synthesize.synthesize(broken, tmp_path, workers=1)
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.flac")}
    assert len(kept) == 2
    assert not (tmp_path / "manifest.tsv").exists()
    (tmp_path / f"{utterances[3].name}.part").write_bytes(b"cut off")

    for name in kept:
        os.utime(tmp_path / name, (1, 1))
    manifest = synthesize.synthesize(utterances, tmp_path, workers=1)
    assert len(manifest.read_text().splitlines()) == 5
    assert {name: (tmp_path / name).stat().st_mtime for name in kept} == dict.fromkeys(kept, 1.0)


@pytest.mark.parametrize("other", [{"seed": 2}, {"voice": "kal_diphone"}])
def test_no_two_recordings_have_one_name(other: dict[str, int | str]) -> None:
    """What an earlier call has written would be taken for them."""
    from nearword.models.training.synthesize import held_out

    pytest.importorskip("faker")
    texts = [f"play number {spell_number(number)}" for number in range(20, 90)]
    first, second = (held_out(texts, 40, **settings) for settings in ({"seed": 1}, {"seed": 1, **other}))
    assert not {one.name for one in first} & {one.name for one in second}


def test_too_large_a_vocabulary_is_told(tmp_path: Path) -> None:
    from demo import DEMO

    recordings = [Recording(DEMO, "call the kitchen", "wuw", 1.0)]
    with pytest.raises(NearwordError, match="no vocabulary of 300 pieces can be made of 1 sentences: Vocabulary size"):
        prepare(recordings, [DEMO], tmp_path, vocab_size=300)


def test_features_go_on_where_they_were_interrupted(tmp_path: Path) -> None:
    from demo import DEMO

    broken = tmp_path / "broken.flac"
    broken.write_bytes(b"no audio")
    texts = ["one two three", "call the kitchen", "play some jazz", "what time is it"] * 10
    whole = [Recording(DEMO, text, "wuw", speed) for text, speed in zip(texts, np.linspace(0.9, 1.1, 40), strict=True)]
    prepare(whole, [DEMO], tmp_path / "whole", vocab_size=24)
    with pytest.raises(NearwordError, match="broken"):
        prepare([*whole, replace(whole[0], path=broken)], [DEMO], tmp_path / "again", vocab_size=24)
    [partial] = (tmp_path / "again").glob("index-*.part")
    assert not (tmp_path / "again" / "index.jsonl").exists()
    assert 0 < len(partial.read_text().splitlines()) <= 40

    broken.write_bytes(DEMO.read_bytes())
    with partial.open("a") as cut_off:
        cut_off.write('{"offset"')
    with (tmp_path / "again" / "features.f16").open("ab") as cut_off_too:
        cut_off_too.write(b"123")
    written = partial.read_text().splitlines()[0]
    prepare([*whole, replace(whole[0], path=broken)], [DEMO], tmp_path / "again", vocab_size=24)
    lines = (tmp_path / "again" / "index.jsonl").read_text().splitlines()
    assert lines[0] == written
    assert lines[:40] == (tmp_path / "whole" / "index.jsonl").read_text().splitlines()
    features = [(tmp_path / folder / "features.f16").read_bytes() for folder in ("whole", "again")]
    assert features[1].startswith(features[0])
    assert len(Corpus(tmp_path / "again").items) == len(lines) == 41


def test_recordings_of_one_length_go_together(tmp_path: Path) -> None:
    from demo import DEMO

    recordings = [Recording(DEMO, "call the kitchen", "wuw", speed) for speed in np.linspace(0.5, 1.8, 40)]
    prepare(recordings, [DEMO], tmp_path, vocab_size=12)
    corpus = Corpus(tmp_path)
    batches = Batches(corpus, SMALL, batch_frames=6400, max_frames=1600, augmentation=AugmentConfig(), seed=0, views=2)
    # silence around a recording and its tempo, new every time, decide where it goes
    used = room = 0.0
    for batch in itertools.islice(batches.generate(), 60):
        rows, frames, _ = batch.features.shape
        assert rows * frames <= 6400 + rows * SMALL.padded_frames(1)
        used += 8 * batch.frames.sum().item()
        room += rows * frames
    assert used > 0.85 * room


@needs_flite
@pytest.mark.timeout(240)
def test_a_small_run_from_recordings_to_a_model_folder(tmp_path: Path) -> None:
    from demo import DEMO
    from nearword.models.training.synthesize import plan, synthesize

    pytest.importorskip("faker")
    pytest.importorskip("wordfreq")
    utterances = plan(["turn on the light", "stop the music"], 60, seed=1, shares={"flite": 1.0})
    manifest = synthesize(utterances, tmp_path / "speech", workers=1)
    with manifest.open() as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    assert len(rows) == 60
    recordings = [Recording(tmp_path / "speech" / row["path"], row["text"], "synthetic", 1.0) for row in rows]
    prepare(recordings, [DEMO], tmp_path / "prepared", vocab_size=40)
    corpus = Corpus(tmp_path / "prepared")
    assert len(corpus.items) >= 25

    config = ModelConfig(
        vocab_size=corpus.vocab_size, dim=32, fast_blocks=1, slow_blocks=1, fast_hidden=32, slow_hidden=32
    )
    stages = (Stage(10, 800, 1600, 0.0, 0.0, 1.0, 0.3), Stage(10**9, 1600, 1600, 0.5, 1.0, 0.5, 0.2, 0.004, 0.1))
    settings = TrainConfig(updates=40, restart=20, warmup=5, threads=1, peak_rate=5e-3)
    run = Run(tmp_path / "run", config, settings)
    quiet = AugmentConfig(strength=0)
    batch = next(iter(Batches(corpus, config, batch_frames=1600, max_frames=1600, augmentation=quiet, seed=0, views=2)))
    before = run.step(batch, stages[1])[:3]
    train(corpus, run, curriculum=stages)
    after = run.step(batch, stages[1])[:3]
    assert after[0] < 0.9 * before[0]
    assert after[1] < 0.8 * before[1]

    resumed = Run(tmp_path / "run", config, settings)
    assert resumed.update == 60
    export(load_averaged(tmp_path / "run"), tmp_path / "prepared", tmp_path / "model")
    model = Transducer.load(tmp_path / "model")
    transcriber = Transcriber(model, GREEDY)
    transcriber.accept(read_audio(DEMO))
    assert transcriber.finish().seconds > 5

    again = Run(tmp_path / "again", config, settings)
    load_weights(again, read_weights(tmp_path / "model"))
    for name, value in load_averaged(tmp_path / "run").state_dict().items():
        if "token_head" not in name:
            torch.testing.assert_close(again.model.state_dict()[name], value, rtol=2**-11, atol=1e-6)

    dev = DevSet("demo", ("turn on the light",), (fbank(read_audio(DEMO)),))
    start = (config, load_averaged(tmp_path / "run").state_dict())
    variants = (Variant("all of it"), Variant("half the chunk", model={"chunk_frames": 16}))
    short = replace(settings, updates=2, restart=0)
    results = ablate(variants, tmp_path / "prepared", tmp_path / "short", [dev], short, start, print)
    assert [(row["variant"], row["chunk ms"]) for row in results] == [("all of it", 320), ("half the chunk", 160)]
    assert "half the chunk" in table(results)
    # what is done is not done again
    rest = ablate(variants, tmp_path / "prepared", tmp_path / "short", [dev], settings, start, pytest.fail)
    assert rest == results

    # a learning curve: fewer recordings, from random weights
    longer = replace(settings, restart=0)
    curve = ablate(AMOUNTS[-2:], tmp_path / "prepared", tmp_path / "amounts", [dev], longer, start, print)
    assert [row["variant"] for row in curve] == ["half of all sets", "all of all sets"]
    assert 0 < float(str(curve[0]["hours"])) < float(str(curve[1]["hours"]))
    untrained = dev_loss(TransducerModel(config).eval(), dev, corpus, phones=True)
    assert all(0 < float(str(row["demo phone loss"])) < untrained for row in curve)


@needs_flite
def test_what_a_set_is_worth_is_learnt_from_nothing(tmp_path: Path) -> None:
    from demo import DEMO

    recordings = [
        Recording(DEMO, "call the kitchen", corpus, speed)
        for corpus in ("wuw", "synthetic")
        for speed in np.linspace(0.8, 1.4, 30)
    ]
    prepare(recordings, [DEMO], tmp_path / "prepared", vocab_size=12)
    dev = DevSet("demo", ("call the kitchen",), (fbank(read_audio(DEMO)),))
    trained = (
        SMALL,
        {name: torch.full_like(value, torch.nan) for name, value in TransducerModel(SMALL).state_dict().items()},
    )
    settings = TrainConfig(updates=2, warmup=1, threads=1)
    variants = [variant for variant in SCRATCH if variant.name in ("all of it", "without wuw")]
    results = ablate(variants, tmp_path / "prepared", tmp_path / "scratch", [dev], settings, trained, print)
    assert [row["variant"] for row in results] == ["all of it", "without wuw"]
    hours = [float(str(row["hours"])) for row in results]
    assert hours[1] == pytest.approx(hours[0] / 2, abs=0.011)
    # nothing of the trained weights, which are no use here
    assert all(math.isfinite(float(str(row["demo phone loss"]))) for row in results)


@needs_flite
@pytest.mark.parametrize(("told", "restart"), [((), 30), (("--restart", "7"), 7), (("--restart", "0"), 0)])
def test_the_restart_is_as_long_as_the_updates_ask_for_unless_told(
    told: tuple[str, ...], restart: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from demo import DEMO
    from nearword.models.training import __main__ as commands
    from nearword.models.training import train as training

    prepare([Recording(DEMO, "call the kitchen", "wuw", 1.0)] * 20, [DEMO], tmp_path / "prepared", vocab_size=12)
    (tmp_path / "dev").mkdir()
    runs: list[Run] = []
    monkeypatch.setattr(training, "train", lambda _corpus, run, _dev_sets: runs.append(run))
    monkeypatch.setattr(commands, "suit_training", lambda: None)
    commands.app(
        ["train", "--speech", str(tmp_path), "--work", str(tmp_path), "--updates", "52", *told], standalone_mode=False
    )
    assert [(run.config.updates, run.config.restart) for run in runs] == [(52, restart)]
