import shutil
import threading
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from nearword.models import ModelError, ModelFileError, ModelNotFoundError, Transducer, resolve
from nearword.models.session import runner
from toy_models import ToyModel, write_decoder, write_encoder, write_joiner, write_toy_model


def test_info_tells_what_the_files_say(toy: Transducer, toy_folder: Path) -> None:
    info = toy.info
    assert (info.chunk_frames, info.chunk_shift, info.encoder_frames, info.joiner_dim) == (13, 8, 2, 6)
    assert (info.vocab_size, info.context_size, info.states, info.model_type) == (11, 2, 4, "toy")
    assert info.frame_seconds == pytest.approx(0.04)
    assert info.look_ahead_seconds == pytest.approx(0.05)
    assert info.folder == toy_folder


def test_states_are_carried_as_plain_onnxruntime_would(toy: Transducer, toy_folder: Path) -> None:
    session = ort.InferenceSession(toy_folder / "encoder.onnx")
    shapes = {"cached_a": (1, 1, 6), "cached_b": (1, 1, 6), "cached_c": (6, 1, 1, 1)}
    states = {k: np.zeros(s, np.float32) for k, s in shapes.items()} | {"processed_lens": np.zeros(1, np.int64)}
    stream, rng, outputs = toy.encoder_stream(), np.random.default_rng(0), []
    for step in range(5):
        x = rng.normal(0, 3, (13, 80)).astype(np.float32)
        expected, *new = session.run(None, {"x": x[None], **states})
        states = dict(zip(states, new, strict=True))
        outputs.append(stream.run(x).out)
        np.testing.assert_array_equal(outputs[-1], expected[0])
        assert states["processed_lens"] == step + 1
    assert len({o.tobytes() for o in outputs}) == 5


def test_streams_of_one_model_and_forks_do_not_disturb_one_another(toy: Transducer) -> None:
    rng = np.random.default_rng(1)
    chunks = rng.normal(0, 3, (4, 13, 80)).astype(np.float32)
    alone = toy.encoder_stream()
    expected = [alone.run(chunk).out for chunk in chunks]
    one, other = toy.encoder_stream(), toy.encoder_stream()
    for k, chunk in enumerate(chunks):
        other.run(chunks[-1 - k])
        fork = one.fork()
        fork.run(np.zeros((13, 80), np.float32))
        np.testing.assert_array_equal(one.run(chunk).out, expected[k])


def test_phones_come_where_they_are_asked_for(toy: Transducer, toy_with_phones: Transducer) -> None:
    x = np.random.default_rng(3).normal(0, 3, (13, 80)).astype(np.float32)
    told = toy_with_phones.encoder_stream(phones=True)
    for stream in (told, told.fork()):
        encoded = stream.run(x)
        assert encoded.phones is not None
        assert encoded.phones.shape == (2, len(toy_with_phones.phones))
        np.testing.assert_allclose(np.exp(encoded.phones).sum(1), 1, rtol=1e-5)
    plain = toy_with_phones.encoder_stream().run(x)
    assert plain.phones is None
    assert toy.encoder_stream(phones=True).run(x).phones is None
    np.testing.assert_array_equal(plain.out, toy.encoder_stream().run(x).out)


def test_one_model_serves_many_threads(toy: Transducer) -> None:
    chunks = np.random.default_rng(2).normal(0, 3, (20, 13, 80)).astype(np.float32)
    reference = toy.encoder_stream()
    expected = [reference.run(chunk).out for chunk in chunks]
    wrong: list[int] = []

    def work(number: int) -> None:
        stream = toy.encoder_stream()
        for chunk, want in zip(chunks, expected, strict=True):
            if not np.array_equal(stream.run(chunk).out, want):
                wrong.append(number)
            toy.predict((number % 11, 3))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_predictor_is_computed_once_per_context(toy_folder: Path) -> None:
    model = Transducer.load(toy_folder)
    before = model.predict.cache_info().misses
    first = model.predict((3, 4))
    assert model.predict((3, 4)) is first
    assert model.predict((4, 3)) is not first
    assert model.predict.cache_info().misses == before + 2


@pytest.mark.parametrize("quantised", [False, True])
def test_joiner_rows_do_not_depend_on_their_neighbours(tmp_path: Path, quantised: bool) -> None:
    model = Transducer.load(write_toy_model(tmp_path / "m", ToyModel(quantise_joiner=quantised)))
    rng = np.random.default_rng(3)
    encoded = (rng.normal(0, 1, (7, 6)) * np.linspace(0.1, 5, 7)[:, None]).astype(np.float32)
    decoded = model.predict((1, 2))
    together = model.join(encoded, decoded)
    apart = np.concatenate([model.join(row[None], decoded) for row in encoded])
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-5)


def test_precision_chooses_the_files(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "m")
    for part in ("encoder", "decoder", "joiner"):
        shutil.copy(folder / f"{part}.onnx", folder / f"{part}-epoch-9.int8.onnx")
    assert Transducer.load(folder).info.precision == "int8"
    assert Transducer.load(folder, precision="float").info.precision == "float"
    (folder / "encoder-epoch-9.int8.onnx").unlink()
    assert Transducer.load(folder).info.precision == "float"
    with pytest.raises(ModelFileError, match="in int8"):
        Transducer.load(folder, precision="int8")
    with pytest.raises(ModelError, match="expected auto, int8, fp16, float"):
        Transducer.load(folder, precision="fp8")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no such model folder"):
        Transducer.load(tmp_path / "none")


@pytest.mark.parametrize("part", ["encoder", "decoder", "joiner"])
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "random"])
def test_damaged_graph_is_named(tmp_path: Path, part: str, damage: str) -> None:
    path = write_toy_model(tmp_path / "m") / f"{part}.onnx"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {
                "empty": b"",
                "truncated": content[: len(content) * 2 // 3],
                "random": np.random.default_rng(0).bytes(900),
            }[damage]
        )
    with pytest.raises(ModelFileError, match=part) as caught:
        Transducer.load(path.parent)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("first", "second"), [("encoder", "decoder"), ("decoder", "joiner"), ("encoder", "joiner")])
def test_swapped_files_are_named(tmp_path: Path, first: str, second: str) -> None:
    folder = write_toy_model(tmp_path / "m")
    one, two = folder / f"{first}.onnx", folder / f"{second}.onnx"
    one.rename(folder / "kept")
    two.rename(one)
    (folder / "kept").rename(two)
    with pytest.raises(ModelFileError, match="not an? (encoder|stateless decoder|joiner)"):
        Transducer.load(folder)


def test_files_of_different_models_do_not_load_together(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "m")
    other = ToyModel(dim=7)
    write_joiner(folder / "joiner.onnx", other)
    with pytest.raises(ModelFileError, match=r"joiner\.onnx"):
        Transducer.load(folder)
    folder = write_toy_model(tmp_path / "n")
    (folder / "tokens.txt").write_text("<blk> 0\n▁a 1\n")
    with pytest.raises(ModelFileError, match=r"'vocab_size' is 11, but tokens.txt has 2"):
        Transducer.load(folder)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ({"T": ""}, "'T'"),
        ({"T": "-3"}, "'T'"),
        ({"T": "12"}, "x takes 13"),
        ({"decode_chunk_len": "99"}, "decode_chunk_len"),
        ({"decode_chunk_len": "many"}, "many"),
    ],
)
def test_encoder_metadata_is_checked(tmp_path: Path, metadata: dict[str, str], problem: str) -> None:
    folder = write_toy_model(tmp_path / "m")
    write_encoder(folder / "encoder.onnx", ToyModel(), **metadata)
    with pytest.raises(ModelFileError, match=problem):
        Transducer.load(folder)


def test_decoder_metadata_is_checked(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "m")
    write_decoder(folder / "decoder.onnx", ToyModel(), context_size=3)
    with pytest.raises(ModelFileError, match="takes 2 tokens"):
        Transducer.load(folder)


def test_several_graphs_of_a_part_are_not_guessed_at(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "m")
    shutil.copy(folder / "encoder.onnx", folder / "encoder-epoch-3.onnx")
    with pytest.raises(ModelFileError, match="one of several"):
        Transducer.load(folder)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_token_list_of_icefall_loads_as_it_is(tmp_path: Path, count: int) -> None:
    folder = write_toy_model(tmp_path / "m")
    plain = Transducer.load(folder)
    with (folder / "tokens.txt").open("a", encoding="utf-8") as file:
        file.writelines(f"#{number} {len(plain.vocabulary) + number}\n" for number in range(count))
    model = Transducer.load(folder)
    assert model.vocabulary == plain.vocabulary
    assert model.info.vocab_size == plain.info.vocab_size


@pytest.mark.parametrize("feature", ["whisper", "Whisper", "mfcc", "whisper-80"])
def test_features_of_another_kind_are_refused_in_one_line(tmp_path: Path, feature: str) -> None:
    folder = write_toy_model(tmp_path / "m")
    write_encoder(folder / "encoder.onnx", ToyModel(), feature=feature)
    with pytest.raises(ModelFileError, match=f"'feature' is '{feature}'.*filter bank") as caught:
        Transducer.load(folder)
    assert "\n" not in str(caught.value)
    write_encoder(folder / "encoder.onnx", ToyModel(), feature="fbank")
    Transducer.load(folder)


VARIANTS = ("chunk-16-left-64", "chunk-16-left-128", "chunk-32-left-128", "chunk-32-left-256")


def folder_of_variants(folder: Path, *encoders: str, others: str = "-epoch-99-avg-1") -> Path:
    """A folder as icefall's zipformer recipes publish it."""
    write_toy_model(folder)
    for name in encoders:
        shutil.copy(folder / "encoder.onnx", folder / f"encoder{name}.onnx")
    for part in ("decoder", "joiner"):
        (folder / f"{part}.onnx").rename(folder / f"{part}{others}.onnx")
    (folder / "encoder.onnx").unlink()
    return folder


def test_of_several_chunks_and_contexts_the_least_delay_and_the_longest_context_runs(tmp_path: Path) -> None:
    names = [f"-epoch-99-avg-1-{variant}" for variant in VARIANTS]
    folder = folder_of_variants(tmp_path / "m", *names, *(f"{name}.int8" for name in names))
    assert Transducer.load(folder).info.graphs[0].name == "encoder-epoch-99-avg-1-chunk-16-left-128.int8.onnx"
    assert Transducer.load(folder, precision="float").info.graphs[0].name.endswith("16-left-128.onnx")
    chosen = folder / "encoder-epoch-99-avg-1-chunk-32-left-256.onnx"
    model = Transducer.load(resolve(chosen))
    assert model.info.graphs[0] == chosen
    assert (model.info.folder, model.info.name, model.info.precision) == (folder, "m", "float")


def test_decoder_and_joiner_are_those_of_the_encoder(tmp_path: Path) -> None:
    folder = folder_of_variants(tmp_path / "m", *(f"-epoch-99-avg-1-{one}" for one in VARIANTS))
    for one in VARIANTS:
        for part in ("decoder", "joiner"):
            source = folder / f"{part}-epoch-99-avg-1.onnx"
            shutil.copy(source, folder / f"{part}-epoch-99-avg-1-{one}.onnx")
    assert [
        path.name for path in Transducer.load(folder / f"encoder-epoch-99-avg-1-{VARIANTS[2]}.onnx").info.graphs
    ] == [f"{part}-epoch-99-avg-1-{VARIANTS[2]}.onnx" for part in ("encoder", "decoder", "joiner")]


def test_half_precision_is_told_from_float(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "m")
    for part in ("encoder", "decoder", "joiner"):
        shutil.copy(folder / f"{part}.onnx", folder / f"{part}.fp16.onnx")
    assert Transducer.load(folder).info.graphs[0].name == "encoder.onnx"
    half = Transducer.load(folder, precision="fp16").info
    assert half.precision == "fp16"
    assert [path.name for path in half.graphs] == [f"{part}.fp16.onnx" for part in ("encoder", "decoder", "joiner")]
    with pytest.raises(ModelFileError, match=r"in int8 .*found encoder\.fp16\.onnx, encoder\.onnx"):
        Transducer.load(folder, precision="int8")
    for part in ("encoder", "decoder", "joiner"):
        (folder / f"{part}.onnx").unlink()
    assert Transducer.load(folder).info.precision == "fp16"


def test_encoders_that_differ_otherwise_are_named_and_one_can_be(tmp_path: Path) -> None:
    folder = folder_of_variants(tmp_path / "m", "-epoch-30-avg-4-chunk-16-left-64", "-epoch-99-avg-1-chunk-16-left-64")
    with pytest.raises(ModelFileError, match=r"one of several .*--model .*/encoder-epoch"):
        Transducer.load(folder)
    Transducer.load(folder / "encoder-epoch-99-avg-1-chunk-16-left-64.onnx")


def test_a_session_of_another_onnxruntime_is_run_as_it_is() -> None:
    class Other:
        """A session that wraps nothing under the name that it has had so far."""

        def run(self, outputs: list[str], feeds: dict[str, np.ndarray], options: None) -> list[np.ndarray]:
            assert (outputs, options) == (["out"], None)
            return [feeds["x"] + 1]

    np.testing.assert_array_equal(runner(Other())(["out"], {"x": np.arange(3)})[0], [1, 2, 3])
