"""What the daemon offers, and what texts ask for, in the Wyoming protocol's words."""

from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, IntentModel, IntentProgram
from wyoming.intent import Entity, Intent, NotRecognized

from .engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...lattice.understanding import Understanding

NAME = "nearword"
MOST_FILLERS = 0.34
"""Share of a text's words that may be no part of a command."""
_BY = Attribution(NAME, "https://pypi.org/project/nearword/")


@lru_cache
def _version() -> str:
    """Return this package's version; reading it takes a millisecond, which a flood of questions would feel."""
    return metadata.version(NAME)


def make_info(engine: Engine) -> Info:
    """Return what is offered."""
    settings = engine.settings
    languages = list(settings.languages)
    model = AsrModel(
        name=engine.model.info.folder.name,
        attribution=_BY,
        installed=True,
        description="Streaming transducer",
        version=None,
        languages=languages,
    )
    asr = AsrProgram(
        name=NAME,
        attribution=_BY,
        installed=True,
        description="Streaming speech recognition on the device",
        version=_version(),
        models=[model],
        supports_transcript_streaming=True,
        requires_external_vad=settings.external_vad,
        prefers_auto_gain_enabled=False,
        prefers_noise_reduction_enabled=False,
    )
    offers = engine.grammar is not None or engine.requests is not None
    return Info(asr=[asr], intent=[_intents(languages)] if offers else [])


def _intents(languages: list[str]) -> IntentProgram:
    model = IntentModel(NAME, _BY, True, "Commands of a grammar, requests of a model", None, languages)
    return IntentProgram(NAME, _BY, True, "What an utterance asks for", _version(), [model])


def intent_answer(engine: Engine, text: str, context: dict[str, Any] | None) -> Event:
    """Return what a text asks for.

    Of a text that was recognised a moment ago, all that may have been said instead has been looked at as well.
    """
    heard = engine.hub.recall(text)
    if heard is not None and heard.understanding is not None:
        return _of_understanding(engine, heard.understanding, context)
    if heard is not None and heard.command is not None:
        command = heard.command
        return (
            _intent(command.intent, command.slots, context)
            if command.accepted
            else NotRecognized(None, context).event()
        )
    filled = None if engine.grammar is None else engine.grammar.fill(text.lower().split())
    if filled is not None and filled.fillers <= MOST_FILLERS * len(filled.words):
        return _intent(filled.intent, dict(filled.slots), context)
    if engine.requests is not None:
        return _of_understanding(engine, engine.requests.understand_text(text), context)
    return NotRecognized(None, context).event()


def _of_understanding(engine: Engine, found: "Understanding", context: dict[str, Any] | None) -> Event:
    if not found.accepted:
        return NotRecognized(None, context).event()
    spelling = engine.phrases.shared.spelling
    slots = {slot.name: spelling.text(slot.text.split()) if slot.value is None else slot.value for slot in found.slots}
    return _intent(found.intent, slots, context)


def _intent(name: str, slots: "Mapping[str, str | int | float]", context: dict[str, Any] | None) -> Event:
    return Intent(name, [Entity(slot, value) for slot, value in slots.items()], None, context).event()
