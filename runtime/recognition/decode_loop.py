"""The one loop from samples to tokens: one encoder, and any number of searches over what it gives.

Whatever recognises runs it: live streams, recordings, evaluation, grammars, reports of phrase lists.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from ...lattice import TokenLattice
from ...models import SAMPLE_RATE
from ...models.encoder import Encoded, Tap
from ...models.errors import NearwordError
from ...models.features import FRAME_SECONDS
from ...models.samples import Samples
from ..search import Search
from .encoder_stream import AudioEncoder
from .second_pass import PhonesHeard, SecondPass
from .sentences import Sentences
from .session import Session
from .timing import Stopwatch

if TYPE_CHECKING:
    from .anchor import SpeakerGate

LEAD_SECONDS = 0.6
"""Audio before a search is added that it hears too: the first sounds of an utterance, before it was noticed."""
STEPS_AT_ONCE = 8
"""Steps that are encoded before they are searched, where audio comes in long pieces."""


class Follower(Protocol):
    """Another search over the same audio."""

    def advance(self, step: Encoded) -> None:
        """Take the next step of the encoder."""
        ...


class DecodeLoop:
    """One stream of audio: its encoder, the search for its words, and the searches that were added."""

    def __init__(self, session: Session, *, tap: Tap | None = None, anchor: "SpeakerGate | None" = None) -> None:
        """Begin a stream; with a ``tap`` each step tells what that reads, for whoever follows.

        With an ``anchor`` only one speaker is heard.

        Raises:
            NearwordError: who follows and the anchor hear the encoder at different places.
        """
        self.stopwatch = Stopwatch()
        """How long each stage takes."""
        self.session = session
        """What is boosted for this stream."""
        self.second_pass = SecondPass.of(session.model, session.options)
        """What is done at the end of an utterance; None without."""
        options = session.options
        self.sentences = Sentences.of(session.model, options)
        """How probable whole sentences are, at the end of an utterance; None: nobody knows."""
        self.encoder = AudioEncoder(
            session.model,
            phones=options.hears_phones(session.model),
            tap=tap_for_both(tap, anchor),
            gate=anchor,
            effort=options.effort,
            # the greedy search gives what other decoders of these graphs do, and a wake word has its place in the audio
            lead=anchor is None and not options.is_greedy(),
        )
        """What the searches hear."""
        self.search: Search = session.begin_search()
        """The search for the words of the audio that is encoded so far."""
        self.phones = PhonesHeard()
        """What goes with the search: phones of the same audio."""
        lead = LEAD_SECONDS / (session.model.info.chunk_shift * FRAME_SECONDS)
        self.is_idle = False
        """Whether the latest audio was skipped: ``restart`` comes before more of it is decoded."""
        self._skipped = 0
        self._recent: deque[Encoded] = deque(maxlen=math.ceil(lead))
        self._followers: list[Follower] = []
        self._anchor = anchor

    @property
    def rescores(self) -> bool:
        """Whether more than the search has a say at the end of an utterance, so that its words may change then."""
        return self.second_pass is not None or self.sentences is not None

    @property
    def follows_speaker(self) -> bool:
        """Whether only one speaker is heard now."""
        return self._anchor is not None and self._anchor.follows

    def accept(self, samples: Samples) -> bool:
        """Take samples [n], 16 kHz mono float32, as ``FrameGrid`` gives them; returns whether a step was decoded."""
        return self.decode(self.encoder.take(samples))

    def skip(self, samples: Samples) -> None:
        """Take samples in which nobody speaks; phrases are made ready meanwhile as ever."""
        self.encoder.skip(samples)
        self.is_idle, self._skipped = True, self._skipped + len(samples)
        if self._skipped >= self.session.model.info.chunk_shift * FRAME_SECONDS * SAMPLE_RATE:
            self._skipped = 0
            self._refresh()

    def finish(self) -> bool:
        """Decode the last steps, as if silence followed."""
        return self.decode(self.encoder.finish())

    def decode(self, steps: Iterable[Encoded]) -> bool:
        """Search on through steps of the encoder, its own or such as were kept; returns whether there were any."""
        remaining, decoded = iter(steps), False
        while True:
            batch = self._encode(remaining)
            for step in batch:
                self._search(step)
            decoded = decoded or bool(batch)
            if len(batch) < STEPS_AT_ONCE:
                return decoded

    def _encode(self, steps: Iterator[Encoded]) -> list[Encoded]:
        """Return the next few of the steps that are due.

        They are encoded one after the other and searched afterwards: the weights of an encoder push all else out of the
        processor's caches, which then happens once.
        """
        batch: list[Encoded] = []
        began, add = perf_counter(), self.stopwatch.add
        for step in islice(steps, STEPS_AT_ONCE):
            batch.append(step)
            encoded = perf_counter()
            add("branch" if step.is_cheap else "encoder", encoded - began)
            began = encoded
        if len(batch) < STEPS_AT_ONCE:
            add("features", perf_counter() - began)
        return batch

    def _search(self, step: Encoded) -> None:
        began = perf_counter()
        self._refresh()
        self.search.advance(step.out, step.phones)
        self.phones.add(step)
        for follower in self._followers:
            follower.advance(step)
        self._recent.append(step)
        self.stopwatch.add("search", perf_counter() - began)

    def _refresh(self) -> None:
        """Use the phrases of now."""
        self.session.refresh(self.search)
        if self.second_pass is not None:
            self.second_pass.prepare()
        if self.sentences is not None:
            self.sentences.prepare()

    def completed(self, silence: float = 0.0) -> tuple[Search, PhonesHeard]:
        """Return search and phones as they would be if silence followed: with all that was heard, the loop untouched.

        ``silence`` is how many seconds of it there were already.
        """
        search, phones = self.search.fork(), self.phones.fork()
        for step in self.encoder.completed(silence):
            search.advance(step.out, step.phones)
            phones.add(step)
        return search, phones

    def restart(self) -> None:
        """Forget all that was heard, but for the last moments: encoder and search begin anew, nothing follows."""
        self.encoder.restart()
        self.second_pass = SecondPass.of(self.session.model, self.session.options)
        self.search = self.session.begin_search()
        self.phones = PhonesHeard()
        self._recent.clear()
        self._followers.clear()
        self.is_idle = False

    def drop(self, tokens: int) -> tuple[TokenLattice, PhonesHeard]:
        """Forget the first tokens, which an utterance ended in the middle of speech takes.

        Returns their lattice and the phones up to there.
        """
        self.search = self.search.fork()
        phones = self.phones.cut(self.search.frames[tokens - 1] + 1 if tokens else 0)
        return self.search.drop(tokens), phones

    def follow(self, follower: Follower) -> None:
        """Add a search, which hears the last ``LEAD_SECONDS`` as well, until ``unfollow`` or the next start."""
        for step in self._recent:
            follower.advance(step)
        self._followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        """Let a search hear no more; one that hears nothing as it is stays so."""
        if follower in self._followers:
            self._followers.remove(follower)

    def stable(self) -> tuple[int, int]:
        """Return how many words, and how many tokens, can change no more: all before the last stable word begins.

        A word is stable once the beginning of another is.
        """
        vocabulary = self.session.model.vocabulary
        tokens = self.search.tokens[: self.search.stable_tokens]
        last = next((k for k in range(len(tokens) - 1, 0, -1) if vocabulary.word_starts[tokens[k]]), 0)
        return len(vocabulary.word_spans(tokens[:last])), last

    def stable_text(self, *, lower: bool = True) -> str:
        """Return the beginning of the text that all hypotheses agree on, up to the last letter."""
        search = self.search
        return self.session.model.vocabulary.text(search.tokens[: search.stable_tokens], lower=lower)


def tap_for_both(tap: Tap | None, anchor: "SpeakerGate | None") -> Tap | None:
    """Return what reads the encoder for both.

    Raises:
        NearwordError: they need two.
    """
    if anchor is None or tap in (None, anchor.tap):
        return tap if anchor is None else anchor.tap
    raise NearwordError("anchor.onnx hears another part of the encoder than speaker.onnx; take graphs made together")
