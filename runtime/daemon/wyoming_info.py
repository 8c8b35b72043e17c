"""What the daemon offers, and what texts ask for, in the Wyoming protocol's words."""

from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, IntentModel, IntentProgram
from wyoming.intent import Entity, Intent, NotRecognized

from .streams import Engine

if TYPE_CHECKING:
    from ..recognition.events import Command

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
    return Info(asr=[asr], intent=[_intents(languages)] if engine.grammar is not None else [])


def _intents(languages: list[str]) -> IntentProgram:
    model = IntentModel("grammar", _BY, True, "The commands of a grammar", None, languages)
    return IntentProgram(NAME, _BY, True, "What an utterance asks for", _version(), [model])


def intent_answer(engine: Engine, text: str, context: dict[str, Any] | None) -> Event:
    """Return what a text asks for.

    Of a text that was recognised a moment ago, all that may have been said instead is looked at as well.
    """
    heard = engine.hub.recall(text)
    command = None if heard is None else heard.command
    if command is not None:
        return _answer_of(command, context)
    filled = None if engine.grammar is None else engine.grammar.fill(text.lower().split())
    if filled is None or filled.fillers > MOST_FILLERS * len(filled.words):
        return NotRecognized(None, context).event()
    return _intent(filled.intent, dict(filled.slots), context)


def _answer_of(command: "Command", context: dict[str, Any] | None) -> Event:
    if not command.accepted:
        return NotRecognized(None, context).event()
    return _intent(command.intent, command.slots, context)


def _intent(name: str, slots: dict[str, str], context: dict[str, Any] | None) -> Event:
    return Intent(name, [Entity(slot, value) for slot, value in slots.items()], None, context).event()
