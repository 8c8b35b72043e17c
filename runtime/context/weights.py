"""What each source of context is worth: a handful of numbers, learnt from dialogues by ``nearword context learn``."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from functools import lru_cache
from pathlib import Path

from .errors import ContextError

WEIGHTS_FILE = Path(__file__).with_name("weights.json")
EVIDENCE = ("constant", "total", "phones", "answer")
"""What is weighed before the words that a context brought are believed, in natural logarithms: 1; by how much they
have the better score in all; how much better the phones fit them; and the log-odds of their being an answer, by the
words alone. See ``choice``."""


class Source(str, Enum):
    """Where context comes from."""

    act = "act"
    """What is usually answered to what was asked: yes, the second one, at seven."""
    reply = "reply"
    """Names and terms in the reply."""
    screen = "screen"
    """What is on the display."""
    entities = "entities"
    """Entries that services brought up, by class."""
    heard = "heard"
    """What was said before."""
    device = "device"
    """The device that is spoken to, and its room."""
    vector = "vector"
    """Phrases of known lists that usually follow such a reply."""


@dataclass(frozen=True)
class ContextWeights:
    """How much context counts.

    Raises:
        ContextError: a value is out of range; names it.
    """

    scale: float = 0.6
    """How much the ratio of likely answers to general speech counts beside the acoustic score."""
    spelled: float = 0.9
    """The same of answers that are spelled: letters are hard to hear, and nothing else is expected."""
    expected: float = 0.8
    """Prior probability that an act that asks for something is answered."""
    unasked: float = 0.3
    """The same of terms where nothing in particular was asked."""
    cache: float = 0.01
    """Share of the dialogue's own words in general speech."""
    strength: float = 0.15
    """Of context's phrases where they are boosted at their places in templates and found by their sound."""
    sources: Mapping[Source, float] = field(default_factory=lambda: dict.fromkeys(Source, 1.0))
    """Of each source, relative to the others that are there; 0 switches it off."""
    choice: Mapping[str, float] = field(default_factory=lambda: {"total": 1.0})
    """Of ``EVIDENCE``; what is not there has none."""

    def __post_init__(self) -> None:
        for name, most in (
            ("scale", 4.0),
            ("spelled", 4.0),
            ("expected", 0.99),
            ("unasked", 0.99),
            ("cache", 0.5),
            ("strength", 1.0),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise ContextError(f"{name} is {getattr(self, name)}: expected 0 to {most:g}")
        for source, weight in self.sources.items():
            if not 0 <= weight < math.inf:
                raise ContextError(f"the weight of {source.value} is {weight}: expected 0 or more")
        for name, weight in self.choice.items():
            if name not in EVIDENCE or not math.isfinite(weight):
                raise ContextError(f"the choice has {name} at {weight}: expected numbers for {', '.join(EVIDENCE)}")

    def shares(self, present: Iterable[Source], *, asked: bool) -> dict[Source, float]:
        """Return the prior probability of the answers of each source that is present."""
        weights = {source: self.sources.get(source, 0.0) for source in present}
        total = sum(weights.values())
        most = self.expected if asked else self.unasked
        return {source: most * weight / total for source, weight in weights.items() if weight > 0}

    def without(self, *sources: Source) -> "ContextWeights":
        """Return the weights with some sources switched off."""
        kept = {source: 0.0 if source in sources else weight for source, weight in self.sources.items()}
        return replace(self, sources=kept)

    def to_json(self) -> str:
        """Return the weights as a file holds them."""
        values = {name: value if isinstance(value, dict) else round(value, 4) for name, value in asdict(self).items()}
        for name in ("sources", "choice"):
            values[name] = {key: round(weight, 4) for key, weight in values[name].items()}
        return json.dumps(values, indent=2) + "\n"


def read_weights(path: Path) -> ContextWeights:
    """Read weights that ``to_json`` wrote.

    Raises:
        ContextError: the file cannot be read, or holds no weights; names it.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        sources = {Source(name): float(weight) for name, weight in values.pop("sources").items()}
        choice = {name: float(weight) for name, weight in values.pop("choice").items()}
        return ContextWeights(**{name: float(value) for name, value in values.items()}, sources=sources, choice=choice)
    except OSError as error:
        raise ContextError(f"{path}: {error.strerror}; expected weights that 'nearword context learn' wrote") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContextError(f"{path}: holds no weights of context ({error})") from error


@lru_cache(1)
def default_weights() -> ContextWeights:
    """Return the weights that come with nearword."""
    return read_weights(WEIGHTS_FILE) if WEIGHTS_FILE.exists() else ContextWeights()
