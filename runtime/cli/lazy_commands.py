"""The commands by name, each imported when it is asked for: the others would take longer than many a recording."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, Literal

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

MARKUP: Literal["rich"] = "rich"
COMMANDS = (
    "transcribe",
    "listen",
    "evaluate",
    "endpoints",
    "demo",
    "rescore",
    "rescore-server",
    "serve",
    "models",
    "biasing",
    "context",
    "lattice",
    "lm",
    "understand",
    "speakers",
)
"""In the order of ``nearword --help``. Each is a module of this package: its ``app``, or else its function of the same
name, with ``EXAMPLES``."""


class LazyCommands(MutableMapping[str, Any]):
    """Name to command; the names are known without any import."""

    def __init__(self) -> None:
        self._names = list(COMMANDS)
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: object) -> None:
        if name not in self._names:
            self._names.append(name)
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        self._names.remove(name)
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class LazyGroup(TyperGroup):
    """A group whose commands are ``LazyCommands``."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = LazyCommands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (as typer's)
        """Return the names, without an import."""
        return list(self.commands)


def _load(name: str) -> Any:
    attribute = name.replace("-", "_")
    module = import_module(f".{attribute}", __package__)
    group = typer.Typer(add_completion=False, rich_markup_mode=MARKUP, pretty_exceptions_enable=False)
    if hasattr(module, "app"):
        group.add_typer(module.app, name=name)
        return get_group(group).commands[name]
    group.command(name, epilog=module.EXAMPLES)(getattr(module, attribute))
    return get_command(group)
