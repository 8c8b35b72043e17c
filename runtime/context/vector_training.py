"""Training of the encoder of ``vector``: requests say what stands where in them, dialogues what follows what.

What stands before a slot of a request is a text that entries of its class follow; a turn of a dialogue is followed by
the next one, and not by those of others (contrastive, with the other turns of a batch as negatives; Henderson et al.
2017, arXiv 1705.00652). Both share the table of what comes before. Adam on numpy arrays: minutes on one core.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from .errors import ContextError
from .vector import BUCKETS, DIMENSIONS, LABELS, ContextEncoder, Floats, features

SLOTS = {
    "contact": "person relation email_address personal_info",
    "media": "song_name artist_name artist track album playlist playlist_name movie_name object_name podcast_name "
    "radio_name audiobook_name audiobook_author music_genre genre podcast_descriptor game_name music_item entity_name",
    "device": "device_type",
    "room": "house_place",
    "place": "city state country place_name location_name restaurant_name poi business_name geographic_poi",
    "food": "food_type ingredient served_dish cuisine drink_type coffee_type meal_type",
    "list": "list_name",
    "when": "date time timeofday timerange general_frequency event_name",
    "number": "party_size_number rating_value change_amount",
}  # fmt: skip
"""Label to the names of slots in SLURP and SNIPS that hold such entries."""
ASKED = {
    "contact": "who|whom should i call|who do you want to talk to|which person|what is the name of the contact|"
    "who is it for|to whom shall i send it|who should i message|who would you like to invite|whose number",
    "media": "what would you like to hear|what should i play|which song|what music do you want|which movie|"
    "what shall i put on|which album|what do you want to watch|which station|what do you want to listen to",
    "device": "which device|which light|what should i turn on|which lamp should i switch off|"
    "which one should i turn on|what shall i switch off",
    "room": "which room|in which room|where|where should i turn it on|what room|in what part of the house",
    "place": "which city|for which place|where do you want to go|what is your destination|which restaurant",
    "food": "what would you like to eat|what should i order|which dish|what do you want to cook|which drink",
    "list": "which list|to which list shall i add it|what list",
    "when": "when|at what time|for what time|which day|when should i remind you|how long|for when|what date",
    "number": "how many|how much|what number|how many people|to what temperature|how loud",
    "yes_no": "shall i|do you want me to|should i go ahead|is that right|are you sure|would you like to hear more|"
    "do you want to continue|shall i send it|okay to delete it",
    "clarify": "which one|did you mean|do you mean this or that|i found several|which of these|pick one",
    "spell": "how do you spell that|please spell the name|spell it for me|could you spell it letter by letter",
    "other": "here you are|done|playing now|okay|it is raining|the light is on|i set an alarm|good night|hello|"
    "here is what i found|i have these for you|you are welcome",
}  # fmt: skip
"""What a device asks, by what follows."""
BATCH = 256
RATE = 0.02
REPEATED = 40
"""Times that what a device asks is seen for each pass over the requests."""
Example = tuple[np.ndarray, int]
Pair = tuple[np.ndarray, np.ndarray]


def read_requests(paths: Iterable[Path]) -> list[Example]:
    """Return what stands before slots and around them, with labels, from JSON lines with ``text`` and ``slots``.

    Raises:
        ContextError: a file cannot be read; names it.
    """
    label_of = {slot: LABELS.index(label) for label, slots in SLOTS.items() for slot in slots.split()}
    found: list[Example] = []
    for path in paths:
        try:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            for row in rows:
                for slot in row.get("slots", ()):
                    label = label_of.get(slot["slot"].lower())
                    if label is not None:
                        before, after = row["text"][: slot["start"]], row["text"][slot["end"] :]
                        found += [(features(text), label) for text in (before, f"{before} {after}") if text.strip()]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ContextError(f"{path}: cannot be read as requests ({error}); expected 'text' and 'slots'") from error
    return found


def asked() -> list[Example]:
    """Return what a device asks, with labels."""
    texts = ((text, LABELS.index(label)) for label, texts in ASKED.items() for text in texts.split("|"))
    return [(features(text), label) for text, label in texts]


def read_turns(paths: Iterable[Path]) -> list[Pair]:
    """Return neighbouring lines of texts of dialogues.

    Raises:
        ContextError: a file cannot be read; names it.
    """
    pairs: list[Pair] = []
    for path in paths:
        try:
            lines = [line for line in path.read_text(encoding="utf-8").splitlines() if re.search(r"\w", line)]
        except (OSError, UnicodeDecodeError) as error:
            raise ContextError(f"{path}: cannot be read ({error}); expected a turn a line") from error
        turns = [features(line) for line in lines]
        pairs += pairwise(turns)
    return pairs


def train(
    examples: Sequence[Example],
    pairs: Sequence[Pair],
    *,
    passes: int = 6,
    repeated: int = REPEATED,
    seed: int = 0,
    progress: Callable[[int, float, float], None] = lambda *_: None,
) -> ContextEncoder:
    """Train an encoder.

    Args:
        examples: texts with what follows them.
        pairs: turns with those that follow them.
        passes: over all of it.
        repeated: times that what a device asks is seen in each pass.
        seed: of all chances.
        progress: told a pass, the share of labels and of next turns (among ``BATCH``) that were right.

    Raises:
        ContextError: there are no examples.
    """
    if not examples:
        raise ContextError("there is no request with slots to learn from")
    rng, order = np.random.default_rng(seed), random.Random(seed)  # noqa: S311
    own = asked() * repeated
    tables = [rng.normal(0, 0.05, (BUCKETS, DIMENSIONS)).astype(np.float32) for _ in range(2)]
    labels = rng.normal(0, 0.3, (len(LABELS), DIMENSIONS)).astype(np.float32)
    values = [*tables, labels, np.zeros(len(LABELS), np.float32)]
    adam = _Adam(values)
    for number in range(passes):
        chosen = [*examples, *own]
        order.shuffle(chosen)
        shuffled = [*pairs]
        order.shuffle(shuffled)
        batches = list(_batches(chosen))
        turns = list(_batches(shuffled)) or [[]]
        right = seen = found = looked = 0
        for place, batch in enumerate(batches):
            hits = _label_step(values, adam, batch, RATE * (1 - number / passes))
            right, seen = right + hits, seen + len(batch)
            following = turns[place % len(turns)]
            if len(following) > 1:
                found += _turn_step(values, adam, following, RATE * (1 - number / passes))
                looked += len(following)
        progress(number + 1, right / seen, found / max(1, looked))
    return ContextEncoder(*values)


def _batches(items: Sequence[object]) -> Iterator[list]:  # type: ignore[type-arg]
    return (list(items[begin : begin + BATCH]) for begin in range(0, len(items), BATCH))


class _Adam:
    """Kingma and Ba 2015; in tables only the rows that were used move."""

    def __init__(self, values: Sequence[Floats]) -> None:
        self._first = [np.zeros_like(value) for value in values]
        self._second = [np.zeros_like(value) for value in values]
        self._steps = 0

    def step(self, values: Sequence[Floats], gradients: dict[int, tuple[np.ndarray, Floats]], rate: float) -> None:
        self._steps += 1
        unbias = np.sqrt(1 - 0.999 ** min(self._steps, 5000)) / (1 - 0.9 ** min(self._steps, 500))
        for number, (rows, gradient) in gradients.items():
            first, second = self._first[number], self._second[number]
            first[rows] = 0.9 * first[rows] + 0.1 * gradient
            second[rows] = 0.999 * second[rows] + 0.001 * gradient**2
            values[number][rows] -= rate * unbias * first[rows] / (np.sqrt(second[rows]) + 1e-6)


def _label_step(values: list[Floats], adam: _Adam, batch: list[Example], rate: float) -> int:
    before, _, labels, bias = values
    vectors = _vectors(before, [buckets for buckets, _ in batch])
    wanted = np.array([label for _, label in batch])
    logits = vectors @ labels.T + bias
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    right = int((probabilities.argmax(1) == wanted).sum())
    probabilities[np.arange(len(batch)), wanted] -= 1
    error = (probabilities / len(batch)).astype(np.float32)
    everything = np.arange(len(LABELS))
    adam.step(
        values,
        {
            0: _scattered([buckets for buckets, _ in batch], error @ labels),
            2: (everything, error.T @ vectors),
            3: (everything, error.sum(0)),
        },
        rate,
    )
    return right


def _turn_step(values: list[Floats], adam: _Adam, batch: list[Pair], rate: float) -> int:
    firsts, seconds = [first for first, _ in batch], [second for _, second in batch]
    left, right = _vectors(values[0], firsts), _vectors(values[1], seconds)
    logits = left @ right.T
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    hits = int((probabilities.argmax(1) == np.arange(len(batch))).sum())
    error = ((probabilities - np.eye(len(batch))) / len(batch)).astype(np.float32)
    adam.step(values, {0: _scattered(firsts, error @ right), 1: _scattered(seconds, error.T @ left)}, rate)
    return hits


def _vectors(table: Floats, texts: Sequence[np.ndarray]) -> Floats:
    return np.stack([table[buckets].sum(0) / np.sqrt(max(1, len(buckets))) for buckets in texts]).astype(np.float32)


def _scattered(texts: Sequence[np.ndarray], gradients: Floats) -> tuple[np.ndarray, Floats]:
    rows = np.concatenate(texts)
    owner = np.repeat(np.arange(len(texts)), [len(buckets) for buckets in texts])
    scaled = gradients / np.sqrt(np.maximum(1, [len(buckets) for buckets in texts]))[:, None]
    used, places = np.unique(rows, return_inverse=True)
    out = np.zeros((len(used), gradients.shape[1]), np.float32)
    np.add.at(out, places, scaled[owner])
    return used, out
