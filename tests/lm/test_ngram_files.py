import contextlib
import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nearword.lattice.language import LanguageModelError, NgramModel, load_ngram, save_ngram, train_pieces

SYMBOLS = ("<blk>", "<unk>", "▁play", "▁jazz", "▁chess", "s")
ARPA = """\\data\\
ngram 1=4
ngram 2=3

\\1-grams:
-99\t<s>\t-0.30103
-1.0\t</s>
-0.5\ta\t-0.2
-0.4\tb

\\2-grams:
-0.1\t<s> a
-0.2\ta b
-0.3\ta </s>

\\end\\
"""


@pytest.fixture
def model() -> NgramModel:
    rng = np.random.default_rng(1)
    sentences = [" ".join(map(str, rng.integers(2, 6, rng.integers(1, 9)))) for _ in range(200)]
    return train_pieces(sentences, SYMBOLS, lambda s: list(map(int, s.split())), order=4)


def walk(model: NgramModel, tokens: list[int]) -> list[float]:
    state, scores = model.start, []
    for token in tokens:
        scores += [*model.scores(state), model.final(state)]
        state = model.advance(state, token)
    return scores


@pytest.mark.parametrize(("name", "error"), [("lm.arpa", 1e-4), ("lm.arpa.gz", 1e-4), ("lm.bin", 0.01)])
def test_a_model_comes_back_from_its_file(model: NgramModel, tmp_path: Path, name: str, error: float) -> None:
    save_ngram(model, tmp_path / name)
    again = load_ngram(tmp_path / name, SYMBOLS)
    assert (again.symbols, again.unit, again.counts) == (SYMBOLS, "pieces", model.counts)
    tokens = [2, 3, 0, 2, 5, 4, 4, 1, 3]
    assert walk(again, tokens) == pytest.approx(walk(model, tokens), abs=error)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_equal_models_make_equal_files(model: NgramModel, tmp_path: Path) -> None:
    save_ngram(model, tmp_path / "one.bin")
    save_ngram(model, tmp_path / "two.bin")
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "two.bin").read_bytes()


def test_tokens_are_numbered_as_the_speech_model_numbers_them(model: NgramModel) -> None:
    other = ("<blk>", "s", "▁never", "▁chess", "<unk>", "▁jazz", "▁play")
    moved = model.aligned(other)
    for sentence in ([2, 3, 5], [4, 4, 2, 1], [5, 0, 5]):
        assert moved.sentence([other.index(SYMBOLS[k]) for k in sentence]) == pytest.approx(model.sentence(sentence))
    assert moved.scores(moved.start)[2] == moved.scores(moved.start)[4]  # not in the model: as likely as <unk>
    assert moved.scores(moved.start)[0] == 0


def test_arpa_of_others_is_read(tmp_path: Path) -> None:
    (tmp_path / "lm.arpa").write_text(ARPA)
    model = load_ngram(tmp_path / "lm.arpa")
    assert (model.symbols, model.unit, model.counts) == (("a", "b"), "words", (4, 3))
    ten = np.log(10)
    assert model.scores(model.start) == pytest.approx([-0.1 * ten, (-0.30103 - 0.4) * ten])
    after_a = model.advance(model.start, 0)
    assert model.scores(after_a) == pytest.approx([(-0.2 - 0.5) * ten, -0.2 * ten])
    assert model.final(after_a) == pytest.approx(-0.3 * ten)
    assert model.advance(after_a, 1) == 0  # nothing follows b: the state is the empty history
    assert model.sentence([0, 1]) == pytest.approx((-0.1 - 0.2 - 1.0) * ten)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\\data\\", "data", "is no n-gram model"),
        ("ngram 2=3", "ngram 2=4", "announces 4 2-grams, but has 3"),
        ("ngram 2=3", "ngram 2=99999999999", "the limits are"),
        ("ngram 2=3", "ngram 3=3", "expected 'ngram 2=COUNT'"),
        ("-0.2\ta b", "nope\ta b", "no numbers"),
        ("-0.2\ta b", "nan\ta b", "not a finite number"),
        ("-0.2\ta b", "-0.2\ta c", "it is no 1-gram"),
        ("-0.2\ta b", "-0.2\ta", "expected a score, 2 words"),
        ("-0.2\ta b", "-0.2\ta </s>", "a 2-gram twice"),
        ("-0.4\tb", "-0.4\ta", "1-gram 'a' twice"),
        ("\\end\\", "", "cut off"),
        ("\\2-grams:", "\\3-grams:", "was expected"),
    ],
)
def test_what_is_wrong_with_an_arpa_file_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "lm.arpa"
    path.write_text(ARPA.replace(old, new, 1))
    with pytest.raises(LanguageModelError, match=said) as caught:
        load_ngram(path)
    assert str(path) in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_in_one_way(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    model = train_pieces(["2 3", "3 4 5"], SYMBOLS, lambda s: list(map(int, s.split())), order=3)
    save_ngram(model, folder / "lm.bin")
    content = bytearray((folder / "lm.bin").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "lm.bin").write_bytes(content[: data.draw(st.integers(2, len(content)))])
    with contextlib.suppress(LanguageModelError):
        load_ngram(folder / "lm.bin")


@pytest.mark.parametrize("name", ["lm.bin", "lm.arpa.gz"])
def test_any_byte_may_be_damaged(model: NgramModel, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_ngram(model, path)
    content = path.read_bytes()
    refused = 0
    for place in range(2, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
        try:
            load_ngram(path)
        except LanguageModelError:
            refused += 1
    assert refused > len(content) / 2


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "lm.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("header", "word"):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                for _ in range(1100):
                    file.write(bytes(1_000_000))
    with pytest.raises(LanguageModelError, match="unpacks to more than"):
        load_ngram(tmp_path / "lm.bin")


def test_gzip_that_is_cut_off_is_refused(model: NgramModel, tmp_path: Path) -> None:
    (tmp_path / "lm.arpa.gz").write_bytes(gzip.compress(ARPA.encode())[:-12])
    with pytest.raises(LanguageModelError, match=r"lm\.arpa\.gz"):
        load_ngram(tmp_path / "lm.arpa.gz")


def test_rows_are_kept_within_a_bound(model: NgramModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearword.lattice.language.ngram.CACHED_BYTES", 48 * 20)
    fresh = model.aligned(("<blk>", *reversed(SYMBOLS[1:])))
    wanted = {state: fresh.scores(state).copy() for state in range(fresh.trie.num_nodes)}
    assert len(fresh._rows._rows) == 20
    assert all(np.array_equal(fresh.scores(state), row) for state, row in wanted.items())


def test_states_after_tokens_do_not_depend_on_what_is_kept(model: NgramModel) -> None:
    fresh = model.aligned(("<blk>", *reversed(SYMBOLS[1:])))
    pairs = [(state, token) for state in range(fresh.trie.num_nodes) for token in range(len(fresh.symbols))]
    before = [fresh.advance(state, token) for state, token in pairs]
    for state, token in pairs:
        fresh.scores(state)
        assert fresh.advance(state, token) == before.pop(0)


def test_the_command_line_trains_and_measures(run_cli, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("set an alarm for seven\nset an alarm for eight\nplay some jazz\n" * 5)
    for name, more in (("lm.bin", ["--max-mb", "0.0095"]), ("lm.arpa", []), ("words.arpa", ["--units", "words"])):
        trained = run_cli("lm", "train", text, "-o", tmp_path / name, "--order", 3, *more)
        assert trained.returncode == 0, trained.stderr
        assert "order 3 over" in trained.stdout
        measured = run_cli("lm", "perplexity", tmp_path / name, text, "--format", "json")
        found = json.loads(measured.stdout)
        assert found["sentences"] == 15
        assert found["unknown"] == 0
        assert 1 < found["perplexity_per_word"] < 10


def test_the_command_line_says_what_is_wrong_in_one_line(run_cli, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n\n")
    (tmp_path / "not.bin").write_bytes(b"PK\x03\x04 and no more")
    missing = run_cli("lm", "train", tmp_path / "none.txt", "-o", tmp_path / "lm.bin")
    assert missing.returncode == 2
    empty = run_cli("lm", "train", tmp_path / "text.txt", "-o", tmp_path / "lm.bin")
    assert empty.returncode == 1
    assert empty.stderr == f"nearword: {tmp_path / 'text.txt'}: no text to train on; expected a sentence a line\n"
    broken = run_cli("lm", "perplexity", tmp_path / "not.bin", tmp_path / "text.txt")
    assert broken.returncode == 1
    assert broken.stderr.count("\n") == 1
    assert "not.bin: is no n-gram model, or damaged" in broken.stderr
