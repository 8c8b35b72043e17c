"""What one stream shows, says or ends is its own; options are shared."""

import numpy as np
import pytest
from contract import random_audio, scripted
from nearword.biasing import Biasing, Phrase
from nearword.biasing.live import BiasGraph
from nearword.models import Transducer
from nearword.runtime import BeamSettings, Final, Recognizer, SearchOptions, Session
from nearword.runtime.recognition.biasing import bias_vocabulary, surprise_of
from nearword.runtime.recognition.session import SCREEN, SessionError


def lists(model: Transducer, *phrases: Phrase) -> Biasing:
    biasing = Biasing(bias_vocabulary(model.vocabulary, surprise_of(model), model.info.context_size))
    biasing.add_all(phrases)
    return biasing


def shown(session: Session) -> list[str]:
    return [phrase.text for phrase in session.phrases.phrases if phrase.cls == SCREEN]


def options(biasing: Biasing | None = None, **other: object) -> SearchOptions:
    return SearchOptions(BeamSettings(max_active=3), bias=biasing, **other)


@pytest.mark.parametrize("has_list", [True, False])
def test_the_end_of_an_utterance_ends_no_screen_of_another_stream(toy: Transducer, has_list: bool) -> None:
    shared = options(lists(toy, Phrase("the")) if has_list else None)
    one, other = (scripted(toy, seed, search=shared) for seed in (1, 2))
    for recognizer in (one, other):
        assert recognizer.session.show([Phrase("call a")], turns=1) == []
    events = [*one.accept(random_audio(1, 2)), *one.finish()]
    assert any(isinstance(event, Final) for event in events)
    assert (shown(one.session), shown(other.session)) == ([], ["call a"])
    assert one.session.turns == sum(isinstance(event, Final) for event in events)
    assert other.session.turns == 0


def test_what_a_stream_shows_is_boosted_there_alone(toy: Transducer) -> None:
    shared = options(lists(toy))
    one, other = Session(toy, shared), Session(toy, shared)
    one.show([Phrase("call a")], turns=None)
    assert (len(one.options.bias), len(other.options.bias), len(shared.bias)) == (1, 0, 0)
    shared.bias.add(Phrase("the"))
    assert (len(one.options.bias), len(other.options.bias)) == (2, 1)


def test_a_screen_lasts_for_turns_or_seconds(toy: Transducer) -> None:
    now = [100.0]
    session = Session(toy, options(lists(toy, Phrase("the"))), clock=lambda: now[0])
    session.show([Phrase("call")], turns=2)
    for there in (["call"], ["call"], []):
        assert shown(session) == there
        session.end_turn()
    session.show([Phrase("call")], turns=None, seconds=30)
    session.show([Phrase("calling")], turns=None, seconds=30)
    search = session.begin_search()
    now[0] += 29
    session.refresh(search)
    assert shown(session) == ["calling"]
    session.end_turn()
    now[0] += 1
    session.refresh(search)
    assert shown(session) == []
    assert len(session.phrases) == 1


def test_a_session_lives_on_over_streams(toy: Transducer) -> None:
    session = Session(toy, options(lists(toy)))
    for _ in range(2):
        recognizer = scripted(toy, 1, session=session)
        recognizer.accept(random_audio(1, 2))
        recognizer.finish()
        assert recognizer.session is session
    assert session.turns > 1


def test_a_list_shared_by_searches_with_and_without_phones_is_built_once(
    toy_with_phones: Transducer, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, init = [], BiasGraph.__init__
    monkeypatch.setattr(
        BiasGraph, "__init__", lambda self, *args, **rest: (built.append(1), init(self, *args, **rest))[1]
    )
    biasing = lists(toy_with_phones, Phrase("call a"))
    recognizers = [Recognizer(toy_with_phones, search=options(biasing, phones=phones)) for phones in (True, False)]
    for start in range(0, len(noise), 1600):
        for recognizer in recognizers:
            recognizer.accept(noise[start : start + 1600])
    assert len(built) == 1


def test_phrases_cannot_be_added_to_a_scorer_of_ones_own(toy: Transducer) -> None:
    session = Session(toy, options(lists(toy, Phrase("call")).snapshot()))
    with pytest.raises(SessionError, match="give a Biasing"):
        session.show([Phrase("a")])


def test_contacts_and_plain_lists_are_private(toy: Transducer) -> None:
    phrases = [Phrase("call", "contact"), Phrase("a"), Phrase("the", "room")]
    session = Session(toy, options(lists(toy, *phrases)))
    assert session.private().words == {"call": "contact", "a": "phrase"}
    session.phrases.add(Phrase("calling", "contact"))
    assert "calling" in session.private().words, "lists change while one listens"
    assert session.private({"room"}).words == {"the": "room"}
    assert Session(toy).private().words == {}
