import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nearword.endpointing import (
    Ending,
    Observation,
    Speculation,
    final_latency,
    observation_from_dict,
    scorecard,
    speculative_latency,
)

PLAIN = Observation("plain", 2.0, 6.0, (Speculation(2.2, "lights off"),), (Ending(2.5, "lights off"),))
"""Guessed 0.2 s, ended 0.5 s after the true end."""
CUT = Observation(
    "cut", 3.0, 6.0, (Speculation(1.2, "call"), Speculation(3.3, "maria")), (Ending(1.5, "call"), Ending(3.6, "maria"))
)
"""Cut off at 1.5 s; the rest guessed 0.3 s, ended 0.6 s after the true end."""
WAVERING = Observation(
    "wavering",
    3.0,
    6.0,
    (Speculation(1.0, "play", 1.4), Speculation(3.2, "play jazz", 3.5)),
    (Ending(4.0, "play jars"),),
)
"""Two guesses taken back after 0.4 s and 0.3 s; ended 1.0 s after the true end with other words than the last."""
ENDLESS = Observation("endless", 1.0, 4.0, (), (Ending(0.5, "hm"),))
"""Cut off, and never ended after the true end: 3.0 s of audio follow it."""
SILENT = Observation("silent", 1.0, 4.0)


def test_every_figure_of_a_small_set_is_as_counted_by_hand() -> None:
    card = scorecard("mine", [PLAIN, CUT, WAVERING, ENDLESS, SILENT])
    assert (card.system, card.recordings, card.unheard, card.never_ended) == ("mine", 4, 1, 1)
    latencies = [0.5, 0.6, 1.0, 3.0]
    assert [final_latency(one) for one in (PLAIN, CUT, WAVERING, ENDLESS)] == pytest.approx(latencies)
    assert card.final_latency.p50.value == pytest.approx(0.8)
    assert card.final_latency.p90.value == pytest.approx(np.quantile(latencies, 0.9))
    assert card.early_cut_offs.value == 0.5
    assert card.endings == 5 / 4
    guesses = card.speculation
    assert guesses is not None
    assert [speculative_latency(one) for one in (PLAIN, CUT, WAVERING, ENDLESS)] == pytest.approx([0.2, 0.3, 1.0, 3.0])
    assert guesses.lead.p50.value == pytest.approx(0.15)  # of 0.3, 0.3, 0, 0
    assert guesses.right.value == 2 / 5
    assert (guesses.speculations, guesses.resets) == (5 / 4, 2 / 4)
    assert guesses.thrown_away == pytest.approx(0.7 / 4)
    assert guesses.thrown_away_share == pytest.approx(0.7 / (0.7 + 0.3 + 0.3 + 0.3))


def test_an_ending_exactly_at_the_true_end_cuts_nobody_off() -> None:
    card = scorecard("mine", [replace(PLAIN, speculations=(), endings=(Ending(2.0, "lights off"),))])
    assert (card.early_cut_offs.value, card.final_latency.p50.value) == (0, 0)


def test_waiting_for_ever_cannot_look_fast() -> None:
    card = scorecard("mine", [PLAIN, Observation("open", 2.0, 6.0, unended="lights")])
    assert (card.recordings, card.unheard, card.never_ended) == (2, 0, 1)
    assert card.final_latency.p50.value == pytest.approx((0.5 + 4.0) / 2)


def test_a_guess_before_the_true_end_is_right_if_the_ending_says_the_same() -> None:
    early = replace(PLAIN, speculations=(Speculation(1.9, "lights off"),))
    assert speculative_latency(early) == pytest.approx(-0.1)
    card = scorecard("mine", [early])
    assert card.speculation is not None
    assert card.speculation.right.value == 1


def test_what_comes_after_the_speech_was_over_is_one_ending_too_many() -> None:
    noisy = replace(
        PLAIN, speculations=(*PLAIN.speculations, Speculation(4, "uh")), endings=(*PLAIN.endings, Ending(4.5, "uh"))
    )
    card = scorecard("mine", [noisy])
    assert card.speculation is not None
    assert (card.endings, card.early_cut_offs.value, card.speculation.right.value) == (2, 0, 0.5)
    assert card.final_latency.p50.value == pytest.approx(0.5)


def test_a_system_without_speculation_has_no_figures_of_it() -> None:
    card = scorecard("peer", [replace(PLAIN, speculations=())], speculates=False)
    assert card.speculation is None
    assert json.loads(json.dumps(card.to_dict()))["speculation"] is None
    silent_guesser = scorecard("mine", [replace(PLAIN, speculations=())])
    assert silent_guesser.to_dict()["speculation"]["right"] == {"value": None, "low": None, "high": None}


def test_nothing_heard_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="mine: no words in any of 1 recordings"):
        scorecard("mine", [SILENT])


def test_intervals_hold_the_figure_and_shrink_with_more_recordings() -> None:
    few, many = (scorecard("mine", [PLAIN, CUT, WAVERING] * count) for count in (2, 60))
    for card in (few, many):
        for estimate in (card.early_cut_offs, card.final_latency.p50, card.final_latency.p90):
            assert estimate.low <= estimate.value <= estimate.high
    assert many.early_cut_offs.high - many.early_cut_offs.low < few.early_cut_offs.high - few.early_cut_offs.low
    none = scorecard("mine", [PLAIN] * 100).early_cut_offs
    assert (none.value, none.low) == (0, 0)
    assert 0.03 < none.high < 0.04  # Wilson: z^2 / (n + z^2)


times = st.floats(0, 20, allow_nan=False).map(lambda value: round(value, 2))


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """What a system that keeps the contract can do."""
    moments = sorted(draw(st.lists(times, min_size=1, max_size=12, unique=True)))
    guesses, endings = [], []
    open_guess = None
    for moment in moments:
        kind = draw(st.sampled_from(["guess", "reset", "end"]))
        if kind == "guess" and open_guess is None:
            open_guess = moment
        elif kind == "reset" and open_guess is not None:
            guesses.append(Speculation(open_guess, "a", moment))
            open_guess = None
        elif kind == "end":
            if open_guess is not None:
                guesses.append(Speculation(open_guess, "a", draw(st.sampled_from([None, moment]))))
                open_guess = None
            endings.append(Ending(moment, "a"))
    return Observation("random", draw(times), 25.0, tuple(guesses), tuple(endings))


@given(st.lists(observations(), min_size=1, max_size=8))
def test_figures_keep_their_bounds_and_survive_json(rows: list[Observation]) -> None:
    for row in rows:
        assert observation_from_dict(json.loads(json.dumps(row.to_dict()))) == row
    if not any(row.endings for row in rows):
        return
    card = scorecard("mine", rows)
    guesses = card.speculation
    assert guesses is not None
    assert card.final_latency.p50.value >= 0
    assert card.final_latency.p50.value <= card.final_latency.p90.value
    assert 0 <= guesses.lead.p50.value <= guesses.lead.p90.value
    assert math.isnan(guesses.right.value) or 0 <= guesses.right.value <= 1
    assert 0 <= guesses.thrown_away_share <= 1
    assert guesses.resets <= guesses.speculations
    json.dumps(card.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"name": "a", "seconds": 1}, "a: end is None: expected seconds"),
        ({"name": "a", "end": "1", "seconds": 1}, "a: end is '1'"),
        ({"name": "a", "end": -1, "seconds": 1}, "a: end is -1.0"),
        ({"name": "a", "end": 1, "seconds": math.nan}, "a: seconds is nan"),
        ({"name": "a", "end": 1, "seconds": 2, "endings": [1]}, "a: endings is not a list of objects"),
        ({"name": "a", "end": 1, "seconds": 2, "endings": [{}]}, "a: time is None"),
        ({"name": "a", "end": 1, "seconds": 2, "endings": [{"time": 2}, {"time": 1}]}, "time of an ending is 1.0"),
        ({"name": "a", "end": 1, "seconds": 2, "speculations": [{"time": 2, "reset": 1}]}, "reset of a speculation"),
    ],
)
def test_records_say_what_is_wrong_with_them(values: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        observation_from_dict(values)
