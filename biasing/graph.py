"""Scores tokens so that what is on the lists comes out, and nothing else: an Aho-Corasick automaton made as one goes.

What a token string earns is exactly defined. A phrase *occurs* where its tokens stand one after the other, the first
at the beginning of a word, the last at the end of one: before a token that begins a word, or at the end of all. Of
all occurrences the set that has no two overlapping and the greatest sum of scores counts; that sum is the total.

The scores of single tokens add up to it: a phrase is paid for as it goes along, what did not become a phrase is taken
back with the token that breaks it, or at the end. Since phrases begin at the beginnings of words, all that matters
of the past are the unfinished phrases, what had been earned where each began (less than now, by what overlaps), and
the place in the templates. These are the states of an Aho-Corasick automaton with its failure arcs followed
(Aho and Corasick 1975); they are made when a search first comes to them, since few ever are, and 10,000 names
times 20 templates are too many to write down. The tries below them do not change and are shared.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .templates import Places, Templates
from .token_trie import DEAD, TokenTrie
from .trie import Floats, PhraseTrie, View

Row = Floats
ROW_BYTES = 16_000_000
"""Memory for rows of scores that were asked for lately; twice that at most."""


@dataclass(frozen=True, eq=False)
class ScoredClass:
    """The phrases of one class, and what they are worth."""

    name: str
    """Lower case, as in templates."""
    tries: tuple[PhraseTrie, ...]
    """Tokenised phrases with weights; more than one where a list was edited."""
    inside: float
    """Score per weight where a template has the class next, and everywhere if no template names it."""
    outside: float = 0.0
    """Score per weight elsewhere."""
    price: float = 0.0
    """Taken from the weight of each phrase that is said."""
    phrases: int = 0
    """How many there are."""


_Live = tuple[int, int, float, int]
"""An unfinished phrase: view, node, what had been earned where it began less what is now, places after it."""


class _State:
    """What matters of the tokens so far."""

    __slots__ = ("after_word", "end", "follow", "lives", "opening", "pending", "places", "word")

    def __init__(self, lives: tuple[_Live, ...], word: int, places: int, pending: float, end: float) -> None:
        self.lives = lives
        self.word = word
        """Node of the word that is being said among those of the templates."""
        self.places = places
        """Places in the templates where that word began."""
        self.pending = pending
        """Given in advance so far."""
        self.end = end
        """Earned if a word ends here."""
        self.follow: dict[int, int] = {}
        self.after_word: int | None = None
        """Places in the templates if a word ends here."""


class BiasGraph:
    """A ``TokenScorer`` over phrase lists. Never changes; may be shared by threads."""

    start = 0
    """The state before the first token."""

    def __init__(
        self,
        classes: Sequence[ScoredClass],
        word_starts: Sequence[bool],
        *,
        templates: Templates | None = None,
        template_words: Mapping[str, Sequence[Sequence[int]]] | None = None,
        blank: int = 0,
    ) -> None:
        """Make the graph; takes no time that grows with the number of phrases but for scaling their weights.

        Args:
            classes: what to boost.
            word_starts: for each token of the model, whether a word begins with it.
            templates: where classes fit; those that are not named there fit everywhere.
            template_words: tokenisations of the words of the templates.
            blank: token that changes nothing.
        """
        self.classes = tuple(classes)
        self._starts = np.asarray(word_starts, bool)
        self._is_start: list[bool] = self._starts.tolist()
        self._templates = templates or Templates()
        self._words = TokenTrie(template_words or {})
        self._blank = blank
        self._views: list[View] = []
        self._roots: list[Floats] = []
        self._inside: list[tuple[str, list[int]]] = []
        """Views of the classes that templates name, where they fit."""
        self._outside: list[list[int]] = []
        """The same elsewhere."""
        self._everywhere: list[int] = []
        for scored in self.classes:
            inside = self._add_views(scored, scored.inside)
            if scored.name in self._templates.classes:
                self._inside.append((scored.name, inside))
                self._outside.append(self._add_views(scored, scored.outside))
            else:
                self._everywhere += inside
        self._lock = threading.Lock()
        self._places: list[Places] = []
        self._place_ids: dict[Places, int] = {}
        self._openings: dict[int, tuple[list[tuple[int, int]], Floats]] = {}
        self._states: list[_State] = []
        self._ids: dict[tuple[tuple[_Live, ...], int, int], int] = {}
        self._rows: dict[int, Row] = {}
        self._older_rows: dict[int, Row] = {}
        self._max_rows = max(64, ROW_BYTES // max(4, 4 * len(self._starts)))
        self._nowhere = self._place(frozenset())
        self._intern((), 0, self._nowhere)
        self._states[0].after_word = self._place(self._templates.beginning)

    def __len__(self) -> int:
        """Return the number of states that were needed so far."""
        return len(self._states)

    @property
    def phrases(self) -> int:
        """Number of phrases."""
        return sum(scored.phrases for scored in self.classes)

    @property
    def vocab_size(self) -> int:
        """Number of tokens of the model."""
        return len(self._starts)

    def scores(self, state: int) -> Row:
        """Return what each token would add in ``state``, [vocab_size]; 0 for blank. Not to be written to."""
        row = self._rows.get(state)
        if row is None:
            row = self._older_rows.get(state)
            if row is None:
                row = self._row(self._states[state])
            if len(self._rows) >= self._max_rows:
                self._older_rows, self._rows = self._rows, {}
            self._rows[state] = row
        return row

    def advance(self, state: int, token: int) -> int:
        """Return the state after ``token``."""
        known = self._states[state]
        follow = known.follow.get(token)
        if follow is None:
            follow = state if token == self._blank else self._step(known, token)
            known.follow[token] = follow
        return follow

    def final(self, state: int) -> float:
        """Return what ending in ``state`` adds: phrases that end here are earned, unfinished ones taken back."""
        known = self._states[state]
        return known.end - known.pending

    def pending(self, state: int) -> float:
        """Return what was given in advance for phrases that are not earned yet."""
        return self._states[state].pending

    def replay(self, tokens: Iterable[int]) -> int:
        """Return the state after all of ``tokens``.

        So a search moves to an edited graph in the middle of an utterance: what was earned stays, and a hypothesis
        has ``new.pending(new.replay(tokens)) - old.pending(state)`` added.
        """
        state = self.start
        for token in tokens:
            state = self.advance(state, token)
        return state

    def score(self, tokens: Iterable[int]) -> float:
        """Return the total of a whole utterance."""
        state, total = self.start, 0.0
        for token in tokens:
            total += float(self.scores(state)[token])
            state = self.advance(state, token)
        return total + self.final(state)

    def _add_views(self, scored: ScoredClass, scale: float) -> list[int]:
        added = []
        for trie in scored.tries:
            if scale > 0 and len(trie) > 1:
                view = trie.view(scale, scored.price)
                added.append(len(self._views))
                self._views.append(view)
                self._roots.append(view.root_row(len(self._starts)))
        return added

    def _place(self, places: Places) -> int:
        found = self._place_ids.get(places)
        if found is None:
            with self._lock:
                found = self._place_ids.get(places)
                if found is None:
                    found = len(self._places)
                    self._places.append(places)  # before others can find its number
                    self._place_ids[places] = found
        return found

    def _opening(self, places: int) -> tuple[list[tuple[int, int]], Floats]:
        """Return what may begin in ``places``: views with the places after them, and what each token then gives."""
        found = self._openings.get(places)
        if found is None:
            views = [(view, self._nowhere) for view in self._everywhere]
            for (name, inside), outside in zip(self._inside, self._outside, strict=True):
                after = self._templates.after_class(self._places[places], name)
                views += [(view, self._place(after)) for view in inside] if after else [
                    (view, self._nowhere) for view in outside
                ]  # fmt: skip
            row = np.zeros(len(self._starts), np.float32)
            for view, _ in views:
                np.maximum(row, self._roots[view], out=row)
            row[~self._starts] = 0.0
            found = self._openings[places] = (views, row)
        return found

    def _settle(self, state: _State) -> int:
        """Return the places in the templates if a word ends in ``state``."""
        if state.after_word is None:
            if self._templates.texts:
                places = self._templates.anywhere
                words = self._words.ends[state.word] if state.word > 0 else None
                if words:
                    places = places | self._templates.after_word(self._places[state.places], words)
                for view, node, _, after in state.lives:
                    if after != self._nowhere and self._views[view].end[node] > 0:
                        places = places | self._places[after]
                state.after_word = self._place(places)
            else:
                state.after_word = self._nowhere
        return state.after_word

    def _step(self, state: _State, token: int) -> int:
        lives = []
        places, word, earned = state.places, state.word, 0.0
        if self._is_start[token]:
            earned, places, word = state.end, self._settle(state), 0
        for view, node, gain, after in state.lives:
            child = self._views[view].trie.child(node, token)
            if child >= 0:
                lives.append((view, child, gain - earned, after))
        if self._is_start[token]:
            for view, after in self._opening(places)[0]:
                if self._roots[view][token] > 0:
                    child = self._views[view].trie.child(0, token)
                    lives.append((view, child, 0.0, after))
        # what can neither earn more than is earned already nor lead on in a template is no use
        lives = [
            live
            for live in lives
            if live[3] != self._nowhere or live[2] + float(self._views[live[0]].best[live[1]]) > 0
        ]
        word = self._words.step(word, token) if word >= 0 else DEAD
        return self._intern(tuple(sorted(lives)), word, self._nowhere if word == DEAD else places)

    def _intern(self, lives: tuple[_Live, ...], word: int, places: int) -> int:
        key = (lives, word, places)
        found = self._ids.get(key)
        if found is None:
            pending = end = 0.0
            for view, node, gain, _ in lives:
                scores = self._views[view]
                pending = max(pending, gain + float(scores.going[node]))
                if scores.end[node] > 0:
                    end = max(end, gain + float(scores.end[node]))
            with self._lock:
                found = self._ids.get(key)
                if found is None:
                    found = len(self._states)
                    self._states.append(_State(lives, word, places, pending, end))  # before others can find it
                    self._ids[key] = found
        return found

    def _row(self, state: _State) -> Row:
        row: Row = self._opening(self._settle(state))[1] + np.float32(state.end) * self._starts
        for view, node, gain, _ in state.lives:
            scores = self._views[view]
            trie = scores.trie
            part = slice(trie.first_child[node], trie.first_child[node + 1])
            tokens = trie.child_token[part]
            row[tokens] = np.maximum(row[tokens], np.float32(gain) + scores.going[trie.children[part]])
        row -= np.float32(state.pending)
        row[self._blank] = 0.0
        row.flags.writeable = False
        return row
