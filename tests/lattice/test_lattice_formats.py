import contextlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import all_paths, lattices, random_lattice, same, words_of
from nearword.lattice import FORMATS, Lattice, LatticeError, Limits, read_lattice, write_lattice
from nearword.lattice.formats.att import from_att, to_att, to_symbols
from nearword.lattice.formats.dot import to_dot
from nearword.lattice.formats.json_format import from_json, to_json
from nearword.lattice.formats.slf import from_slf, to_slf

READABLE = [name for name, form in FORMATS.items() if form.read]


def named_paths(lattice: Lattice) -> dict[tuple[str, ...], float]:
    return {words_of(lattice, arcs): pytest.approx(score, abs=1e-4) for arcs, score in all_paths(lattice)}


@given(lattices())
def test_json_loses_nothing(lattice: Lattice) -> None:
    text = to_json(lattice)
    assert same(from_json(text), lattice)
    assert to_json(from_json(text)) == text


@given(lattices())
def test_slf_loses_times_below_a_tenth_of_a_millisecond_only(lattice: Lattice) -> None:
    again = from_slf(to_slf(lattice))
    assert named_paths(again) == {words_of(lattice, arcs): score for arcs, score in all_paths(lattice)}
    assert again.offset == lattice.offset
    # words are numbered anew, so that arcs between the same nodes may change places
    order, before = (
        sorted(range(one.num_arcs), key=lambda arc: (one.source[arc], one.target[arc], one.words[one.word[arc]]))
        for one in (again, lattice)
    )
    np.testing.assert_allclose(again.start[order], lattice.start[before], atol=2e-4)
    np.testing.assert_allclose(again.end[order], lattice.end[before], atol=3e-4)
    np.testing.assert_allclose(again.scores[order], lattice.scores[before], atol=1e-6)
    np.testing.assert_allclose(again.final, lattice.final, atol=1e-6)


@given(lattices())
def test_att_keeps_words_and_totals(lattice: Lattice) -> None:
    for again in (from_att(to_att(lattice)), from_att(to_att(lattice, numbered=True), symbols=to_symbols(lattice))):
        assert named_paths(again) == {words_of(lattice, arcs): score for arcs, score in all_paths(lattice)}
        assert again.text(again.best_path()) == lattice.text(lattice.best_path())


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_a_word_comes_back_as_it_was_or_is_refused(word: str) -> None:
    place = np.zeros(1, int)
    final = np.array([[-np.inf, 0, 0], [0, 0, 0]])
    lattice = Lattice((word,), place, place + 1, place, place, place + 1, np.full((1, 3), -1), final)
    for name in READABLE:
        try:
            data = FORMATS[name].write(lattice)
        except LatticeError:
            assert name in {"slf", "att"}
            assert word.split() != [word] or word.startswith(("<", "!"))
        else:
            assert FORMATS[name].read(data, Limits()).words == (word,)


@pytest.mark.parametrize("name", READABLE)
def test_files_are_recognised_by_their_content(name: str, tmp_path: Path) -> None:
    lattice = random_lattice(4)
    write_lattice(lattice, tmp_path / "any", name)
    again = read_lattice(tmp_path / "any")
    assert words_of(again, again.best_path()) == words_of(lattice, lattice.best_path())
    suffix = FORMATS[name].suffixes[0]
    write_lattice(lattice, tmp_path / f"any{suffix}")
    assert (tmp_path / f"any{suffix}").read_bytes() == (tmp_path / "any").read_bytes()


@pytest.mark.parametrize("name", READABLE)
def test_nothing_said_can_be_written_and_read(name: str) -> None:
    none = np.zeros(0)
    lattice = Lattice((), none, none, none, none, none, np.zeros((0, 3)), np.array([[-0.5, 0, 0]]))
    again = FORMATS[name].read(FORMATS[name].write(lattice), Limits())
    assert (again.num_nodes, again.num_arcs, again.final_totals[0]) == (1, 0, -0.5)


def test_json_is_as_its_schema_says() -> None:
    from nearword.lattice import formats

    schema = json.loads(Path(formats.__file__).with_name("lattice.schema.json").read_text())
    document = json.loads(to_json(random_lattice(7)))
    assert set(document) == set(schema["required"]) == set(schema["properties"])
    for name in ("arcs", "ends"):
        items = schema["properties"][name]["items"]
        assert set(document[name][0]) == set(items["required"]) == set(items["properties"])
    assert document["format"] == schema["properties"]["format"]["const"]
    assert document["version"] == schema["properties"]["version"]["const"]


FOREIGN = """\
# made by another recogniser
VERSION=1.0
UTTERANCE=u1
lmscale=2.0 wdpenalty=-0.5
base=10
N=5 L=5
I=0 t=0.00
I=1 t=0.30 W=!NULL
I=2 t=0.80 W=play
I=3 t=0.80 W=pay
I=4 t=1.20 W=</s>
J=0 S=0 E=1 a=-1.0 l=0
J=1 START=1 END=2 acoustic=-2.0 language=-0.5
J=2 S=1 E=3 a=-2.5 l=-0.2 v=1
J=3 S=2 E=4 l=-0.1
J=4 S=3 E=4 l=-0.3
"""


def test_slf_of_other_programs_is_read_with_words_on_nodes_and_scales() -> None:
    lattice = from_slf(FOREIGN)
    ten = math.log(10)
    assert lattice.words == ("play", "pay")
    assert named_paths(lattice) == {
        ("play",): (-3.0 + 2 * -0.6 - 0.5) * ten,
        ("pay",): (-3.5 + 2 * -0.5 - 0.5) * ten,
    }
    assert lattice.start.tolist() == pytest.approx([0.3, 0.3])
    assert lattice.end.tolist() == pytest.approx([0.8, 0.8])


BY_SRILM = """\
# Header (generated by SRILM)
VERSION=1.1
UTTERANCE=some where/a recording
base=10
dir=f
ngscale=0.5
x1scale=2
lmname=a "model"
start=0
end=2
NODES=3 LINKS=3
# Nodes
I=0\tt=0
I=1\tt=0.5\ta=-1
I=2\tt=1
# Links
J=0\tS=0\tE=1\tW=don't\tn=-2\tr=-0.5\tx1=0.25 # as said
J=1\tS=1\tE=2\tW=stop\ta=-3\tp=0.7
J=2\tS=1\tE=2\tW=!NULL\ta=-4
"""


def test_slf_is_read_as_srilm_reads_it() -> None:
    lattice = from_slf(BY_SRILM)
    ten = math.log(10)
    begin = -1 - 0.5 + 0.5 * -2 + 2 * 0.25
    assert named_paths(lattice) == {("don't", "stop"): (begin - 3) * ten, ("don't",): (begin - 4) * ten}
    assert lattice.scores[0] == pytest.approx(np.array([-1.5, 0.5, -1.0]) * ten)


def test_a_transducer_is_read_by_what_it_puts_out() -> None:
    lattice = from_att("2 0 p play 1.5\n2 0 b <eps> 0.5\n0 7 q jazz 0\n7 0.25\n")
    assert named_paths(lattice) == {("play", "jazz"): -1.75, ("jazz",): -0.75}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 a 1\n1 0 b 1\n1\n", "leads back to the start"),
        ("0 1 a 1\n1 2 b 1\n2 1 c 1\n2\n", "cycle"),
        ("0 1 a 1\n2 1 b 1\n1\n", "node 2 cannot be reached"),
        ("0 1 a 1\n0 2 b 1\n1\n", "node 2 leads to no end"),
        ("0 1 a nan\n1\n", "line 1: the cost is 'nan'"),
        ("0 1 a Infinity\n1\n", "finite"),
        ("0 1 a 1e99\n1\n", "finite"),
        ("0 -1 a 1\n1\n", "whole number"),
        ("0 1 a b 1 2\n1\n", "6 columns"),
        ("0 1 a 1\n1\n1\n", "end already"),
        ("\n", "empty"),
    ],
)
def test_att_errors_name_line_and_reason(text: str, message: str) -> None:
    with pytest.raises(LatticeError, match=message):
        from_att(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("J=4 S=3", "J=4 S=9", "node 9, which there is not"),
        ("J=4", "J=3", "line 16: J=3 occurs twice"),
        ("L=5", "L=6", "announces 6 links; found 5"),
        ("base=10", "base=0", "base is 0.0"),
        ("base=10", "SUBLAT=x", "sub-lattices"),
        ("a=-1.0", "a=-inf", "finite"),
        ("S=3 E=4", "S=3 E=0", "leads back|could be the start"),
        ("J=4 S=3", "J=4 S=2", "node 3 leads to no end|2 nodes could be the end"),
        ("J=2 S=1 E=3", "J=2 S=1", "no field E="),
        ("t=0.30", "t=", "t is ''"),
        ("UTTERANCE=u1", "UTTERANCE", "no field; expected name=value"),
        ("UTTERANCE=u1", "dir=b", "backwards"),
    ],
)
def test_slf_errors_name_line_and_reason(old: str, new: str, message: str) -> None:
    assert old in FOREIGN
    with pytest.raises(LatticeError, match=message):
        from_slf(FOREIGN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 1', '"version": 2', "version 2"),
        ('"offset": 0.0', '"offset": NaN', "NaN is not a finite number"),
        ('"offset": 0.0', '"offset": 1e999', "offset is inf"),
        ('"nodes": 3', '"nodes": 99', "cannot be reached"),
        ('"nodes": 3', '"nodes": 2', "expected a whole number from 0 to 1"),
        ('"nodes": 3', '"nodes": ' + "9" * 5000, "5000 digits"),
        ('"nodes": 3', '"nodes": ' + "[" * 100_000, "too deeply|JSON lattice"),
        ('"from": 1, "to": 2', '"from": 1, "to": 1', "no cycles"),
        ('"word": "a"', '"word": ""', "1 to 1000 characters"),
        ('"word": "a"', '"word": "\\ud800"', "not Unicode"),
        ('"word": "a"', '"word": null', "word is None"),
        ('"bias"', '"boost"', "lacks 'bias'"),
        ('"arcs"', '"extra": 0, "arcs"', "unknown field 'extra'"),
        ("{", "[", "JSON lattice"),
    ],
)
def test_json_errors_name_place_and_reason(old: str, new: str, message: str) -> None:
    text = to_json(from_att("0 1 a 1\n1 2 b 1\n2\n"))
    assert old in text
    with pytest.raises(LatticeError, match=message):
        from_json(text.replace(old, new, 1))


@pytest.mark.parametrize("name", READABLE)
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 50), edits=st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=4)), max_size=6))
def test_a_damaged_file_is_a_lattice_or_an_error_that_says_so(name: str, seed: int, edits: list) -> None:
    data = bytearray(FORMATS[name].write(random_lattice(seed)))
    for place, new in edits:
        at = place % (len(data) + 1)
        data[at : at + 2] = new
    try:
        lattice = FORMATS[name].read(bytes(data), Limits())
    except LatticeError as error:
        assert len(str(error)) < 400  # noqa: PT017
    else:
        assert lattice.num_nodes >= 1


@pytest.mark.parametrize("name", ["json", "slf", "att"])
@given(text=st.text(alphabet='0123456789 \n\t=.-abIJSEWtd{}[]":,', max_size=80))
def test_any_text_is_a_lattice_or_an_error_that_says_so(name: str, text: str) -> None:
    with contextlib.suppress(LatticeError):
        FORMATS[name].read(text.encode(), Limits())


def test_empty_words_that_would_multiply_are_refused_early() -> None:
    hub = [f"{node} {other} <eps>" for node in range(150) for other in range(node + 1, 151)]
    fan = [f"150 151 word{index}" for index in range(300)]
    with pytest.raises(LatticeError, match="without a word"):
        from_att("\n".join([*hub, *fan, "151"]))


def test_reading_names_the_file_and_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_bytes(b"{" + b" " * 3_000_000)
    with pytest.raises(LatticeError, match=r"long\.json: more than 2000000 bytes"):
        read_lattice(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(LatticeError, match="none of the formats"):
        read_lattice(path)
    with pytest.raises(LatticeError, match="unknown format 'xml'"):
        write_lattice(random_lattice(1), path, "xml")
    with pytest.raises(LatticeError, match="does not say which format"):
        write_lattice(random_lattice(1), tmp_path / "a.xyz")


def test_dot_is_safe_against_quotes() -> None:
    place = np.zeros(1, int)
    final = np.array([[-np.inf, 0, 0], [0, 0, 0]])
    word = 'a"];evil\\\n'
    text = to_dot(Lattice((word,), place, place + 1, place, place, place + 1, np.full((1, 3), -1), final))
    assert 'label="a\\"];evil\\\\\ufffd\\n0.00' in text
