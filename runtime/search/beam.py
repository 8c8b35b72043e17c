"""Time-synchronous beam search that keeps what loses: the best words, and the lattice of all it looked at.

Hypotheses whose predictor context and scorer states are equal have equal futures. They are recombined into one node,
which is exact, and every arc into a node is kept (Prabhavalkar et al. 2020, arXiv 2012.06749). A node is made only
where paths meet or a token is put out; the blanks in between are summed up on the way. Nodes point backwards, so
what no live hypothesis can reach any more is freed while the search goes on.
"""

import itertools
import math
import operator
from dataclasses import replace
from functools import reduce
from heapq import nsmallest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...lattice import TokenLattice
from ...models import Transducer
from .attention import ListAttention, StepAttention
from .candidates import Candidate, Limits, candidate_score, follow, log_sum, pending, states_of
from .fusion import ScoreFusion, States
from .joiner_scores import KEPT_CANDIDATES, JoinerScores
from .nodes import EPSILON, Arc, Emitted, Key, Node, collect, common_prefix, leads_through, tokens_of
from .scorer import BiasScorer, TokenScorer
from .settings import DEFAULT_BEAM, BeamSettings

Array = npt.NDArray[np.float32]

PHRASES_REACH = 2.0
"""Log-probability by which tokens of phrases may be worse than the beam allows others, at most: what is further from
what was said is no part of a phrase. Less in narrow beams, which cannot hold it anyway."""
BEAM_WITHOUT_PENDING = 3.0
"""Log-probability by which hypotheses may be worse than the best one to live on by what they have without phrases that
are under way, while one of these leads; as many as live on with them, at most. Wider finds no more."""


Scored = tuple[float, int, list[Candidate]]
"""What leads to one node: less its score, the place of the first of them, all of them."""


class _Path(NamedTuple):
    """The best path, token by token; a new one is made when it changes."""

    emitted: list[Emitted]
    tokens: list[int]
    frames: list[int]
    log_probs: list[float]


class BeamSearch:
    """The search over one utterance."""

    def __init__(
        self,
        model: Transducer,
        settings: BeamSettings = DEFAULT_BEAM,
        *,
        bias: BiasScorer | None = None,
        language: TokenScorer | None = None,
        attention: ListAttention | None = None,
    ) -> None:
        """Begin an utterance.

        Args:
            model: loaded; may be shared.
            settings: how wide the search is.
            bias: adds to the scores of phrases.
            language: a language model's scores, weighted.
            attention: phrases that the joiner is made to expect, where phones are told.
        """
        self.model = model
        """The model that is searched."""
        self._settings = settings
        reach = min(PHRASES_REACH, max(0.0, settings.max_active / 4 - 1))
        more = min(2 * settings.max_active, 1024)
        self._phrase_settings = replace(settings, beam=settings.beam + reach, max_active=more)
        """Where phrases are boosted: names begin far from the top, and what else was said needs places beside them."""
        self._scorers = ScoreFusion(len(model.vocabulary), bias, language)
        self.attention = attention
        """The list that is attended to from the next step on."""
        self._past: Array | None = None
        """Phones of the last frames, where a list is attended to."""
        self._numbers = itertools.count(1)
        context = (-1,) * (model.info.context_size - 1) + (model.vocabulary.blank_id,)
        states = self._scorers.start
        key: Key = context if settings.recombine else ()
        self._root = Node(0, key, context, states, 0.0, (), None)
        self._live: list[tuple[Node, float]] = [(self._root, 0.0)]
        """Nodes, and the log-probability of the blanks since each was made."""
        self._dropped = 0
        """Tokens at the beginning that an utterance before has taken."""
        self._path = _Path([], [], [], [])
        self._path_is_new = True
        self.frames_seen = 0
        """Encoder frames searched."""
        self.blank_probability = 1.0
        """Mean probability of the blank in the best hypothesis over the latest step."""

    @property
    def tokens(self) -> list[int]:
        """Token ids of the best path so far."""
        return self._best_path().tokens

    @property
    def frames(self) -> list[int]:
        """Encoder frame of each token of the best path, counted since the search began."""
        return self._best_path().frames

    @property
    def log_probs(self) -> list[float]:
        """Log-probability of each token of the best path at its frame."""
        return self._best_path().log_probs

    @property
    def trailing_blanks(self) -> int:
        """Encoder frames since the last token of the best path (since the beginning, if there is none)."""
        frames = self.frames
        return self.frames_seen - (frames[-1] + 1 if frames else 0)

    @property
    def best_score(self) -> float:
        """Score of the best path (natural logarithm), as if it ended here."""
        return max(self._scores())

    @property
    def stable_tokens(self) -> int:
        """How many tokens all live hypotheses agree on: they will not change any more."""
        return max(0, common_prefix([node.history for node, _ in self._live]) - self._dropped)

    @property
    def _phrasing(self) -> BeamSettings:
        """The settings, wider while phrases are boosted."""
        return self._phrase_settings if self._scorers.has_bias else self._settings

    def rebias(self, bias: BiasScorer | None) -> None:
        """Go on with other phrases: what was earned stays, what is under way is scored by the new ones."""
        old = self._scorers
        if bias is old.bias or (bias is None and not old.has_bias):
            return
        self._move_to(old.with_bias(len(self.model.vocabulary), bias))

    @property
    def language(self) -> TokenScorer | None:
        """The language model in use."""
        return self._scorers.language if self._scorers.has_language else None

    def relanguage(self, language: TokenScorer | None) -> None:
        """Go on with another language model: what was earned stays, what follows is scored by the new one."""
        if language is self.language:
            return
        bias = self._scorers.bias if self._scorers.has_bias else None
        self._move_to(ScoreFusion(len(self.model.vocabulary), bias, language))

    def _move_to(self, new: ScoreFusion) -> None:
        old, self._scorers = self._scorers, new
        groups: dict[tuple[Key, States], list[Arc]] = {}
        for node, blanks in self._live:
            bias, language = node.states
            if new.bias is not old.bias:
                bias = new.bias.replay(tokens_of(node.history))
            if new.language is not old.language:
                language = reduce(new.language.advance, tokens_of(node.history), new.language.start)
            change = new.bias.pending(bias) - old.bias.pending(node.states[0])
            arc = Arc(node, EPSILON, self.frames_seen, blanks, change, 0.0)
            groups.setdefault((node.key, (bias, language)), []).append(arc)
        live = []
        for (key, state), arcs in groups.items():
            arcs.sort(key=_arc_score, reverse=True)
            values = [_arc_score(arc) for arc in arcs]
            score = log_sum(values) if self._settings.summed else values[0]
            first = arcs[0].source
            node = Node(next(self._numbers), key, first.context, state, score, tuple(arcs), first.history)
            live.append((node, 0.0))
        self._live = sorted(live, key=_score, reverse=True)
        self._path_is_new = False

    def advance(self, encoder_out: Array, phones: Array | None = None) -> None:
        """Search on through encoder frames [n, joiner_dim], with phones [2 * n, classes] where they are told."""
        # with a language model, tokens that phrases lift are found wherever they stand, see ``follow``
        settings = self._settings if self._scorers.has_language else self._phrasing
        step = JoinerScores(self.model, settings, encoder_out, self._listen(encoder_out, phones))
        blanks = 0.0
        for position in range(len(encoder_out)):
            blanks += self._frame(step, position)
            self.frames_seen += 1
        if len(encoder_out):
            self.blank_probability = blanks / len(encoder_out)
        self._path_is_new = False

    def _listen(self, encoder_out: Array, phones: Array | None) -> StepAttention | None:
        attention = self.attention
        if attention is None or phones is None or len(phones) != 2 * len(encoder_out):
            return None
        past = attention.past(phones[:0] if self._past is None else self._past)
        self._past = attention.past(np.concatenate([past, phones]))
        return attention.listen(encoder_out, phones, past)

    def fork(self) -> "BeamSearch":
        """Return a search in the same state that goes its own way; nodes are shared."""
        other = BeamSearch.__new__(BeamSearch)
        numbers = itertools.count(max(node.number for node, _ in self._live) + 1)
        other.__dict__.update(self.__dict__, _live=self._live[:], _numbers=numbers)
        return other

    def drop(self, tokens: int) -> TokenLattice:
        """Forget the first tokens of the best path, and what does not go through the place where they end.

        Returns the lattice up to there; the search's own begins anew there.
        """
        best = self._live[self._best()][0]
        root, history = best, best.history
        while history is not None and history.length > self._dropped + tokens:
            root, history = history.node, history.before
        taken = collect(self._root, [(root, (0.0, 0.0, 0.0))])
        self._live = [(node, blanks) for node, blanks in self._live if leads_through(node, root)]
        root.arcs = ()
        self._root = root
        self._dropped += tokens
        self._path = _Path([], [], [], [])
        self._path_is_new = False
        return taken

    def lattice(self) -> TokenLattice:
        """Return all paths that the live hypotheses have come, as if they ended here."""
        bias, language = self._scorers.bias, self._scorers.language
        return collect(
            self._root,
            [
                (node, (blanks, bias.final(node.states[0]), language.final(node.states[1])))
                for node, blanks in self._live
            ],
        )

    def _scores(self) -> list[float]:
        """Return the scores of all live hypotheses, as if they ended here."""
        at = self._scorers.at
        return [node.score + blanks + at(node.states).final for node, blanks in self._live]

    def _best(self) -> int:
        ends = self._scores()
        return ends.index(max(ends))

    def _best_path(self) -> "_Path":
        if not self._path_is_new:
            path, new = self._path, []
            history = self._live[self._best()][0].history
            # nearly all of it is the same as before
            while history is not None and history.length > self._dropped:
                place = history.length - self._dropped - 1
                if place < len(path.emitted) and path.emitted[place] is history:
                    break
                new.append(history)
                history = history.before
            kept = max(0, (0 if history is None else history.length) - self._dropped)
            new.reverse()
            self._path = _Path(
                path.emitted[:kept] + new,
                path.tokens[:kept] + [one.token for one in new],
                path.frames[:kept] + [one.frame for one in new],
                path.log_probs[:kept] + [one.log_prob for one in new],
            )
            self._path_is_new = True
        return self._path

    def _frame(self, step: JoinerScores, position: int) -> float:
        """Search one encoder frame; returns the probability of the blank in the hypothesis that led before it."""
        settings = self._settings
        moving: list[tuple[Node, float]] = self._live
        done: list[Candidate] = []
        following = step.following(moving, position)
        before = [node.score + blanks for node, blanks in moving]
        probability = math.exp(following[before.index(max(before))][0])
        for emitted in range(1, settings.max_symbols + 1):
            if emitted > 1:
                following = step.following(moving, position)
                before = [node.score + blanks for node, blanks in moving]
            scores = [score + row[0] for score, row in zip(before, following, strict=True)]
            emissions: list[Candidate] = []
            if self._scorers.has_language or any(row[1] for row in following):
                limits = self._limits(moving, scores)
                emissions = follow(step, position, moving, following, before, self._scorers, limits)
            if emitted == 1 and not emissions:
                # nothing meets, nothing is made: most frames of most speech
                threshold = max(scores) - settings.beam
                if not self._scorers.has_bias or min(scores) >= threshold:
                    self._live = [
                        (node, blanks + row[0])
                        for (node, blanks), row, score in zip(moving, following, scores, strict=True)
                        if score >= threshold
                    ]
                    return probability
            done += [
                Candidate(score, node.key, node, blanks, EPSILON, row[0])
                for (node, blanks), row, score in zip(moving, following, scores, strict=True)
            ]
            if emitted == settings.max_symbols:
                done += emissions
            if emitted == settings.max_symbols or not emissions:
                break
            moving = self._recombine(emissions)
        self._live = self._recombine(done)
        return probability

    def _limits(self, moving: list[tuple[Node, float]], staying: list[float]) -> Limits:
        """Return how good a token must be; ``staying`` are the scores of the hypotheses that have a blank instead."""
        settings, scorers = self._settings, self._scorers
        ranked = sorted(staying)
        floor = threshold = ranked[-1] - settings.beam
        if settings.recombine and settings.max_symbols == 1 and len(ranked) >= self._phrasing.max_active:
            # what is worse than all that may stay is of use only where it meets one of them
            floor = max(threshold, ranked[-self._phrasing.max_active])
        lead = math.inf
        if scorers.has_bias:
            given = [scorers.at(node.states).pending for node, _ in moving]
            if any(given):
                ranked = sorted(map(operator.sub, staying, given))
            lead = ranked[-1] - min(BEAM_WITHOUT_PENDING, settings.beam)
            if len(ranked) >= self._phrasing.max_active:
                lead = max(lead, ranked[-self._phrasing.max_active])
        return Limits(threshold, floor, lead, KEPT_CANDIDATES * self._phrasing.max_active, settings.recombine)

    def _recombine(self, candidates: list[Candidate]) -> list[tuple[Node, float]]:
        """Return the nodes that live on out of what leads to them, the best first."""
        total = log_sum if self._settings.summed else max
        scored = []
        for order, group in self._groups(candidates):
            score = total([c.score for c in group]) if len(group) > 1 else group[0].score
            scored.append((-score, order, group))
        scored.sort()
        least = scored[0][0] + self._settings.beam
        chosen = [one for one in scored[: self._phrasing.max_active] if one[0] <= least]
        if self._scorers.has_bias and pending(chosen[0][2][0], self._scorers):
            chosen += self._without_pending(scored, len(chosen))
        out = []
        for cost, _, group in chosen:
            if len(group) == 1 and group[0].token == EPSILON:
                out.append((group[0].node, group[0].blanks + group[0].log_prob))
            else:
                out.append((self._make(-cost, group), 0.0))
        return out

    def _without_pending(self, scored: list[Scored], chosen: int) -> list[Scored]:
        """Return what else lives on: a phrase under way that leads must not push out what is better if it fails.

        Counted without phrases, as many live on as with them, of which the first ``chosen`` of ``scored`` do already.
        """
        given = [pending(group[0], self._scorers) for _, _, group in scored[:chosen]]
        costs = [one[0] + advance for one, advance in zip(scored, given, strict=False)]
        least = min(costs) + min(BEAM_WITHOUT_PENDING, self._settings.beam)
        for cost, _, group in scored[chosen:]:
            # nothing given in advance is below 0: what costs too much with it does so without
            if cost > least:
                break
            costs.append(cost + pending(group[0], self._scorers))
        least = min(costs) + min(BEAM_WITHOUT_PENDING, self._settings.beam)
        best = nsmallest(self._phrasing.max_active, zip(costs, itertools.count()))
        return [scored[place] for place in sorted([k for cost, k in best if cost <= least and k >= chosen])]

    def _groups(self, candidates: list[Candidate]) -> list[tuple[int, list[Candidate]]]:
        """Return which candidates have one future, each with the place of the first of them."""
        found: dict[Key, tuple[int, list[Candidate]]] = {}
        for place, candidate in enumerate(candidates):
            found.setdefault(candidate.key, (place, []))[1].append(candidate)
        if not (self._scorers.has_bias or self._scorers.has_language):
            return list(found.values())
        out = []
        for place, group in found.values():
            if len(group) == 1:
                out.append((place, group))
                continue
            # states cost the most, and are looked at only where they may tell futures apart
            parts: dict[States, list[Candidate]] = {}
            for candidate in group:
                parts.setdefault(states_of(candidate, self._scorers), []).append(candidate)
            out += [(candidates.index(part[0]), part) for part in parts.values()]
        return out

    def _make(self, score: float, group: list[Candidate]) -> Node:
        frame = self.frames_seen
        if len(group) > 1:
            group.sort(key=candidate_score, reverse=True)
        arcs = tuple([Arc(c.node, c.token, frame, c.blanks + c.log_prob, c.bias, c.language) for c in group])
        leading, source = group[0], group[0].node
        number, key, states = next(self._numbers), leading.key, states_of(leading, self._scorers)
        if leading.token == EPSILON:
            return Node(number, key, source.context, states, score, arcs, source.history)
        count = (source.history.length if source.history is not None else 0) + 1
        history = Emitted(source.history, leading.token, frame, leading.log_prob, source, count)
        return Node(number, key, (*source.context[1:], leading.token), states, score, arcs, history)


def _score(live: tuple[Node, float]) -> float:
    return live[0].score + live[1]


def _arc_score(arc: Arc) -> float:
    return arc.source.score + arc.acoustic + arc.bias
