"""What a search comes to at the end of an utterance; of two searches the one whose words are right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...lattice import Lattice, LatticeError, TokenLattice, align, n_best, path_alone
from ...lattice.nbest import Path
from ..search import Search, TwoSearches
from .decode_loop import DecodeLoop
from .second_pass import PhonesHeard, SecondPass, beginning_with, word_lattice
from .transcript import Word

WordsOf = Callable[[Search], tuple[Word, ...]]
"""Words of a search's best path, with times and confidences."""


@dataclass(frozen=True)
class Reading:
    """What a search came to."""

    words: tuple[Word, ...]
    """Those that the search itself holds best."""
    lattice: Lattice
    """What may have been said, with the phones that were heard in its acoustic scores."""
    second_pass: SecondPass | None
    phones: PhonesHeard
    rescored: bool
    """Whether more than the search has a say in the lattice, so that its best words may be others."""

    @cached_property
    def best(self) -> Path:
        """The best path of the lattice."""
        return n_best(self.lattice, 1)[0]

    @cached_property
    def fit(self) -> float:
        """How well the phones fit that path (natural logarithm), 0 at best; 0 also where no phones are told."""
        log_probs = self.phones.log_probs()
        if self.second_pass is None or not len(log_probs):
            return 0.0
        if not self.best.arcs:
            return float((log_probs[:, 0] - log_probs.max(1)).sum())
        alone = path_alone(self.lattice, self.best.arcs)
        alignment = align(alone, self.second_pass.pronounced(alone.words), log_probs)
        return NO_FIT if alignment is None else float(alignment.forward[-1, -1])


NO_FIT = -1000.0
"""Of words that are more than fit into the audio."""


def read(
    loop: DecodeLoop,
    tokens: TokenLattice,
    phones: PhonesHeard,
    words: tuple[Word, ...],
    promised: Sequence[str] = (),
    *,
    lower: bool = True,
) -> Reading:
    """Return what the paths of one search come to.

    Args:
        loop: in which it searched.
        tokens: its paths.
        phones: of the same audio.
        words: those that it holds best.
        promised: texts of words with which the result has to begin.
        lower: lower-case words, also of models with upper-case tokens.

    Raises:
        LatticeError: no path ends.
    """
    return _read(loop, loop.second_pass, tokens, phones, words, promised, lower=lower)


def read_best(
    loop: DecodeLoop,
    search: Search,
    phones: PhonesHeard,
    words_of: WordsOf,
    promised: Sequence[str] = (),
    *,
    lower: bool = True,
) -> Reading:
    """Return what a search comes to; of two the one that the session holds right. Like ``read`` in all else."""
    if not isinstance(search, TwoSearches):
        return read(loop, search.lattice(), phones, words_of(search), promised, lower=lower)
    plain = read(loop, search.plain.lattice(), phones, words_of(search.plain), promised, lower=lower)
    if search.informed is None:
        return plain
    session, tokens = loop.session, search.informed.lattice()
    second = SecondPass.of(session.model, session.informed_options)
    try:
        informed = _read(
            loop, second, tokens, phones, words_of(search.informed), promised,
            spoken=session.expects_letters, lower=lower,
        )  # fmt: skip
    except LatticeError:
        return plain
    return informed if session.prefers_informed(search.informed, informed, plain) else plain


def _read(
    loop: DecodeLoop,
    second: SecondPass | None,
    tokens: TokenLattice,
    phones: PhonesHeard,
    words: tuple[Word, ...],
    promised: Sequence[str],
    *,
    spoken: bool = False,
    lower: bool,
) -> Reading:
    session = loop.session
    lattice = word_lattice(session.model, tokens, session.options.lattice, lower=lower)
    if loop.sentences is not None:
        lattice = loop.sentences.rescore(beginning_with(lattice, promised))
    if second is not None:
        spoken = spoken or loop.follows_speaker
        lattice = second.rescore(lattice, phones.log_probs(), words, promised, spoken=spoken)
    return Reading(words, lattice, second, phones, second is not None or loop.sentences is not None)
