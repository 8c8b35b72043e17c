"""Following one speaker: only what the voice of the wake word says is heard as words.

In frames in which that voice does not speak nothing but the blank is possible, so that words, phrases by their sound,
grammars and lattices all follow it, and end-pointers wait for that voice alone. Anchored recognition: Maas et al. 2016,
"Anchored speech detection"; King et al. 2017, "Robust speech recognition via anchor word representations".
"""

import copy
import math
from collections import deque

import numpy as np
import numpy.typing as npt

from ...models import Transducer
from ...models.anchor import AnchorGraph, Floats
from ...models.encoder import Encoded, Tap
from ...models.features import FRAME_SECONDS
from .anchor_span import LONGEST_SECONDS, SHORTEST_SECONDS, check_anchor

Flags = npt.NDArray[np.bool_]
THRESHOLD = 0.3
"""Probability from which on a frame is the speaker's: a word of his that is lost is worse than one too many."""
AFTER_SECONDS = 0.08
"""After the wake word: its last sound may last longer than one was told."""
HOLD_SECONDS = 0.36
"""After the speaker's last sound: a token comes some frames after what it stands for."""
QUIET_SECONDS = 0.5
"""Without the speaker's voice from which on he is silent, whoever else speaks: a word may be missed."""
WAIT_SECONDS = 3.0
"""The same where he has said nothing yet since the wake word: what others say meanwhile ends no request."""
ONSET_SECONDS = 0.2
"""Of a voice that are needed to tell whose it is."""
HEARD_SECONDS = 1.6
"""Of a wake word that counts: its last part."""
NO_PHONE = -20.0
"""Log-probability of each phone where nothing is heard."""


class SpeakerFollowing:
    """What streams of a model need to follow a speaker; shared by any number of them."""

    def __init__(self, model: Transducer, *, threshold: float = THRESHOLD) -> None:
        """Load the graph beside a model.

        Args:
            model: that will listen.
            threshold: probability from which on a frame is the speaker's, 0 to 1.

        Raises:
            ModelFileError: the model has no such graph, or a damaged one; names it.
        """
        self.graph = AnchorGraph(model)
        self.info = model.info
        self.least_odds = math.log(max(1e-6, threshold) / max(1e-6, 1 - threshold))
        self.nothing = np.full(len(model.phones), NO_PHONE, np.float32)
        """[classes] Of the phones where nothing is heard: the blank, as log-probabilities."""
        self.nothing[:1] = 0.0

    def gate(self, seconds: float | None = None) -> "SpeakerGate":
        """Return the gate of a new stream; with ``seconds`` the stream begins with a wake word of that length.

        Raises:
            AnchorError: no wake word has that length.
        """
        gate = SpeakerGate(self)
        if seconds is not None:
            gate.follow(0.0, seconds)
        return gate


class SpeakerGate:
    """One stream's: lets through what the encoder makes of the speaker's frames, and the blank in the place of others'.

    As long as there is nobody to follow, all passes as it is, bit for bit.
    """

    def __init__(self, following: SpeakerFollowing) -> None:
        self._following = following
        graph = following.graph
        self._delay = round(following.info.delay_seconds / graph.frame_seconds)
        self._kept = self._delay + graph.back
        """Frames before a step that are needed to judge it."""
        self._history: deque[tuple[float, Floats]] = deque()
        """Beginnings (seconds) and frames of the latest steps: a wake word may be told of after it was heard."""
        self._span: tuple[float, float] | None = None
        self._anchor: tuple[tuple[float, float], Floats] | None = None
        """Where the wake word lies, and its frames."""
        self.begins: float | None = None
        """Where a wake word has ended in the latest step (seconds): there the encoder is to begin anew, so that the
        request is heard as if nothing had been said before; None else."""
        self._last = self._judged = 0.0
        self._since = 0
        """Frames since the speaker's latest."""
        self.restart()

    @property
    def tap(self) -> Tap:
        """What of the encoder it hears."""
        return self._following.graph.tap

    def follow(self, begin: float, end: float) -> None:
        """Follow who speaks from ``begin`` to ``end``, seconds of the stream; nothing before the end is heard as words.

        May be called from any thread, up to some seconds after that was heard.

        Raises:
            AnchorError: no wake word is so short or so long.
        """
        check_anchor(end - begin)
        self._span = begin, end

    def forget(self) -> None:
        """Follow nobody any more."""
        self._span = None

    def restart(self) -> None:
        """Note that the encoder begins anew; who is followed stays."""
        self._window: Floats | None = None
        self._since = 1 << 30

    def fork(self) -> "SpeakerGate":
        """Return a gate in the same state that goes its own way."""
        other = copy.copy(self)
        other._history = self._history.copy()  # noqa: SLF001 (its own kind)
        return other

    def quiet(self, voice_since: float) -> float:
        """Return for how many seconds whom to follow has been silent, though there is a voice; 0 if it may be his.

        What is not judged yet does not count, and a voice that begins there is heard out.

        Args:
            voice_since: when the voice began that is heard now, in seconds of the stream.
        """
        if self._anchor is None or not self.follows or voice_since > self._judged - ONSET_SECONDS:
            return 0.0
        _, wake_word_ends = self._anchor[0]
        silent, has_spoken = self._judged - self._last, self._last > wake_word_ends
        return silent if silent >= (QUIET_SECONDS if has_spoken else WAIT_SECONDS) else 0.0

    @property
    def follows(self) -> bool:
        """Whether somebody is followed, whose wake word was heard."""
        return self._anchor is not None and self._span == self._anchor[0]

    def accept(self, step: Encoded, position: int) -> Encoded:
        """Return a step of the encoder as the searches are to hear it.

        Args:
            step: with what the tap has read.
            position: feature frame of the stream at which the step begins.
        """
        rows = step.voice
        if rows is None:
            return step
        graph, begin, self.begins = self._following.graph, position * FRAME_SECONDS, None
        window = np.repeat(rows[:1], self._kept, 0) if self._window is None else self._window
        window = np.concatenate([window, rows])
        self._window = window[-self._kept :]
        self._remember(begin, rows)
        span = self._span
        if span is None or not self._finds(span, begin + len(rows) * graph.frame_seconds):
            return step if self._span is None else self._masked(step, np.zeros(len(step.out), bool))
        anchor = self._anchor[1] if self._anchor is not None else rows[:0]
        odds = graph.odds(window[: graph.back + len(rows) + graph.ahead], anchor)
        first = begin - self._delay * graph.frame_seconds
        passes = self._judge(odds > self._following.least_odds, first, span[1])
        return self._masked(step, np.logical_or.reduce(passes.reshape(len(step.out), -1), axis=1))

    def _remember(self, begin: float, rows: Floats) -> None:
        self._history.append((begin, rows))
        while self._history[0][0] < begin - LONGEST_SECONDS - 1:
            self._history.popleft()

    def _finds(self, span: tuple[float, float], heard: float) -> bool:
        """Whether the wake word is known; one that was hardly heard at all is nobody's."""
        if self._anchor is not None and self._anchor[0] == span:
            return True
        if heard < span[1]:
            return False
        seconds = self._following.graph.frame_seconds
        first = max(span[0], span[1] - HEARD_SECONDS)
        rows = [
            row for begin, step in self._history for k, row in enumerate(step) if first <= begin + k * seconds < span[1]
        ]
        if len(rows) * seconds < SHORTEST_SECONDS / 2:
            self._span = None
            return False
        self._anchor = span, np.asarray(rows, np.float32)
        self._last = self.begins = span[1]
        return True

    def _judge(self, speaks: Flags, first: float, end: float) -> Flags:
        """Return which frames are let through; ``first`` is when they begin, ``end`` where the wake word ends."""
        seconds = self._following.graph.frame_seconds
        hold, passes = round(HOLD_SECONDS / seconds), np.zeros(len(speaks), bool)
        for k, speaking in enumerate(speaks.tolist()):
            at = first + k * seconds
            if speaking and at >= end + AFTER_SECONDS:
                self._since, self._last = 0, at + seconds
            else:
                self._since += 1
            passes[k] = self._since <= hold
        self._judged = first + len(speaks) * seconds
        return passes

    def _masked(self, step: Encoded, passes: Flags) -> Encoded:
        """Return a step with nothing but the blank in the encoder frames that do not pass."""
        if passes.all():
            return step
        phones = step.phones
        if phones is not None:
            passed = passes.repeat(len(phones) // len(passes))[:, None]
            phones = np.where(passed, phones, self._following.nothing)
        return step._replace(out=np.where(passes[:, None], step.out, self._following.graph.blank), phones=phones)
