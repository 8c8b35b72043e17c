"""When a context is believed: weights learnt from both kinds of utterances."""

import json
from pathlib import Path

import numpy as np
import pytest
from contract import check_contract
from nearword.models import Transducer, read_audio
from nearword.runtime import Final, Recognizer
from nearword.runtime.context import ContextError, ContextModel, ContextSession, ContextWeights
from nearword.runtime.context.choice import accepts
from nearword.runtime.context.learn import read_dialogues
from nearword.runtime.context.learn_choice import Compared, comparer, learn_choice
from nearword.runtime.context.weights import EVIDENCE, read_weights

DEMO = Path(__file__).parents[2] / "runtime" / "audio" / "demo.flac"


def compared(gained: int, total: float, phones: float, answer: float) -> Compared:
    return Compared(3 - gained, 3, np.array([1.0, total, phones, answer]))


def test_what_tells_answers_from_other_requests_is_learnt() -> None:
    rng = np.random.default_rng(1)
    rows = [compared(2, rng.normal(2), rng.normal(-2), rng.normal(5)) for _ in range(100)]
    rows += [compared(-2, rng.normal(1), rng.normal(-20), rng.normal(-5)) for _ in range(100)]
    weights = learn_choice(rows)
    believed = [accepts(weights, row.evidence) for row in rows]
    assert sum(believed[:100]) >= 95
    assert not any(believed[100:])
    assert weights["answer"] > 0
    assert weights["phones"] > 0


def test_where_a_context_never_helps_it_is_never_believed() -> None:
    rng = np.random.default_rng(2)
    rows = [compared(-1, *rng.normal(size=3)) for _ in range(50)]
    weights = learn_choice(rows)
    assert not any(accepts(weights, row.evidence) for row in rows)


def test_where_results_are_as_good_nothing_is_learnt_and_nothing_believed() -> None:
    weights = learn_choice([compared(0, 1.0, 2.0, 3.0)])
    assert not accepts(weights, np.array([1.0, 1.0, 2.0, 3.0]))


def test_weights_of_what_nobody_weighs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContextError, match="the choice has luck"):
        ContextWeights(choice={"luck": 1.0})
    path = tmp_path / "w.json"
    path.write_text(ContextWeights(choice=dict.fromkeys(EVIDENCE, 0.5)).to_json())
    assert read_weights(path).choice == dict.fromkeys(EVIDENCE, 0.5)


def test_recordings_are_compared_with_context_and_without(bundled: Transducer, tmp_path: Path) -> None:
    words = "tell my brother i am on my way set an alarm for seven"
    rows = [
        {"context": {"reply": "Meg Jones or Meg Bauer?", "act": "clarify"}, "text": words, "path": str(DEMO)},
        {"context": {}, "text": words, "path": str(DEMO)},
    ]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    dialogues = read_dialogues(tmp_path / "d.jsonl")
    compare = comparer(bundled, dialogues)
    found = compare(ContextWeights(), dialogues[0])
    assert found is not None
    assert found.plain <= 3
    assert found.evidence.shape == (len(EVIDENCE),)
    assert found.evidence[-1] < 0, "no answer"
    assert compare(ContextWeights(), dialogues[1]) is None, "nothing to compare with"


def test_a_context_that_is_declined_leaves_everything_as_it_is(bundled: Transducer) -> None:
    never = ContextModel(bundled, ContextWeights(scale=2.0, choice={"constant": -1.0}))
    always = ContextModel(bundled, ContextWeights(scale=2.0, choice={"constant": 1.0}))
    finals = {}
    for name, model, reply in (("none", never, ""), ("never", never, "Spell it."), ("always", always, "Spell it.")):
        session = ContextSession(bundled, context_model=model)
        if reply:
            session.reply(reply)
            assert session.wait(20)
        recognizer = Recognizer(bundled, session=session)
        events = [*recognizer.accept(read_audio(DEMO)), *recognizer.finish()]
        check_contract(events)
        finals[name] = next(event for event in events if isinstance(event, Final))
        session.close()
    assert finals["never"].words == finals["none"].words
    assert finals["never"].lattice == finals["none"].lattice
    assert finals["never"].n_best == finals["none"].n_best
    assert finals["always"].lattice != finals["none"].lattice
