"""From labelled texts to a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import UnderstandingError
from ..graph import NOTHING_LISTED, Graph, Listed, WordClasses, graph_of_words
from ..intent_features import intent_features
from ..model import OUTSIDE, UnderstandingModel, transition_keys
from ..slot_features import slot_features, windows_of_words
from ..weights import ExactWeights, Ints
from ..words import Keys, Token, tokenize
from . import intents, language, slot_teacher, slots
from .distillation import Encoder, scaled
from .examples import Example
from .paths import path_settings
from .temperature import fit_temperature
from .vary import known_values, varied

NONE_OF_THEM = ("oos", "out_of_scope")
"""Intents of texts that ask for nothing, by habit of the data sets."""
COST = 0.03
"""Of errors of the intents' classifier."""
PER_ROW = 9.1
"""Bits that a row takes beside its weights: hash and fingerprint."""
HEADER = 7_500
"""Bytes that names and the like take."""
SAMPLE = 400
"""Texts of which it is taken what a word is worth on average."""
HELD_PART = 8
"""One text in so many is held out from the first CRF, for the temperature."""
LANGUAGE_NGRAM = 25.0
"""Bits of an n-gram."""
LANGUAGE_SHARE = 0.07
"""Of the room, for n-grams."""
INTENT_NEEDS = 1.7
"""Room that an intent needs, against a label: F1 of slots hardly falls where most of their weights go."""
LEAST_INTENTS, MOST_INTENTS = 0.3, 0.6
"""Share of intents in what they and slots have."""
INTENT_LEVEL_BITS, SLOT_LEVEL_BITS = 6.0, 7.0
"""Bits of a weight as it is stored, with the one that says whether its row goes on."""


@dataclass(frozen=True)
class Settings:
    """How to learn."""

    max_bytes: int | None = 300_000
    """Size of the stored model to keep to, about; None keeps all weights."""
    in_scope_lost: float = 0.02
    """Share of texts that ask for something which may be refused, so that others are."""
    cost: float = COST
    """Of errors of the intents' classifier, against the size of its weights."""
    iterations: int = slots.MAX_ITERATIONS
    """Times that the CRF looks at all texts."""
    classes_bytes: int = 0
    """What the classes of words take of the size."""
    vary: int = 0
    """Variants of each text that are learnt as well, with other values in its slots; see ``varied``."""
    keep_whole: bool = False
    """Whether to return the model with all weights as well."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A model with exact weights, and what was learnt on the way."""

    model: UnderstandingModel
    """To be stored."""
    held_out_accuracy: float
    """Share of texts whose intent was right where they were held out."""
    refused: float
    """Share of texts that ask for nothing which are refused where they were held out; NaN without such."""
    whole: UnderstandingModel | None = None
    """The model with all weights that were learnt, if it was asked for."""


def train(
    examples: Sequence[Example],
    *,
    other: Sequence[str] = (),
    beside: Sequence[Example] = (),
    unlabelled: Sequence[str] = (),
    encoder: Encoder | None = None,
    classes: WordClasses | None = None,
    listed: Listed = NOTHING_LISTED,
    settings: Settings = Settings(),
    told: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Return what is learnt of examples.

    Args:
        examples: texts with what they ask for. The intents ``oos`` and ``out_of_scope`` stand for nothing.
        other: texts that ask for nothing.
        beside: texts that were labelled for another purpose: what tells their intents apart helps where examples are
            few. Their intents are not learnt, and nothing of them is stored.
        unlabelled: texts of the kind that will be said, which nobody labelled: a teacher does, who is not stored.
        encoder: what the teacher knows beside words, of a sentence encoder; the two go together.
        classes: which words are used alike.
        listed: phrases of classes that may be others when the model is used.
        settings: how to learn.
        told: gets a line of progress now and then.

    Raises:
        UnderstandingError: fewer than two intents; unlabelled texts without an encoder, or one without texts.
    """
    _need_both(unlabelled, encoder)
    values = known_values(examples)
    examples, sources = varied(examples, settings.vary)
    asked = sorted({one.intent for one in examples} - set(NONE_OF_THEM))
    none_of_them = bool(other) or any(one.intent in NONE_OF_THEM for one in examples)
    if len(asked) + none_of_them < 2 or not asked:
        raise UnderstandingError(f"the data have {len(asked)} intents; expected two at least, or one and other texts")
    names = (*asked, *(NONE_OF_THEM[:1] if none_of_them else ()))
    number = {name: place for place, name in enumerate(names)} | dict.fromkeys(NONE_OF_THEM, len(names) - 1)
    told(f"{len(examples) + len(other):,} texts, {len(asked)} intents")
    tagged = [one.labelled() for one in examples]
    words = [[token.text for token in tokens] for tokens, _ in tagged] + [
        [token.text for token in tokenize(text)] for text in other
    ]
    wanted = [number[one.intent] for one in examples] + [len(names) - 1] * len(other)
    graphs = [graph_of_words(some, classes) for some in words]
    labels = (OUTSIDE, *sorted({label for _, some in tagged for label in some} - {OUTSIDE}))
    budget = _budget(settings, len(names), len(labels))
    told("features of intents")
    said = [[token.text for token in tokenize(text)] for text in unlabelled]
    strange = [graph_of_words(some, classes) for some in said]
    features = [intent_features(graph, listed) for graph in (*graphs, *strange)]
    features += [
        intent_features(graph_of_words([token.text for token in tokenize(one.text)], classes), listed) for one in beside
    ]
    everything = [*(one.text for one in examples), *other, *unlabelled]
    data = intents.gather(
        features,
        wanted,
        len(names),
        intents.groups_of(names),
        beside=_numbered([one.intent for one in beside]),
        vectors=None if encoder is None else scaled(encoder.texts(everything)),
        cost=settings.cost,
    )
    intent_weights, all_intents = _learn_intents(data, settings, budget["intents"], told)
    sources += range(sources[-1] + 1, sources[-1] + 1 + len(other))
    held_out = intents.hold_out(data, np.array(sources), settings.cost, none_of_them, settings.in_scope_lost, told)
    # slots are learnt with intents as they will be guessed, of texts that say what slots they have
    looked = [place for place, one in enumerate(examples) if one.slots is not None]
    guessed = held_out.guessed[looked]
    tagged = [tagged[place] for place in looked]
    asked_for = [*(wanted[place] for place in looked), *guessed.tolist()]
    allowed = _allowed(tagged, asked_for, labels, intents.beginnings_of(names))
    empty = ExactWeights.gather(np.zeros(0, np.uint64), [], [], len(labels))
    model = UnderstandingModel(
        names, none_of_them, labels, allowed, intent_weights, empty, empty, classes, held_out.rejection
    )
    all_slots = empty
    if len(labels) > 1:
        slot_data, both, guessed = _slot_data(model, tagged, [graphs[place] for place in looked], guessed, listed)
        if encoder is not None:
            slot_data = _with_unlabelled(model, slot_data, tagged, guessed, said, strange, encoder, listed, told)
        model, all_slots = _learn_slots(model, slot_data, both, guessed, listed, settings, budget["slots"], told)
    told("n-grams")
    texts = len(examples)
    asking = [some for some, place in zip(words, wanted, strict=True) if not (none_of_them and place == len(names) - 1)]
    ngrams = language.learn(asking, int(budget["language"] / LANGUAGE_NGRAM) if settings.max_bytes else 1 << 20)
    model = replace(model, language_weights=ngrams, known_values=values)
    sample = [place for place, one in enumerate(examples) if one.intent not in NONE_OF_THEM][:: max(1, texts // SAMPLE)]
    model = replace(
        model, paths=path_settings(model, [graphs[place] for place in sample], [wanted[place] for place in sample])
    )
    whole = replace(model, intent_weights=all_intents, slot_weights=all_slots) if settings.keep_whole else None
    return Trained(model, held_out.accuracy, held_out.refused, whole)


def _word_features(graphs: Sequence[Graph], guessed: Ints, listed: Listed, names: Sequence[str]) -> list[Keys]:
    """Return the features of the words of texts, [words, features] each, with intents as they are guessed."""
    return [
        slot_features(graph, windows_of_words(graph), listed, names[guess])
        for graph, guess in zip(graphs, guessed.tolist(), strict=True)
    ]


def _slot_data(
    model: UnderstandingModel,
    tagged: list[tuple[list[Token], list[str]]],
    graphs: Sequence[Graph],
    guessed: Ints,
    listed: Listed,
) -> tuple[slots.SlotData, list[Graph], Ints]:
    """Return the features and labels of texts, their graphs, and what they ask for; ``tagged`` grows with them.

    Texts with capitals are learnt with and without them: a recogniser writes none.
    """
    cased = [place for place, (tokens, _) in enumerate(tagged) if tokens and tokens[0].case]
    both = list(graphs)
    for place in cased:
        tokens = tagged[place][0]
        case = [token.case for token in tokens]
        both.append(graph_of_words([token.text for token in tokens], model.classes, case))
    tagged += [tagged[place] for place in cased]
    guessed = np.concatenate([guessed, guessed[cased]])
    features = _word_features(both, guessed, listed, model.intents)
    return slots.SlotData(features, [some for _, some in tagged]), both, guessed


def _with_unlabelled(
    model: UnderstandingModel,
    data: slots.SlotData,
    tagged: Sequence[tuple[list[Token], list[str]]],
    guessed: Ints,
    said: Sequence[Sequence[str]],
    graphs: Sequence[Graph],
    encoder: Encoder,
    listed: Listed,
    told: Callable[[str], None],
) -> slots.SlotData:
    """Return texts with labels, and behind them others with those of a teacher; ``said`` has the words of these."""
    spoken = [[token.text for token in tokens] for tokens, _ in tagged]
    ours = slot_teacher.Texts(data.features, encoder.words(spoken), guessed)
    margins = np.array([model.margins(graph, listed) for graph in graphs])
    supposed = (margins[:, :-1] if model.none_of_them else margins).argmax(1)
    others = slot_teacher.Texts(_word_features(graphs, supposed, listed, model.intents), encoder.words(said), supposed)
    return slot_teacher.taught(model, ours, data.labels, others, told)


def _need_both(unlabelled: Sequence[str], encoder: Encoder | None) -> None:
    if bool(unlabelled) != (encoder is not None):
        missing = "a sentence encoder that tells what they mean" if unlabelled else "texts that nobody labelled"
        raise UnderstandingError(f"unlabelled texts and a sentence encoder go together; expected {missing} too")


def _numbered(names: Sequence[str]) -> list[int]:
    """Return the number of each name, by order of their first places."""
    number = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return [number[name] for name in names]


def _budget(settings: Settings, num_intents: int, num_labels: int) -> dict[str, float]:
    """Return the bits that each part may take."""
    if settings.max_bytes is None:
        return dict.fromkeys(("intents", "slots", "language"), float("inf"))
    bits = 8.0 * (settings.max_bytes - settings.classes_bytes - HEADER)
    if bits <= 0:
        raise UnderstandingError(
            f"{settings.max_bytes} bytes are too few; expected over {settings.classes_bytes + HEADER}"
        )
    needs = INTENT_NEEDS * num_intents
    share = min(max(needs / (needs + num_labels), LEAST_INTENTS), MOST_INTENTS) if num_labels > 1 else 1.0
    rest = (1 - LANGUAGE_SHARE) * bits
    return {"intents": share * rest, "slots": (1 - share) * rest, "language": LANGUAGE_SHARE * bits}


def _weight_bits(levels: float, columns: int) -> float:
    return levels + max(columns - 1, 1).bit_length()


def _learn_intents(
    data: intents.IntentData, settings: Settings, bits: float, told: Callable[[str], None]
) -> tuple[ExactWeights, ExactWeights]:
    """Return the weights of intents that are kept, and all of them if they are asked for."""
    told(f"intents: {len(data.columns):,} features")
    weights = intents.learn(data, settings.cost)
    whole = intents.as_exact(data.columns, weights if settings.keep_whole else weights[:, :0])
    if bits < float("inf"):
        per_weight = _weight_bits(INTENT_LEVEL_BITS, data.num_intents)
        weights = intents.with_few(data, weights, bits, per_weight, PER_ROW, told)
    return intents.as_exact(data.columns, weights), whole


def _learn_slots(
    model: UnderstandingModel,
    data: slots.SlotData,
    graphs: Sequence[Graph],
    guessed: Ints,
    listed: Listed,
    settings: Settings,
    bits: float,
    told: Callable[[str], None],
) -> tuple[UnderstandingModel, ExactWeights]:
    """Return the model with slot weights and their temperature, and all weights that there were at first.

    Of texts in ``data`` without a graph, behind the others, a teacher has told the labels.
    """
    order = np.random.default_rng(0).permutation(len(graphs))
    held, others = order[: len(order) // HELD_PART], np.sort(order[len(order) // HELD_PART :])
    others = np.concatenate([others, np.arange(len(graphs), len(data.labels))])
    labels = model.labels
    first = slots.learn(data, labels, told, rows=others, iterations=settings.iterations, orders=1)
    probe = replace(model, slot_weights=first)
    wanted = [data.labels[text] for text in held.tolist()]
    temperature = fit_temperature(probe, [graphs[text] for text in held.tolist()], guessed[held], wanted, listed)
    weights = whole = slots.learn(data, labels, told, iterations=settings.iterations)
    if bits < float("inf"):
        per_weight = _weight_bits(SLOT_LEVEL_BITS, len(labels))
        weights = slots.with_few(data, weights, transition_keys(labels), bits, per_weight, PER_ROW, told)
    return replace(model, slot_weights=weights, label_temperature=temperature), whole


def _allowed(
    tagged: Sequence[tuple[object, Sequence[str]]], intent_numbers: Sequence[int], labels: Sequence[str], group_of: Ints
) -> npt.NDArray[np.bool_]:
    """Return which labels go with which intents: those that were seen with one whose name begins alike.

    So a slot is found where the intent is taken for its neighbour. Texts come again where there are more intents than
    texts.
    """
    number = {label: place for place, label in enumerate(labels)}
    allowed = np.zeros((int(group_of.max()) + 1, len(labels)), bool)
    allowed[:, 0] = True
    for place, intent in enumerate(intent_numbers):
        for label in tagged[place % len(tagged)][1]:
            allowed[group_of[intent], number[label]] = True
    found: npt.NDArray[np.bool_] = allowed[group_of]
    return found
