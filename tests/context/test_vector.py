import json
from pathlib import Path

import numpy as np
import pytest
from nearword.runtime.context import Act, ContextError, ContextInput, ContextModel, Source
from nearword.runtime.context.vector import LABELS, default_encoder, load_encoder, save_encoder
from nearword.runtime.context.vector_training import read_requests, read_turns, train


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("Who should I call?", "contact"),
        ("What would you like to hear?", "media"),
        ("In which room?", "room"),
        ("When shall I remind you?", "when"),
        ("How do you spell that?", "spell"),
    ],
)
def test_the_encoder_that_comes_along_knows_what_follows(reply: str, label: str) -> None:
    encoder = default_encoder()
    assert encoder is not None
    likely = encoder.label_probabilities(reply)
    assert max(likely, key=likely.__getitem__) == label
    assert sum(likely.values()) == pytest.approx(1.0, abs=1e-5)


def test_training_learns_what_stands_where_and_what_follows_what(tmp_path: Path) -> None:
    names = ["meg", "ann", "tom", "sue", "bob", "kim"]
    rows = [
        {"text": f"{verb} {name}", "slots": [{"slot": slot, "start": len(verb) + 1, "end": len(verb) + 1 + len(name)}]}
        for verb, slot in (("please ring", "person"), ("put on the tune", "song_name"))
        for name in names
    ]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "t.txt").write_text("shall i ring him\nyes do\nwhat tune\nthe blue one\n" * 20)
    encoder = train(read_requests([tmp_path / "r.jsonl"]), read_turns([tmp_path / "t.txt"]), passes=60, repeated=1)
    for text, label in (("please ring", "contact"), ("put on the tune", "media")):
        likely = encoder.label_probabilities(text)
        assert max(likely, key=likely.__getitem__) == label
    near = encoder.nearness("shall i ring him", ["yes do", "the blue one"])
    assert near[0] > near[1]
    save_encoder(encoder, tmp_path / "v.npz")
    kept = load_encoder(tmp_path / "v.npz")
    assert np.allclose(kept.encode("please ring"), encoder.encode("please ring"), atol=0.1)
    assert kept.labels.shape[0] == len(LABELS)


def test_what_is_no_encoder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ContextError, match=r"v\.npz: is no encoder"):
        load_encoder(path)
    with pytest.raises(ContextError, match="no request with slots"):
        train([], [])


def test_an_open_question_prefers_the_entries_that_follow_it(bundled) -> None:
    model = ContextModel(bundled)
    entities = {"contact": ("Meg Bauer",), "media": ("Take Five",)}
    terms = model.compute(ContextInput("Who should I call?", Act.open, entities=entities)).terms[Source.vector]
    assert terms[0].text == "Meg Bauer"
    asked = model.compute(ContextInput("Meg Bauer?", Act.confirm, entities=entities)).terms
    assert Source.vector not in asked
