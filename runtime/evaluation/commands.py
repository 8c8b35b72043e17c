"""How many commands are understood, against what a manifest says was asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...endpointing.scorecard import Estimate, proportion
from ...lattice.understanding.result import Understanding
from ..recognition.events import Command
from ..recognition.text import normalise
from .word_errors import Entry, ManifestError

EXAMPLE = '{"path": "a.wav", "text": "wake me at six", "intent": "alarm", "slots": {"time": "six"}}'


@dataclass(frozen=True)
class Labels:
    """What a recording asks for, as far as the manifest says."""

    intent: str | None
    """Empty if it asks for nothing; None where the manifest does not say."""
    slots: Mapping[str, str] | None
    """Class to phrase, both normalised; None where the manifest does not say."""

    def fit(self, command: Command) -> bool:
        """Whether a command is this one: the same intent, the same slots, no more of them and no fewer."""
        if self.intent == "" or not command.accepted:
            return self.intent == "" and not command.accepted
        intents = {normalise(intent) for intent in (self.intent, command.intent) if intent}
        return len(intents) < 2 and self.slots in (None, _normalised(command.slots))


@dataclass(frozen=True)
class CommandScore:
    """What became of the recordings of a manifest."""

    commands: int
    """Recordings that are said to ask for something."""
    understood: int
    """Of them: with the right intent and all slots right, and no others."""
    mistaken: int
    """Of them: taken for something else."""
    others: int
    """Recordings that are said to ask for nothing."""
    others_accepted: int
    """Of them: taken for a command."""
    unlabelled: int
    """Recordings of which the manifest does not say what they ask for."""
    unlabelled_accepted: int
    """Of them: taken for a command."""

    @property
    def share(self) -> Estimate:
        """Share of commands that are understood; NaN without any."""
        return proportion(self.understood, self.commands)


def labels_of(entry: Entry) -> Labels | None:
    """Return what the columns ``intent`` and ``slots`` say of a recording, or None if they say nothing.

    An intent that is there but empty says that nothing is asked for. Slots are a JSON object, in a table too.

    Raises:
        ManifestError: slots are no object of texts; names the recording.
    """
    if not {"intent", "slots"} & entry.labels.keys():
        return None
    slots, intent = _slots_of(entry), entry.labels.get("intent")
    if not intent and (slots or "intent" not in entry.labels):
        return Labels(None, slots)
    return Labels(str(intent or ""), slots)


def _slots_of(entry: Entry) -> dict[str, str] | None:
    if "slots" not in entry.labels:
        return None
    slots = entry.labels["slots"] or {}
    if isinstance(slots, str):
        try:
            slots = json.loads(slots)
        except json.JSONDecodeError:
            slots = None  # told below
    if not (isinstance(slots, dict) and all(isinstance(phrase, str) for phrase in slots.values())):
        raise ManifestError(f"{entry.path}: 'slots' is no JSON object of texts; expected for example {EXAMPLE}")
    return _normalised(slots)


def score_commands(labels: Sequence[Labels | None], commands: Sequence[Command]) -> CommandScore:
    """Return the figures of recordings: what each was said to ask for, and what was understood."""
    pairs = list(zip(labels, commands, strict=True))
    asked = [(label, command) for label, command in pairs if label is not None and label.intent != ""]
    others = [command.accepted for label, command in pairs if label is not None and label.intent == ""]
    unlabelled = [command.accepted for label, command in pairs if label is None]
    understood = sum(label.fit(command) for label, command in asked)
    return CommandScore(
        len(asked),
        understood,
        sum(command.accepted for _, command in asked) - understood,
        len(others),
        sum(others),
        len(unlabelled),
        sum(unlabelled),
    )


def command_of(found: Understanding) -> Command:
    """Return what a model has understood as a grammar says it; of several slots of a name the first."""
    slots: dict[str, str] = {}
    for slot in found.slots:
        slots.setdefault(slot.name, slot.text)
    return Command(True, found.intent, slots, found.text) if found.accepted else Command(accepted=False)


def _normalised(slots: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): normalise(value) for name, value in slots.items()}
