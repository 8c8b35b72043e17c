"""Options of commands that search: how wide, what is boosted, which language model."""

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Precision, fail

if TYPE_CHECKING:
    from ...models import Transducer
    from ..search import SearchOptions

Beam = Annotated[
    int,
    typer.Option(
        "--beam",
        min=1,
        max=64,
        help="Hypotheses to follow. 1: greedy, a little faster, more errors, no alternatives.",
    ),
]
Bias = Annotated[
    list[Path] | None,
    typer.Option(
        "--bias",
        metavar="FILE",
        help="Boost the phrases of this file: text (one a line), JSON, vCard, Home Assistant export. Repeatable.",
        show_default=False,
    ),
]
Strength = Annotated[
    float | None,
    typer.Option("--bias-strength", min=0.0, max=1.0, help="How much phrases are boosted.", show_default="0.5"),
]
LanguageModel = Annotated[
    Path | None,
    typer.Option(
        "--lm",
        metavar="FILE",
        help="N-gram language model in place of the model's own (see: nearword lm train); none: without.",
        show_default=False,
    ),
]
LanguageWeight = Annotated[
    float | None,
    typer.Option(
        "--lm-weight",
        min=0.0,
        max=5.0,
        help="How much the language model counts.",
        show_default="0.4",
    ),
]
Phones = Annotated[
    bool,
    typer.Option(
        "--phones/--no-phones",
        help="At the end of an utterance, compare the words with the phones that were heard, if the model tells them.",
    ),
]
Sentences = Annotated[
    bool,
    typer.Option(
        "--sentences/--no-sentences",
        help="At the end of an utterance, score what may have been said as whole sentences, if the model has a network"
        " for that; never with another --lm than the model's own.",
    ),
]
Attention = Annotated[
    bool,
    typer.Option(
        "--attention/--no-attention",
        help="With --bias: the model itself is made to expect the phrases, if its folder has the graphs for that.",
    ),
]


class Effort(str, Enum):
    """How much of the encoder is computed; see ``models.branching``."""

    full = "full"
    balanced = "balanced"
    low = "low"


EffortOption = Annotated[
    Effort,
    typer.Option(
        "--effort",
        help="How much of the encoder is computed, if the model has a cheap branch. low: least, and more errors.",
    ),
]
DEFAULT_BEAM = 12


def loaded_model(name: str, precision: Precision, *, threads: int = 1, look_ahead: float | None = None) -> "Transducer":
    """Load the model of a command line.

    Raises:
        ModelError: it cannot be found or read.
    """
    from ...models import ModelError, Transducer, resolve

    loaded = Transducer.load(resolve(name), threads=threads, precision=precision.value)
    if look_ahead is None:
        return loaded
    try:
        return loaded.looking_ahead(look_ahead)
    except ModelError as error:
        raise typer.BadParameter(str(error), param_hint="--look-ahead") from error


def search_options(
    model: "Transducer",
    beam: int,
    bias: list[Path] | None = None,
    strength: float | None = None,
    language: Path | None = None,
    weight: float | None = None,
    *,
    phones: bool = True,
    sentences: bool = True,
    attention: bool = False,
    effort: Effort = Effort.full,
) -> "SearchOptions":
    """Return what the options of a command line ask for; phrases that cannot be used are told on standard error.

    Raises:
        BiasingError: a phrase file cannot be read.
        LanguageModelError: the language model cannot be read.
        ModelError: less than full effort is asked for of a model without a cheap branch, or of another look-ahead.
    """
    from ..search import BeamSettings, SearchOptions
    from ..search.language import DEFAULT_WEIGHT, Fusion, own_language

    if strength is not None and not bias:
        raise typer.BadParameter("there is nothing to boost; give --bias FILE too", param_hint="--bias-strength")
    biasing = None
    if bias:
        from ..recognition.biasing import load_biasing

        biasing, refused = load_biasing(model, bias, strength=strength)
        for one in refused:
            fail(str(one))
        if not len(biasing):
            fail(f"{', '.join(map(str, bias))}: no phrase to boost")
    if attention and not bias:
        raise typer.BadParameter("there is nothing to attend to; give --bias FILE too", param_hint="--attention")
    if effort is not Effort.full:
        model.encoder_stream(effort=effort.value)  # told at once where the model has no branch, or another look-ahead
    beams = BeamSettings(max_active=beam)
    options = SearchOptions(
        beams, bias=biasing, phones=phones, sentences=sentences, attention=attention, effort=effort.value
    )
    if language is None and weight is None:
        return options
    weight = DEFAULT_WEIGHT if weight is None else weight
    if language is None:
        return replace(options, language=own_language(model, weight))
    if str(language) == "none":
        return replace(options, language=None)
    from ...lattice.language import load_ngram

    return replace(options, language=Fusion(model, load_ngram(language, model.vocabulary.tokens), weight))
