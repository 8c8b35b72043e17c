"""Stored weights are the weights that were given, to half a step, and a damaged file is one clear error."""

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.models.compression import (
    CompressionError,
    Sections,
    SparseRows,
    read_sections,
    write_sections,
)
from nearword.models.compression.packed import PackedInts


def example(rows=300, columns=20, weights=900, seed=1, **settings):
    random = np.random.default_rng(seed)
    keys = np.unique(random.integers(0, 1 << 64, rows, np.uint64))
    places = np.unique(random.integers(0, len(keys) * columns, weights))
    values = random.normal(size=len(places))
    dense = np.zeros((len(keys), columns))
    dense[places // columns, places % columns] = values
    stored = SparseRows.build(keys, places // columns, places % columns, values, columns, **settings)
    return keys, dense, stored


def dense_of(stored, keys):
    found = stored.rows(keys)
    out = np.zeros((len(keys), stored.num_columns))
    np.add.at(out, (found.key, found.column), found.weight)
    return out


@pytest.mark.parametrize("levels", [4, 16, 100, 256, 65_536])
def test_weights_come_back_to_half_a_step(levels):
    keys, dense, stored = example(levels=levels, fingerprint_bits=24)
    assert np.abs(dense_of(stored, keys) - dense).max() <= stored.step / 2 + 1e-6


@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 200), st.integers(0, 9))
def test_any_matrix_comes_back(rows, columns, weights, seed):
    keys, dense, stored = example(rows, columns, weights, seed, fingerprint_bits=24)
    assert np.abs(dense_of(stored, keys) - dense).max(initial=0) <= stored.step / 2 + 1e-6


def test_a_key_may_be_asked_for_again_and_need_not_be_known():
    keys, dense, stored = example(fingerprint_bits=24)
    asked = np.array([keys[3], 12345, keys[3], keys[7]], np.uint64)
    expected = np.stack([dense[3], np.zeros(20), dense[3], dense[7]])
    assert np.abs(dense_of(stored, asked) - expected).max() <= stored.step / 2 + 1e-6


@given(st.lists(st.booleans(), min_size=9, max_size=9), st.integers(0, 9))
def test_columns_that_are_not_wanted_are_not_there_and_all_others_are_as_before(wanted, seed):
    keys, _, stored = example(40, 9, 150, seed, fingerprint_bits=24)
    every, some = stored.rows(keys), stored.rows(keys, np.array(wanted))
    kept = np.array(wanted)[every.column]
    for name in ("key", "column", "weight"):
        assert np.array_equal(getattr(some, name), getattr(every, name)[kept])


def test_what_rounds_to_zero_is_gone_and_its_row_too():
    stored = SparseRows.build(np.array([1, 2], np.uint64), [0, 0, 1], [0, 1, 1], [1.0, 0.0001, -0.0001], 2)
    assert stored.columns.count == 1
    assert stored.keys.count == 1


def test_a_weight_that_is_no_number_is_refused():
    with pytest.raises(CompressionError, match="finite"):
        SparseRows.build(np.array([1], np.uint64), [0], [0], [np.nan], 2)


def test_a_file_holds_what_was_written(tmp_path):
    keys, _, stored = example()
    write_sections(tmp_path / "a.bin", "test", stored.sections("rows"))
    read = SparseRows.from_sections(read_sections(tmp_path / "a.bin", "test"), "rows")
    assert np.array_equal(dense_of(read, keys), dense_of(stored, keys))
    assert isinstance(read.columns.data.base, np.memmap) or not read.columns.data.flags.owndata
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bin"]


def test_equal_weights_make_equal_files(tmp_path):
    for name in ("a", "b"):
        write_sections(tmp_path / name, "test", example()[2].sections("rows"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_arrays_of_all_types_come_back(tmp_path):
    arrays = {name: np.arange(5, dtype=kind) for name, kind in
              [("a", np.uint8), ("b", np.uint32), ("c", np.uint64), ("d", np.float32)]}  # fmt: skip
    write_sections(tmp_path / "a", "test", Sections({"some": {"text": "ß", "list": ["x"]}}, arrays))
    read = read_sections(tmp_path / "a", "test")
    assert all(np.array_equal(read.array(name), array) for name, array in arrays.items())
    assert read.values_of("some").text("text") == "ß"
    assert read.values_of("some").texts("list") == ("x",)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: b"", "is no model"),
        (lambda data: data[:100], "checksum"),
        (lambda data: data[:-1], "checksum"),
        (lambda data: b"RIFF1234" + data[8:], "none of nearword's files"),
        (lambda data: data[:8] + b"\x09" + data[9:], "version 9"),
        (lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:], "checksum"),
    ],
)
def test_a_damaged_file_is_one_error_that_names_it(tmp_path, damage, told):
    path = tmp_path / "a.bin"
    write_sections(path, "test", example()[2].sections("rows"))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CompressionError, match=told) as raised:
        read_sections(path, "test")
    assert str(path) in str(raised.value)


def test_a_file_of_another_kind_says_so(tmp_path):
    write_sections(tmp_path / "a", "other", Sections({}, {}))
    with pytest.raises(CompressionError, match="holds 'other'; expected 'test'"):
        read_sections(tmp_path / "a", "test")


def test_a_mutated_file_with_a_right_checksum_is_refused_or_harmless(tmp_path):
    """Whoever forges a file can forge its checksum: then nothing but the checks of its parts stands in the way."""
    path, (keys, _, stored) = tmp_path / "a.bin", example()
    write_sections(path, "test", stored.sections("rows"))
    whole = path.read_bytes()
    random = np.random.default_rng(4)
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            data[random.integers(20, len(data))] = random.integers(256)
        data[16:20] = np.uint32(zlib.crc32(bytes(data[20:]))).tobytes()
        path.write_bytes(data)
        try:
            found = SparseRows.from_sections(read_sections(path, "test"), "rows").rows(keys)
        except CompressionError:
            refused += 1
        else:
            assert len(found.column) <= 20 * len(keys)
    assert refused > 100


@pytest.mark.parametrize(
    "header",
    [
        b"[]", b"nothing", b"{}", b'{"format":"test","values":3,"arrays":[]}', b"[" * 100_000,
        json.dumps({"format": "test", "values": {}, "arrays": [["a", "u8", 1 << 50]]}).encode(),
        json.dumps({"format": "test", "values": {}, "arrays": [["a", "u8", -1]]}).encode(),
        json.dumps({"format": "test", "values": {}, "arrays": [["a", "O", 1]]}).encode(),
    ],
)  # fmt: skip
def test_a_hostile_header_is_refused(tmp_path, header):
    numbers = np.array([1, len(header), zlib.crc32(header)], "<u4").tobytes()
    (tmp_path / "a").write_bytes(b"nearword" + numbers + header)
    with pytest.raises(CompressionError):
        read_sections(tmp_path / "a", "test")


def test_parts_that_do_not_fit_are_refused():
    stored = example()[2]
    with pytest.raises(CompressionError, match="rows"):
        replace(stored, last=replace(stored.last, data=~stored.last.data))
    with pytest.raises(CompressionError, match="end"):
        replace(stored, last=PackedInts.pack([1]))
    with pytest.raises(CompressionError, match="column"):
        replace(stored, num_columns=3)
    with pytest.raises(CompressionError, match="step"):
        replace(stored, step=float("nan"))
    with pytest.raises(CompressionError, match="power"):
        replace(stored, power=9.0)


def test_a_file_of_a_version_before_says_so():
    sections = example()[2].sections("rows")
    arrays = {name.replace("last", "lengths"): array for name, array in sections.arrays.items()}
    with pytest.raises(CompressionError, match="version before"):
        SparseRows.from_sections(Sections(sections.values, arrays), "rows")


def test_a_row_takes_no_more_where_another_is_long():
    keys = np.arange(1, 1001, dtype=np.uint64)
    rows = np.concatenate([np.arange(1000), np.zeros(63, np.int64)])
    columns = np.concatenate([np.zeros(1000, np.int64), np.arange(1, 64)])
    short, long = (
        SparseRows.build(keys, rows[:count], columns[:count], np.ones(count), 64, levels=16, fingerprint_bits=6)
        for count in (1000, 1063)
    )
    size_of = [sum(array.nbytes for array in one.sections("rows").arrays.values()) for one in (short, long)]
    assert size_of[1] - size_of[0] <= 63 * (6 + 4 + 1) / 8 + 8


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_with_a_power_small_weights_come_back_more_exactly_and_the_largest_as_it_was(power):
    weights = np.concatenate([np.random.default_rng(2).uniform(0.02, 0.1, 200), [-1.0]])
    keys, rows, columns = np.arange(1, 202, dtype=np.uint64), np.arange(201), np.zeros(201, np.int64)
    errors = []
    for chosen in (1.0, power):
        stored = SparseRows.build(keys, rows, columns, weights, 1, levels=32, fingerprint_bits=24, power=chosen)
        back = dense_of(stored, keys)[:, 0]
        assert back[-1] == pytest.approx(-1.0)
        errors.append(np.abs(back - weights)[:-1].mean())
    assert errors[1] < 0.6 * errors[0]
