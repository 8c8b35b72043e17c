import base64
import json
import time
import tracemalloc
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lattices import lattices, same
from nearword import lattice as lattice_package
from nearword.lattice import Lattice, encode
from nearword.lattice.formats.json_format import to_json
from nearword.lattice.rescoring import Answer, ContractError, Form, Masking, Request, RescoringSettings, ScoredPath
from nearword.lattice.rescoring.contract import read_answer, read_request
from nearword.lattice.service.service_limits import RefusedError, ServiceLimits, unpack
from rescoring_helpers import answer, heard

FOLDER = Path(lattice_package.__file__).parent / "rescoring"
LIMITS = ServiceLimits()


def schema(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.schema.json").read_text())


def request_body(**other) -> bytes:
    return json.dumps(json.loads(Request(1, 2, heard()).to_json()) | other).encode()


@pytest.mark.parametrize("form", Form)
@given(lattice=lattices())
def test_requests_are_as_the_schema_says_and_come_back(form: Form, lattice: Lattice) -> None:
    request = Request(3, 4, lattice, "en-US", "assistant-en", ("play jazz",))
    text = request.to_json(form)
    jsonschema.validate(json.loads(text), schema("request"))
    again = read_request(text.encode())
    assert (again.utterance, again.revision, again.locale, again.model, again.bias) == (
        3, 4, "en-US", "assistant-en", ("play jazz",),
    )  # fmt: skip
    assert [again.lattice.text(again.lattice.best_path()), again.lattice.num_arcs] == [
        lattice.text(lattice.best_path()), lattice.num_arcs,
    ]  # fmt: skip
    if form is Form.json:
        assert same(again.lattice, lattice)


def test_answers_are_as_the_schema_says_and_come_back() -> None:
    one = Answer(1, 2, (ScoredPath(("a", "b"), -1.5, -2.5), ScoredPath((), -3.0, -4.0)), "tiny", 1.25)
    jsonschema.validate(json.loads(one.to_json()), schema("answer"))
    assert read_answer(one.to_json().encode()) == one


@pytest.mark.parametrize("name", ["request", "answer"])
def test_the_examples_in_the_schemas_are_valid(name: str) -> None:
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    for example in document["examples"]:
        jsonschema.validate(example, document)
        (read_request if name == "request" else read_answer)(json.dumps(example).encode())


def with_revision(text: bytes) -> bytes:
    return request_body().replace(b'"revision": 2', b'"revision": ' + text)


def cyclic() -> dict:
    document = json.loads(to_json(heard()))
    document["arcs"][5] |= {"from": 2, "to": 1}
    return document


def arcs(count: int) -> dict:
    document = json.loads(to_json(heard()))
    document["arcs"] *= count // 6
    return document


def infinite() -> dict:
    document = json.loads(to_json(heard()))
    document["arcs"][0]["acoustic"] = 1e400
    return document


def chain(length: int) -> str:
    ends = np.full((length + 1, 3), [-np.inf, 0, 0])
    ends[-1] = 0
    number = np.arange(length)
    long = Lattice(("a",), number, number + 1, number * 0, number, number + 1, np.zeros((length, 3)), ends)
    return base64.b64encode(encode(long)).decode()


MALICIOUS = {
    "a cycle": (lambda: request_body(lattice=cyclic()), "lattice: "),
    "too many arcs": (lambda: request_body(lattice=arcs(6000)), "6000 arcs; the limit is 5000"),
    "too long": (lambda: request_body(lattice=chain(450)), "lattice: "),
    "many nodes, no arcs": (lambda: request_body(lattice=json.loads(to_json(heard())) | {"nodes": 5000}), "lattice: "),
    "infinite": (lambda: request_body(lattice=infinite()), "finite"),
    "not a number": (lambda: with_revision(b"NaN"), "NaN is not a finite number"),
    "nested deeply": (lambda: b'{"lattice":' + b"[" * 500_000, "nested too deeply|no JSON"),
    "nested somewhere": (lambda: with_revision(b'2, "x": ' + b"[" * 900 + b"]" * 900), "unknown field"),
    "a number without end": (lambda: with_revision(b"9" * 100_000), "digits"),
    "negative": (lambda: request_body(revision=-1), "revision: expected a whole number"),
    "true": (lambda: request_body(utterance=True), "utterance: expected a whole number"),
    "no base64": (lambda: request_body(lattice="***"), "lattice: is no base64"),
    "random": (lambda: request_body(lattice=base64.b64encode(bytes(range(256))).decode()), "lattice: "),
    "no lattice": (lambda: request_body(lattice=None), "lattice: expected base64 or an object"),
    "half a character": (lambda: request_body(locale="\ud800e"), "locale: expected a text"),
    "no text": (lambda: b"\xff\xfe", "no JSON"),
    "a list": (lambda: b"[]", "no JSON object"),
    "another version": (lambda: request_body(version=2), "version 1"),
    "something else": (lambda: request_body(audio="UklGRg=="), "unknown field 'audio'"),
    "too many phrases": (lambda: request_body(bias=["a"] * 1001), "bias: expected at most 1000"),
}  # fmt: skip


@pytest.mark.parametrize("what", MALICIOUS)
def test_a_malicious_request_is_refused_in_bounded_time_and_memory(what: str) -> None:
    make, said = MALICIOUS[what]
    body = make()
    tracemalloc.start()
    began = time.monotonic()
    try:
        with pytest.raises(ContractError, match=said) as caught:
            read_request(body, LIMITS.lattice)
        assert time.monotonic() - began < 2
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 300


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_damaged_is_refused_in_one_way(data: st.DataObject) -> None:
    body = bytearray(request_body())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_request(bytes(body), LIMITS.lattice)
    except ContractError:
        return


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_an_answer_of_any_json_is_refused_in_one_way(value: object) -> None:
    for field in answer():
        body = json.dumps(answer() | {field: value}).encode()
        try:
            assert read_answer(body).paths
        except ContractError:
            continue


def bomb(packer: str) -> bytes:
    if packer == "gzip":
        import gzip

        return gzip.compress(bytes(60_000_000))
    import zstandard

    return zstandard.ZstdCompressor().compress(bytes(60_000_000))


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_a_bomb_is_refused_before_it_unpacks(packer: str) -> None:
    body = bomb(packer)
    assert len(body) < LIMITS.max_body_bytes
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError, match="unpacks to more than 1000000 bytes") as caught:
            unpack(body, packer, LIMITS.max_unpacked_bytes)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.status == 413


@pytest.mark.parametrize(("body", "packer"), [(b"\x1f\x8bno", "gzip"), (b"no", "zstd"), (b"", "gzip")])
def test_a_damaged_package_is_refused(body: bytes, packer: str) -> None:
    with pytest.raises(RefusedError) as caught:
        unpack(body, packer, 1000)
    assert caught.value.status == 400


def test_only_what_is_allowed_is_in_a_request() -> None:
    plain, _ = RescoringSettings("https://a.example").request(1, 1, heard(), "secret-model", ("call anna",))
    assert set(json.loads(plain.to_json())) == {"format", "version", "utterance", "revision", "lattice"}
    assert plain.lattice.offset == 0  # since when this device listens is nobody's business
    private = Masking({"contact": ["Anna Smith"]})
    told, _ = RescoringSettings(
        "https://a.example", send_model=True, send_bias=True, locale="en", private=private
    ).request(1, 1, heard(), "assistant-en", ("call anna", "Anna's car", "play jazz"))
    assert (told.model, told.bias, told.locale) == ("assistant-en", ("play jazz",), "en")


@given(lattice=lattices(), size=st.integers(1, 200))
def test_a_lattice_keeps_to_its_bytes_or_is_the_best_path(lattice: Lattice, size: int) -> None:
    request, _ = RescoringSettings("https://a.example", max_bytes=size).request(1, 1, lattice)
    best = len(lattice.best_path())
    assert len(encode(request.lattice)) <= size or request.lattice.num_arcs == best
    assert request.lattice.text(request.lattice.best_path()) == lattice.text(lattice.best_path())


@given(lattice=lattices(), private=st.lists(st.sampled_from(["a", "B", "c d"])))
def test_masking_hides_private_words_and_nothing_else(lattice: Lattice, private: list[str]) -> None:
    masked = Masking({"contact": private}).mask(lattice)
    hidden = {word for phrase in private for word in phrase.lower().split()}
    assert not hidden & set(masked.lattice.words)
    assert masked.unmask(masked.lattice.words) == lattice.words
    assert set(masked.lattice.words) - set(masked.back) == set(lattice.words) - hidden


def test_a_placeholder_that_was_said_is_told_apart_from_a_private_word() -> None:
    one = Lattice(("<contact:1>", "anna's"), [0, 1], [1, 2], [0, 1], [0, 1], [1, 2], np.zeros((2, 3)),
                  [[-np.inf, 0, 0], [-np.inf, 0, 0], [0, 0, 0]])  # fmt: skip
    masked = Masking({"contact": ["Anna"]}).mask(one)
    assert masked.lattice.words == ("<contact:1>", "<contact:2>")
    assert masked.unmask(masked.lattice.words) == ("<contact:1>", "anna's")
