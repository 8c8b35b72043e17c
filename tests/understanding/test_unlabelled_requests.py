"""Requests that nobody labelled: a teacher who knows which words mean the same says what they ask for."""

import json
from pathlib import Path

import numpy as np
import pytest
from nearword.lattice.understanding import UnderstandingError
from nearword.lattice.understanding.training import Example, SentenceEncoder, Settings, Span, train
from onnx import TensorProto, helper
from onnx_graphs import save_graph

WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "lamp", "bulb", "lantern", "song", "tune", "ballad", "the")
LIGHTS, MUSIC = ("lamp", "bulb", "lantern"), ("song", "tune", "ballad")
BEFORE = ("switch", "change", "i want the", "give me a", "now the")
OURS = [
    Example(f"{before} {thing}", intent)
    for before in BEFORE
    for thing, intent in (("lamp", "light"), ("song", "media"))
]
UNLABELLED = [f"{before} {thing}" for before in BEFORE for thing in LIGHTS + MUSIC]
VECTORS = np.array([[word in LIGHTS, word in MUSIC, word == "the"] for word in WORDS], np.float32)


class Knows:
    """An encoder that knows the words of kinds."""

    def __init__(self, *kinds):
        self.kinds = kinds

    def texts(self, texts):
        return np.array([self._kinds_of(text.split()).sum(0) for text in texts])

    def words(self, texts):
        return [self._kinds_of(words).astype(np.float32) for words in texts]

    def _kinds_of(self, words):
        return np.array([[word in kind for kind in self.kinds] for word in words], float).reshape(-1, len(self.kinds))


KNOWS = Knows(LIGHTS, MUSIC)


@pytest.fixture
def encoder_folder(tmp_path: Path) -> Path:
    """A public encoder's folder; its graph knows a vector of each word."""
    folder = tmp_path / "encoder"
    (folder / "onnx").mkdir(parents=True)
    open_sizes = ["texts", "tokens"]
    save_graph(
        folder / "onnx" / "model.onnx",
        [
            helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
            helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["real", "last"], ["wide"]),
            # what is not masked would be seen in the means
            helper.make_node("Add", ["wide", "rows"], ["last_hidden_state"]),
        ],
        [("input_ids", TensorProto.INT64, open_sizes), ("attention_mask", TensorProto.INT64, open_sizes)],
        [("last_hidden_state", TensorProto.FLOAT, [*open_sizes, 3])],
        {"table": VECTORS, "last": np.array([2])},
        {},
    )
    special = {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}, {"id": "[SEP]", "ids": [2], "tokens": ["[SEP]"]}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": {"strategy": {"Fixed": 20}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                    "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [],
            "special_tokens": {one["id"]: one for one in special},
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: number for number, word in enumerate(WORDS)},
                  "unk_token": "[UNK]"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


@pytest.mark.parametrize("settings", [Settings(max_bytes=None), Settings(max_bytes=40_000)])
def test_words_that_only_unlabelled_requests_have_are_understood(settings):
    model = train(OURS, unlabelled=UNLABELLED, encoder=KNOWS, settings=settings).model
    assert model.intents == ("light", "media")
    for intent, words in (("light", LIGHTS), ("media", MUSIC)):
        assert [model.understand_text(f"please {word}").intent for word in words] == [intent] * len(words)


def test_an_encoder_that_knows_nothing_does_no_harm():
    model = train(OURS, unlabelled=UNLABELLED, encoder=Knows(BEFORE)).model
    assert [model.understand_text(one.text).intent for one in OURS] == [one.intent for one in OURS]


def test_slots_are_found_whose_words_only_unlabelled_requests_have():
    # what stands before a word says nothing of its slot
    kinds = dict.fromkeys(LIGHTS, "light") | dict.fromkeys(MUSIC, "piece")
    ours = [
        Example(f"{before} {word}", intent, (Span(kinds[word], len(before) + 1, len(before) + 1 + len(word)),))
        for intent, some in (("change", BEFORE[:2]), ("bring", BEFORE[2:]))
        for before in some
        for word in ("lamp", "bulb", "song", "tune")
    ]
    model = train(ours, unlabelled=UNLABELLED, encoder=KNOWS).model
    found = [model.understand_text(f"switch {word}").slots for word in ("lantern", "ballad")]
    assert [[(slot.name, slot.text) for slot in slots] for slots in found] == [
        [("light", "lantern")],
        [("piece", "ballad")],
    ]


def test_texts_without_words_do_no_harm():
    ours = [*OURS, Example("?!", "light"), Example("stop it", "media", (Span("thing", 5, 7),))]
    model = train(ours, unlabelled=[*UNLABELLED, "...", ""], encoder=KNOWS).model
    assert model.understand_text("please lantern").intent == "light"


@pytest.mark.parametrize(
    ("given", "told"), [({"unlabelled": UNLABELLED}, "sentence encoder"), ({"encoder": KNOWS}, "nobody labelled")]
)
def test_unlabelled_requests_and_an_encoder_go_together(given, told):
    with pytest.raises(UnderstandingError, match=told):
        train(OURS, **given)


def test_a_text_s_vector_is_the_mean_of_its_tokens_whatever_is_encoded_with_it(encoder_folder):
    encode = SentenceEncoder(encoder_folder).texts
    texts = ["the lamp", "song song the ballad lamp", "", "The Lamp"]
    together = encode(texts)
    # begin, "the", "lamp", end; each is one more than its row of the table
    assert together[0] == pytest.approx([1 + 1 / 4, 1, 1 + 1 / 4])
    assert together == pytest.approx(np.concatenate([encode([text]) for text in texts]))
    assert together[3] == pytest.approx(together[0])


def test_each_word_has_the_vector_of_its_tokens(encoder_folder):
    lamp, nothing, longest = SentenceEncoder(encoder_folder).words([["the", "lamp"], [], ["song"] * 200])
    assert lamp == pytest.approx(np.array([[1, 1, 2], [2, 1, 1]]))
    assert nothing.shape == (0, 3)
    assert longest[0] == pytest.approx([1, 2, 1])
    assert not longest[-1].any()


def test_what_is_no_encoder_is_told_in_one_line(encoder_folder, tmp_path):
    with pytest.raises(UnderstandingError, match=r"holds no sentence encoder; expected a folder with model\.onnx"):
        SentenceEncoder(tmp_path)
    (encoder_folder / "tokenizer.json").write_text("{")
    with pytest.raises(UnderstandingError, match=r"tokenizer\.json: is no tokenizer"):
        SentenceEncoder(encoder_folder)


def test_a_graph_that_is_no_encoder_is_told_in_one_line(encoder_folder):
    graph = encoder_folder / "onnx" / "model.onnx"
    graph.write_bytes(b"no graph")
    with pytest.raises(UnderstandingError, match="is no ONNX graph"):
        SentenceEncoder(encoder_folder)
    nodes = [helper.make_node("Identity", ["audio"], ["text"])]
    save_graph(graph, nodes, [("audio", TensorProto.FLOAT, ["n"])], [("text", TensorProto.FLOAT, ["n"])], {}, {})
    with pytest.raises(UnderstandingError, match=r"has the inputs audio and an output of 1 axes; expected attention"):
        SentenceEncoder(encoder_folder)


def test_a_model_is_taught_on_the_command_line(run_cli, tmp_path, encoder_folder):
    data, texts, model = (tmp_path / name for name in ("ours.jsonl", "said.txt", "a.nlu"))
    data.write_text("\n".join(json.dumps({"text": one.text, "intent": one.intent, "slots": []}) for one in OURS))
    texts.write_text("\n".join(UNLABELLED))
    given = ("understand", "train", data, "-o", model, "--unlabelled", texts)
    trained = run_cli(*given, "--encoder", encoder_folder)
    assert trained.returncode == 0, trained.stderr
    assert "light" in run_cli("understand", "try", model, "please lantern").stdout
    alone = run_cli(*given)
    assert alone.returncode == 2
    assert "go together" in alone.stderr
    wrong = run_cli(*given, "--encoder", tmp_path)
    assert wrong.returncode == 1
    assert "holds no sentence encoder" in wrong.stderr
    assert "Traceback" not in wrong.stderr
