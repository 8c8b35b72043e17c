"""What a daemon is told: defaults, a TOML file, the environment, the command line; the later wins."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...endpointing import PRESETS
from ...models.branching import EFFORTS, Effort
from .errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class ServeSettings:
    """Everything about a daemon. Field names are those of the TOML file, and with dashes those of the options.

    Raises:
        SettingsError: a value cannot be used; names the field.
    """

    uri: tuple[str, ...] = ("tcp://127.0.0.1:10300",)
    """Where the Wyoming protocol is spoken: ``tcp://HOST:PORT`` or ``unix:///PATH``, any number."""
    http: str = "127.0.0.1:8300"
    """Where the page, the websockets and OpenAI's interfaces are: ``HOST:PORT``, or empty for nowhere."""
    socket: str = ""
    """Path of a Unix socket that speaks JSON lines; empty for none."""
    http_token_file: str = ""
    """File with the tokens that HTTP and websockets ask for, one a line. Needed beyond loopback."""
    allow_origin: tuple[str, ...] = ()
    """Origins of web pages elsewhere that may use the websockets, such as ``https://panel.example``."""
    certificate: str = ""
    """PEM file with a TLS certificate for HTTP: browsers give a microphone to https and to this machine only."""
    key: str = ""
    """Its key."""
    model: str = "assistant-en"
    """Name or folder of the model."""
    precision: str = "auto"
    """Graphs to use, if the model has both: ``auto``, ``int8``, ``float``."""
    languages: tuple[str, ...] = ("en",)
    """Languages that the model knows, as tags (``en``, ``en-US``)."""
    beam: int = 12
    """Hypotheses to follow."""
    look_ahead: float = 0.0
    """Seconds that the encoder hears ahead of what it tells, of models where that can be chosen; 0: the model's own."""
    effort: Effort = "full"
    """How much of the encoder is computed, if the model has a cheap branch: ``full``, ``balanced``, ``low``."""
    preset: str = "balanced"
    """How soon silence counts as the end, where a client does not say: ``fast``, ``balanced``, ``patient``."""
    bias: tuple[str, ...] = ()
    """Files of phrases to boost."""
    bias_strength: float = 0.5
    """How much they are boosted, 0 to 1."""
    grammar: str = ""
    """File with all commands there are; Wyoming offers intents then."""
    understand: str = ""
    """Name or file of a model of requests (see ``nearword understand``); Wyoming offers intents then."""
    speakers: str = ""
    """File of enrolled speakers (see ``nearword speakers``); events say who speaks then, and whether in a whisper."""
    external_vad: bool = False
    """Whether Wyoming clients end utterances themselves; else the end-pointer here does."""
    max_utterance: float = 15.0
    """Longest utterance of a Wyoming client in seconds: a television goes on for ever."""
    wait_for_speech: float = 10.0
    """Seconds without a word after which a Wyoming client is told that nothing was said."""
    home_assistant: str = ""
    """Address of a Home Assistant whose names are boosted, such as ``http://homeassistant.local:8123``."""
    token_file: str = ""
    """File with a long-lived access token of it, of an administrator (only they may see what is exposed)."""
    zeroconf: str = ""
    """Name to announce on the network for Home Assistant to find; empty for none."""
    max_streams: int = 16
    """Streams recognised at one time; one more is refused."""
    max_connections: int = 64
    """Connections at one time, of each protocol; more are closed at once."""
    max_message: int = 1_048_576
    """Bytes of one message: half a minute of speech at 16 kHz."""
    max_upload: int = 26_214_400
    """Bytes of one recording sent to OpenAI's interface."""
    idle_seconds: float = 60.0
    """A connection on which nothing comes for so long is closed."""
    write_seconds: float = 10.0
    """A client that does not read for so long is cut off."""
    stuck_seconds: float = 10.0
    """A recogniser that takes no audio for so long is given up."""
    log_level: str = "info"
    """``debug``, ``info``, ``warning`` or ``error``. What was said is in no log."""
    log_json: bool = False
    """Whether each line of the log is a JSON object."""

    def __post_init__(self) -> None:
        self._check_values()
        self._check_names()
        self._check_pairs()

    def _check_values(self) -> None:
        for uri in self.uri:
            address_of(uri)
        if self.http:
            host_and_port(self.http)
        for name, allowed in (
            ("preset", tuple(PRESETS)),
            ("precision", ("auto", "int8", "float")),
            ("effort", EFFORTS),
            ("log_level", ("debug", "info", "warning", "error")),
        ):
            if getattr(self, name) not in allowed:
                raise SettingsError(f"{name} is {getattr(self, name)!r}: expected one of {', '.join(allowed)}")
        for name, low, high in _RANGES:
            if not low <= getattr(self, name) <= high:
                raise SettingsError(f"{name} is {getattr(self, name)}: expected {low:g} to {high:g}")

    def _check_names(self) -> None:
        if not self.languages:
            raise SettingsError("languages is empty: expected at least one, such as en")
        for tag in self.languages:
            if not _TAG.fullmatch(tag):
                raise SettingsError(f"language {tag!r}: expected a tag of a language that the model knows: en, en-US")
        if self.zeroconf.startswith("-"):
            raise SettingsError(f"zeroconf is {self.zeroconf!r}: expected a name, such as nearword")

    def _check_pairs(self) -> None:
        if self.http and host_and_port(self.http)[0] not in LOOPBACK and not self.http_token_file:
            raise SettingsError(
                f"http is {self.http}, which others can reach: expected a token for them; give http-token-file"
            )
        if bool(self.certificate) != bool(self.key):
            raise SettingsError("certificate and key: expected both or none")
        if self.home_assistant:
            if urlsplit(self.home_assistant).scheme not in ("http", "https", "ws", "wss"):
                raise SettingsError(f"home_assistant is {self.home_assistant!r}: expected http://HOST:PORT or https://")
            if not self.token_file:
                raise SettingsError("home_assistant without token_file: expected a file with an access token of it")


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("beam", 1, 64),
    ("look_ahead", 0, 3),
    ("bias_strength", 0, 1),
    ("max_utterance", 1, 600),
    ("wait_for_speech", 1, 600),
    ("max_streams", 1, 1024),
    ("max_connections", 1, 65_536),
    ("max_message", 4_096, 1 << 30),
    ("max_upload", 4_096, 1 << 31),
    ("idle_seconds", 0.1, 86_400),
    ("write_seconds", 0.1, 3_600),
    ("stuck_seconds", 0.1, 3_600),
)
_TAG = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*")
_PATHS = ("socket", "http_token_file", "certificate", "key", "bias", "grammar", "speakers", "token_file")
"""Relative ones in a file are relative to the file."""


def address_of(uri: str) -> tuple[str, int] | Path:
    """Return where a URI of the Wyoming protocol points: host and port, or a socket's path.

    Raises:
        SettingsError: neither ``tcp://HOST:PORT`` nor ``unix:///PATH``.
    """
    parts = urlsplit(uri)
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        return Path(parts.path)
    if parts.scheme == "tcp":
        return host_and_port(parts.netloc)
    raise SettingsError(f"uri is {uri!r}: expected tcp://HOST:PORT or unix:///PATH")


def host_and_port(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; the host of IPv6 stands in brackets.

    Raises:
        SettingsError: it is something else.
    """
    parts = urlsplit(f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path or parts.username:
        raise SettingsError(f"address {address!r}: expected HOST:PORT, such as 127.0.0.1:8300")
    return host, port


def read_settings(file: Path | None, told: Mapping[str, Any]) -> ServeSettings:
    """Return the settings of a TOML file, if there is one, with what was ``told`` in their place.

    Args:
        file: of settings at the top or in a table ``[serve]``.
        told: values by field name, of the command line and the environment; None is not told.

    Raises:
        SettingsError: the file cannot be read, or a value not used; names the file and the field.
    """
    values = {} if file is None else _read(file)
    known = {field.name: field for field in fields(ServeSettings)}
    given = {name: value for name, value in told.items() if value is not None}
    for name in given:
        if name not in known:
            raise SettingsError(f"{name}: no such setting; {_nearest(name, known)}")
    try:
        return ServeSettings(**{**values, **{name: _plain(name, value) for name, value in given.items()}})
    except SettingsError as error:
        if file is None:
            raise
        raise SettingsError(f"{file}: {error}") from error


def check_environment(environment: Iterable[str], prefix: str, settings: Iterable[str]) -> None:
    """Look for settings in the environment that nobody reads: a name that is misspelt changes nothing, silently.

    Args:
        environment: all names.
        prefix: of those that are meant for us.
        settings: what is read, without the prefix and in lower case.

    Raises:
        SettingsError: there is one; names it.
    """
    known = [setting.upper() for setting in settings]
    for name in environment:
        if name.startswith(prefix) and (rest := name.removeprefix(prefix)) not in known:
            near = get_close_matches(rest, known, 1)
            told = f"did you mean {prefix}{near[0]}?" if near else "nearword serve --help has them all"
            raise SettingsError(f"{name} in the environment: no such setting; {told}")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"did you mean {near[0].replace('_', '-')}?" if near else "nearword serve --help has them all"


def _read(file: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror}); expected settings in TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: is not TOML ({error})") from error
    data = data.get("serve", data)
    if not isinstance(data, dict):
        raise SettingsError(f"{file}: serve is {data!r}: expected a table")
    known = {field.name for field in fields(ServeSettings)}
    values: dict[str, Any] = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in known:
            raise SettingsError(f"{file}: no setting {key!r}; {_nearest(name, known)}")
        try:
            values[name] = _plain(name, value)
        except SettingsError as error:
            raise SettingsError(f"{file}: {error}") from error
        if name in _PATHS:
            values[name] = _beside(file, values[name])
    return values


def _beside(file: Path, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(str(file.parent / one) for one in value)
    return str(file.parent / value) if value else value


def _plain(name: str, value: Any) -> Any:
    """Return a value in the type of its field; a text stands for a list of one."""
    default = getattr(ServeSettings, name)
    if isinstance(default, tuple):
        listed = [value] if isinstance(value, str | Path) else value
        if isinstance(listed, list | tuple) and all(isinstance(one, str | Path) for one in listed):
            return tuple(map(str, listed))
    elif isinstance(default, bool) or isinstance(value, bool):
        if isinstance(default, bool) and isinstance(value, bool):
            return value
    elif isinstance(default, str):
        if isinstance(value, str | Path):
            return str(value)
    elif isinstance(value, int) or (isinstance(default, float) and isinstance(value, float)):
        return type(default)(value)
    kinds = {tuple: "a list of texts", bool: "true or false", str: "a text", int: "a whole number", float: "a number"}
    raise SettingsError(f"{name} is {value!r}: expected {kinds[type(default)]}")
