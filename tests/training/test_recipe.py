"""The recipe on a small scale: loss against brute force, graphs against the network, a run from end to end."""

import csv
import itertools
import json
import math
import os
import shutil
import struct
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
from nearword.models.training.augment import AugmentConfig, Draws, distort, noise_at, with_room
from nearword.models.training.curriculum import Stage
from nearword.models.training.dataset import Batch, Batches, Corpus
from nearword.models.training.decode import DevSet, greedy
from nearword.models.training.export import export, read_weights
from nearword.models.training.lexicon import pronounce
from nearword.models.training.loss import arc_scores, contexts, transducer_loss
from nearword.models.training.model import Dropout, ModelConfig, TransducerModel, position_codes
from nearword.models.training.objectives import disagreement, following_loss
from nearword.models.training.phrases import generate, label_text, spell_number, word_strings
from nearword.models.training.prepare import Recording, fbank, prepare, trim
from nearword.models.training.train import (
    Run,
    TrainConfig,
    fast_products,
    learning_rate,
    load_averaged,
    load_weights,
    of_encoder,
    train,
)
from nearword.models.training.whisper import (
    Teacher,
    WhisperFileError,
    log_mel,
    mel_filters,
    read_encoder,
    shape_of,
)
from nearword.runtime import Transcriber
from nearword.runtime.search import GREEDY

SMALL = ModelConfig(vocab_size=40, width=24, heads=2, layers=3, joiner_dim=16, left=48)
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
    batch = Batch(torch.empty(0), frames, tokens, labels, tokens, labels, torch.zeros(5))
    encoded = torch.randn(5, 9, SMALL.joiner_dim, requires_grad=True)

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
    return TransducerModel(SMALL).eval()


def test_a_frame_sees_the_rest_of_its_step_its_look_ahead_and_what_was_before() -> None:
    network = random_network(2)
    features = torch.randn(1, SMALL.padded_frames(320), 80)
    with torch.inference_mode():
        before = network.encoder(features).frames[0]
        changed = features.clone()
        changed[:, 98] += 1.0  # the last feature frame that the third step of 32 is fed
        after = network.encoder(changed).frames[0]
    touched = (before - after).abs().amax(1) > 1e-7
    # frames 32 to 47 are the third step's newest; each layer gives out what lies two behind, and attends to the step
    first = 32 - SMALL.delay
    assert touched.tolist()[:first] == [False] * first
    assert touched[47 - SMALL.delay + 1 : 60].all()
    # what lies so far back that no layer attends to it, through any other, has no part
    reach = SMALL.layers * (SMALL.left + SMALL.step)
    assert not touched[48 + reach :].any()


def test_no_position_is_the_last(tmp_path: Path, vocabulary: Path) -> None:
    """The codes repeat exactly, so a stream that has gone round hears as one that has just begun to."""
    assert torch.allclose(position_codes(torch.arange(9), SMALL), position_codes(torch.arange(9) + 3000, SMALL))
    near = position_codes(torch.tensor([2999]), SMALL) - position_codes(torch.tensor([3000]), SMALL)
    far = position_codes(torch.tensor([1]), SMALL) - position_codes(torch.tensor([0]), SMALL)
    assert near.abs().max() <= far.abs().max() + 1e-3
    export(random_network(6), vocabulary, tmp_path)
    sound = np.random.default_rng(1).normal(-8, 3, (700, 80)).astype(np.float32)
    again = [network_at(tmp_path, sound, turns) for turns in (1, 2)]
    np.testing.assert_allclose(again[0], again[1], atol=1e-3)


def network_at(folder: Path, sound: np.ndarray, turns: int) -> np.ndarray:
    """Return the outputs of 20 steps after so many turns of the positions (375 steps are two turns)."""
    stream = Transducer.load(folder, precision="float").encoder_stream()
    silence = np.zeros((SMALL.input_frames, 80), np.float32)
    for _ in range(375 * turns):
        stream.run(silence)
    return np.concatenate([stream.run(sound[32 * k : 32 * k + SMALL.input_frames]).out for k in range(20)])


def test_another_shape_begins_with_the_same_weights() -> None:
    network = random_network(3)
    features = torch.randn(1, SMALL.padded_frames(320), 80)

    def run(shape: ModelConfig) -> torch.Tensor:
        other = TransducerModel(shape).eval()
        other.load_state_dict(reshaped(network.state_dict(), SMALL, shape))
        with torch.inference_mode():
            return other.encoder(features).out

    assert torch.equal(run(replace(SMALL)), network.encoder(features).out)
    for variant in SHAPES:
        shape = replace(SMALL, **{k: min(v, 2) if k == "layers" else v for k, v in variant.model.items()})
        assert run(shape).shape == run(SMALL).shape, variant.name


def write_ctranslate2(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a model file as CTranslate2's converter does, version 6."""
    kinds = {np.dtype(t): k for k, t in enumerate((np.float32, np.int8, np.int16, np.int32, np.float16))}

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    out = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for name, value in arrays.items():
        shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        out += [text(name), shape, struct.pack("<BI", kinds[value.dtype], value.nbytes), value.tobytes()]
    path.write_bytes(b"".join([*out, struct.pack("<I", 0)]))


def write_safetensors(path: Path, arrays: dict[str, np.ndarray]) -> None:
    header, place = {}, 0
    for name, value in arrays.items():
        kind = "F16" if value.dtype == np.float16 else "F32"
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [place, place + value.nbytes]}
        place += value.nbytes
    text = json.dumps({**header, "__metadata__": {"format": "pt"}}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(v.tobytes() for v in arrays.values()))


def whisper_arrays(width: int, layers: int, names: str) -> dict[str, np.ndarray]:
    """Return random weights of an encoder, named as CTranslate2 or the hub does; the same numbers for both."""
    rng = np.random.default_rng(5)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.1, shape).astype(np.float32)

    out = {}
    ours = names == "ctranslate2"
    top = "encoder/" if ours else "model.encoder."
    for name, size in (("conv1", (width, 80, 3)), ("conv2", (width, width, 3))):
        for part, value in (("weight", draw(*size)), ("bias", draw(width))):
            out[f"{top}{name}{'/' if ours else '.'}{part}"] = value
    for k in range(layers):
        norms = (("self_attention/layer_norm", "self_attn_layer_norm"), ("ffn/layer_norm", "final_layer_norm"))
        for theirs, hub in norms:
            for gamma, part in (("gamma", "weight"), ("beta", "bias")):
                out[f"{top}layer_{k}/{theirs}/{gamma}" if ours else f"{top}layers.{k}.{hub}.{part}"] = draw(width)
        weight, bias = draw(3 * width, width), draw(3 * width)
        bias[width : 2 * width] = 0.0
        if ours:
            out[f"{top}layer_{k}/self_attention/linear_0/weight"] = weight
            out[f"{top}layer_{k}/self_attention/linear_0/bias"] = bias
        else:
            for number, part in enumerate("qkv"):
                rows = slice(number * width, (number + 1) * width)
                out[f"{top}layers.{k}.self_attn.{part}_proj.weight"] = weight[rows]
                if part != "k":
                    out[f"{top}layers.{k}.self_attn.{part}_proj.bias"] = bias[rows]
        for theirs, hub, size in (
            ("self_attention/linear_1", "self_attn.out_proj", (width, width)),
            ("ffn/linear_0", "fc1", (4 * width, width)),
            ("ffn/linear_1", "fc2", (width, 4 * width)),
        ):
            for part, value in (("weight", draw(*size)), ("bias", draw(size[0]))):
                out[f"{top}layer_{k}/{theirs}/{part}" if ours else f"{top}layers.{k}.{hub}.{part}"] = value
    for gamma, part in (("gamma", "weight"), ("beta", "bias")):
        out[f"{top}layer_norm/{gamma}" if ours else f"{top}layer_norm.{part}"] = draw(width)
    return out


def test_whispers_weights_are_read_from_both_kinds_of_file(tmp_path: Path) -> None:
    write_ctranslate2(tmp_path / "model.bin", whisper_arrays(64, 2, "ctranslate2"))
    write_safetensors(tmp_path / "model.safetensors", whisper_arrays(64, 2, "hub"))
    first, second = (read_encoder(tmp_path / name) for name in ("model.bin", "model.safetensors"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    shape = shape_of(first, 40)
    assert (shape.width, shape.heads, shape.layers) == (64, 1, 2)
    own = TransducerModel(shape).encoder.state_dict()
    readers = ("adapt", "project", "phone_")
    assert set(first) == {name for name in own if not name.startswith(readers)}
    assert all(first[name].shape == own[name].shape for name in first)


@pytest.mark.parametrize("content", [b"", b"\x06\0\0\0", b"\x09\0\0\0" + bytes(50), bytes(1000), b"{}" * 40])
@pytest.mark.parametrize("name", ["model.bin", "model.safetensors"])
def test_what_is_no_whisper_is_told_in_one_line(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WhisperFileError, match=f"{name}: .*expected Whisper's weights") as told:
        read_encoder(tmp_path / name)
    assert "\n" not in str(told.value)


def test_the_teacher_is_the_encoder_without_masks_and_the_student_can_follow_it() -> None:
    """With everything in view, no look-ahead to wait for and Whisper's own positions they are the same."""
    torch.manual_seed(0)
    write = whisper_arrays(64, 2, "ctranslate2")
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 16000).astype(np.float32)
    encoder = {
        name: torch.from_numpy(value)
        for name, value in zip(
            ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"), list(write.values())[:4], strict=True
        )
    }
    network = TransducerModel(ModelConfig(vocab_size=2, width=64, heads=1, layers=2)).eval()
    weights = {k: v for k, v in network.encoder.state_dict().items() if not k.startswith(("project", "phone"))}
    taught = Teacher({**weights, **encoder})(samples)
    assert taught.shape == (50, 64)
    config = replace(network.config, chunk_frames=96, look_ahead=0)
    student = TransducerModel(config).eval()
    own = student.encoder.state_dict()
    student.encoder.load_state_dict({**own, **weights, **encoder})
    with torch.no_grad():
        student.encoder.adapt.weight.copy_(torch.eye(80))
        student.encoder.adapt.bias.zero_()
        frames = student.encoder(torch.from_numpy(log_mel(samples))[None, :99], torch.tensor([1])).frames[0]
    count = len(frames)
    batch = Batch(
        *[torch.zeros(1)] * 7,
        teacher=torch.from_numpy(taught[None, 1 : count + 1].astype(np.float32)),
        followed=torch.ones(1, count, dtype=torch.bool),
    )
    # all but the first frame, which the student has not heard, and slow positions, which are rounded
    assert following_loss(frames[None], batch).item() < 0.05
    assert following_loss(torch.randn(1, count, 64), batch).item() > 0.8


def test_whispers_filters_have_equal_area_and_cover_the_band() -> None:
    filters = mel_filters()
    assert filters.shape == (80, 201)
    assert (filters >= 0).all()
    areas = filters.sum(1) * 40.0
    np.testing.assert_allclose(areas[30:], 1.0, atol=0.1)
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    loudest = log_mel(tone).mean(0).argmax()
    assert filters[loudest].argmax() * 40 == pytest.approx(1000, abs=40)


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
    with fast_products(False, torch.device("cpu")):
        assert torch.equal(left @ right, exact)
    with fast_products(True, torch.device("cpu")):
        torch.testing.assert_close((left @ right).float(), exact, rtol=0.02, atol=0.5)
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


@pytest.mark.parametrize("frames", [SMALL.look_ahead, 1, 5])
def test_exported_steps_are_the_network_and_greedy_search_agrees(tmp_path: Path, vocabulary: Path, frames: int) -> None:
    """With the look-ahead that it was exported with, and with others."""
    network, config = random_network(4), replace(SMALL, look_ahead=frames)
    with torch.no_grad():
        network.joiner.output.weight.mul_(8)
    export(network, vocabulary, tmp_path / "m")
    (tmp_path / "m" / "pronounce.onnx").touch()
    seconds = 0.01 * (3 + 2 * config.delay)
    model = Transducer.load(tmp_path / "m", precision="float", look_ahead=seconds)
    assert model.info.look_ahead_seconds == pytest.approx(seconds)
    looking = TransducerModel(config).eval()
    looking.load_state_dict(network.state_dict())
    network = looking
    samples = np.random.default_rng(0).normal(0, 0.1, 40000).astype(np.float32)
    transcriber = Transcriber(model, GREEDY)
    transcriber.accept(samples)
    features = fbank(samples)[: config.padded_frames(32 * 7)]
    with torch.inference_mode():
        expected = network.encoder(torch.from_numpy(features)[None])
    stream = model.encoder_stream(phones=True)
    steps = [stream.run(features[32 * k : 32 * k + model.info.chunk_frames]) for k in range(7)]
    out, heard = np.concatenate([step.out for step in steps]), np.concatenate([step.phones for step in steps])
    # what comes out lies behind what goes in; before the first frame of the stream there is silence
    late = config.delay // 4 + 1
    assert model.info.delay_frames == 2 * config.delay
    with torch.inference_mode():
        whole = expected.frames[0]
        shifted = torch.cat([whole.new_zeros(config.delay, config.width), whole])[4 * late :]
        reference = network.encoder.heads(shifted[None, : len(shifted) // 4 * 4])
    np.testing.assert_allclose(out[late:], reference.out[0, : len(out) - late].numpy(), atol=2e-5)
    phones = reference.phones[0].log_softmax(-1).numpy()[: len(heard) - 2 * late]
    np.testing.assert_allclose(heard[2 * late :], phones, atol=2e-5)
    assert len(transcriber.tokens) > 5


def test_greedy_search_over_a_batch_is_that_over_each() -> None:
    network = random_network(4)
    with torch.no_grad():
        network.joiner.output.weight.mul_(8)
    features = [np.random.default_rng(k).normal(-8, 3, (100 + 60 * k, 80)).astype(np.float32) for k in range(3)]
    together = greedy(network, features)
    assert [len(tokens) > 3 for tokens in together] == [True] * 3
    for values, tokens in zip(features, together, strict=True):
        padded = np.full((SMALL.padded_frames(len(values) // 8 * 8), 80), -15.9, np.float32)
        padded[: len(values)] = values[: len(padded)]
        with torch.inference_mode():
            encoded = network.encoder(torch.from_numpy(padded)[None]).out[0, : len(values) // 8]
            context, alone = [-1, 0], []
            for frame in encoded:
                best = int(network.joiner(frame, network.predictor(torch.tensor(context))).argmax())
                if best:
                    alone.append(best)
                    context = [context[1], best]
        # the longest of a batch needs no padding, the others are padded further: frames at their ends may differ
        assert tokens[: len(alone) // 2] == alone[: len(alone) // 2]


def test_int8_is_near_float_and_reads_back(tmp_path: Path, vocabulary: Path) -> None:
    network = TransducerModel(SMALL).eval()
    export(network, vocabulary, tmp_path / "m")
    chunks = np.random.default_rng(0).normal(-6, 3, (4, SMALL.input_frames, 80)).astype(np.float32)
    streams = [Transducer.load(tmp_path / "m", precision=p).encoder_stream() for p in ("float", "int8")]
    outputs = [np.concatenate([stream.run(chunk).out for chunk in chunks])[2:] for stream in streams]
    # random weights amplify what rounding adds, trained ones do not (a few hundredths)
    assert np.corrcoef(outputs[0].ravel(), outputs[1].ravel())[0, 1] > 0.9
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
    assert label_text("Don\u2019t  STOP, e-mail") == "don't stop e mail"
    assert label_text("café") == ""


def test_trim_cuts_silence_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    speech = rng.normal(0, 0.2, 16000)
    samples = np.concatenate([rng.normal(0, 1e-4, 32000), speech, rng.normal(0, 1e-4, 32000)]).astype(np.float32)
    assert 16000 < len(trim(samples)) < 24000


def test_noise_is_mixed_at_the_asked_ratio() -> None:
    speech, noise = torch.zeros(2, 50, 80), torch.full((2, 50, 80), -3.0)
    mixed = noise_at(speech, noise, torch.tensor([50, 30]), torch.tensor([10.0, 20.0]))
    assert mixed.exp().mean((1, 2)).tolist() == pytest.approx([1.1, 1.01], abs=1e-3)


def test_a_room_adds_power_after_the_sound_only() -> None:
    x = torch.full((1, 100, 80), -10.0)
    x[:, 20] = 0.0
    wet = with_room(x, torch.tensor([8.0]), torch.tensor([0.5]))
    assert (wet[:, :20] - x[:, :20]).abs().max() < math.log(1.5) + 0.01  # what was before rings, too
    assert (wet[:, 21:40] > x[:, 21:40] + 1).all()
    assert (wet[0, 21:60].exp().sum(0) / x[0, 20].exp()).mean().item() == pytest.approx(0.5, abs=0.05)


@given(st.integers(1, 6), st.integers(12, 300), st.floats(0, 1), st.integers(0, 2**31))
def test_distortion_keeps_the_shape_of_features_and_repeats_with_the_seed(
    rows: int, count: int, strength: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = -6 + 3 * torch.randn(rows, count, 80, generator=generator)
    bank = -6 + torch.randn(500, 80, generator=generator)
    frames = torch.randint(8, count + 1, (rows,), generator=generator)

    def distorted(seed: int) -> torch.Tensor:
        return distort(x, frames, bank, AugmentConfig(strength=strength), Draws(rows, torch.device("cpu"), seed))

    out = distorted(seed)
    assert out.shape == x.shape
    assert torch.isfinite(out).all()
    assert torch.equal(out, distorted(seed))
    if strength == 0:
        assert torch.allclose(out, x.clamp(min=-15.9) + 0 * out, atol=1e-4)
    elif strength > 0.9 and rows > 2:
        assert not torch.equal(out, distorted(seed + 1))


@given(st.integers(1, 300), st.integers(1, 50))
def test_the_rate_rises_and_falls(updates: int, warmup: int) -> None:
    config = TrainConfig(updates=updates, warmup=warmup)
    rates = [learning_rate(config, update) for update in range(updates)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)


def test_a_held_encoder_stays_as_it_is(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", SMALL, TrainConfig(threads=1))
    batch = Batch(
        torch.randn(2, SMALL.padded_frames(160), 80),
        torch.tensor([20, 18]),
        torch.randint(1, 40, (2, 3)),
        torch.tensor([3, 2]),
        torch.randint(1, 41, (2, 4)),
        torch.tensor([4, 3]),
        torch.tensor([0, 77]),
    )
    stage = Stage(9, 1, 1, 0.0, 1.0, 0.5, 0.3)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.step(batch, replace(stage, encoder=0.0))
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert not any(of_encoder(name) for name in changed)
    run.step(batch, stage)
    assert not torch.equal(run.model.encoder.conv1.weight, before["encoder.conv1.weight"])


@needs_flite
def test_pronunciations_come_from_flite() -> None:
    assert len(pronounce("call")) == 3
    assert pronounce("meg") == pronounce("meg")
    assert pronounce("meg") != pronounce("mug")


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
    # silence around a recording and its tempo are drawn anew every time
    used = room = 0.0
    for number in range(60):
        batch = batches.batch(number)
        rows, frames, _ = batch.features.shape
        assert rows * frames <= 2 * 6400
        used += 8 * batch.frames.sum().item()
        room += rows * frames
    assert used > 0.8 * room
    first, again = batches.batch(7), batches.batch(7)
    assert torch.equal(first.features, again.features)


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

    config = ModelConfig(vocab_size=corpus.vocab_size, width=32, heads=2, layers=2, joiner_dim=32)
    stages = (
        Stage(10, 800, 1600, 0.0, 0.0, 1.0, 0.3),
        Stage(10**9, 1600, 1600, 0.5, 1.0, 0.5, 0.2, delay_penalty=0.004, consistency=0.1),
    )
    settings = TrainConfig(updates=60, warmup=5, threads=1, peak_rate=5e-3, encoder_rate=5e-3)
    run = Run(tmp_path / "run", config, settings)
    quiet = AugmentConfig(strength=0)
    batch = Batches(corpus, config, batch_frames=1600, max_frames=1600, augmentation=quiet, seed=0, views=2).batch(0)
    before = run.step(batch, stages[1])[:2]
    train(corpus, run, curriculum=stages)
    after = run.step(batch, stages[1])[:2]
    assert after[0] < 0.9 * before[0]
    assert after[1] < 0.8 * before[1]

    resumed = Run(tmp_path / "run", config, settings)
    assert resumed.update == 60
    export(load_averaged(tmp_path / "run"), tmp_path / "prepared", tmp_path / "model")
    model = Transducer.load(tmp_path / "model")
    transcriber = Transcriber(model, GREEDY)
    transcriber.accept(read_audio(DEMO))
    assert transcriber.finish().seconds > 4

    again = Run(tmp_path / "again", config, settings)
    load_weights(again, read_weights(tmp_path / "model"))
    for name, value in load_averaged(tmp_path / "run").state_dict().items():
        if "token_head" not in name:
            torch.testing.assert_close(again.model.state_dict()[name], value, rtol=2**-11, atol=1e-6)

    dev = DevSet("demo", ("turn on the light",), (fbank(read_audio(DEMO)),))
    start = (config, load_averaged(tmp_path / "run").state_dict())
    variants = (Variant("all of it"), Variant("half the chunk", model={"chunk_frames": 16}))
    short = replace(settings, updates=2)
    results = ablate(variants, tmp_path / "prepared", tmp_path / "short", [dev], short, start, print)
    assert [(row["variant"], row["chunk ms"]) for row in results] == [("all of it", 320), ("half the chunk", 160)]
    assert "half the chunk" in table(results)
    # what is done is not done again
    rest = ablate(variants, tmp_path / "prepared", tmp_path / "short", [dev], settings, start, pytest.fail)
    assert rest == results

    # a learning curve: fewer recordings, from random weights
    curve = ablate(AMOUNTS[-2:], tmp_path / "prepared", tmp_path / "amounts", [dev], settings, start, print)
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
