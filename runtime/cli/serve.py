"""``nearword serve``: the recogniser as a service."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .listen import Preset
from .options import Precision, complete_model
from .searching import Effort

if TYPE_CHECKING:
    from ..daemon.settings import ServeSettings

EXAMPLES = (
    "[bold]Examples[/bold]\n\n"
    "nearword serve\n\n"
    "nearword serve --uri tcp://0.0.0.0:10300 --bias rooms.txt\n\n"
    "nearword serve --uri tcp://0.0.0.0:10300 --home-assistant http://homeassistant.local:8123 --token-file token\n\n"
    "nearword serve --http 0.0.0.0:8300 --http-token-file tokens --certificate cert.pem --key key.pem\n\n"
    "nearword serve --config /etc/nearword.toml\n\n"
    "[bold]Settings[/bold]\n\n"
    'Every option may stand in a TOML file under its name (uri = \\["tcp://0.0.0.0:10300"], max-streams = 4) or in the '
    "environment as NEARWORD_SERVE_NAME; the command line wins over the environment, and that over the file. "
    "SIGHUP reads file and phrases anew, SIGTERM ends within a second."
)
_ENV = "NEARWORD_SERVE_"
_EXTRA = dict.fromkeys(("wyoming", "starlette", "uvicorn", "websockets", "prometheus_client"), "serve") | {
    "zeroconf": "serve,zeroconf"
}
"""Packages that only a daemon needs, and what brings them."""


def serve(
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings.", envvar="NEARWORD_SERVE_CONFIG", show_default=False)
    ] = None,
    uri: Annotated[
        list[str] | None,
        typer.Option(
            help="Where Wyoming is spoken: tcp://HOST:PORT or unix:///PATH. Repeatable.", envvar=_ENV + "URI",
            show_default="tcp://127.0.0.1:10300",
        ),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(
            help='HOST:PORT of the page, the websockets and OpenAI\'s interfaces; "" for none.', envvar=_ENV + "HTTP",
            show_default="127.0.0.1:8300",
        ),
    ] = None,
    socket: Annotated[
        str | None, typer.Option(help="Unix socket for JSON lines.", envvar=_ENV + "SOCKET", show_default=False)
    ] = None,
    http_token_file: Annotated[
        str | None,
        typer.Option(
            help="File with the tokens HTTP and websockets ask for, one a line; needed beyond this machine.",
            envvar=_ENV + "HTTP_TOKEN_FILE", show_default=False,
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin of a web page elsewhere that may connect. Repeatable.", envvar=_ENV + "ALLOW_ORIGIN",
            show_default=False,
        ),
    ] = None,
    certificate: Annotated[
        str | None, typer.Option(help="TLS certificate for HTTP.", envvar=_ENV + "CERTIFICATE", show_default=False)
    ] = None,
    key: Annotated[str | None, typer.Option(help="Its key.", envvar=_ENV + "KEY", show_default=False)] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="NAME-OR-FOLDER", help="A model by name (see: nearword models) or its folder.",
            autocompletion=complete_model, envvar=_ENV + "MODEL", show_default="assistant-en",
        ),
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(help="Graphs to use, if the model has both.", envvar=_ENV + "PRECISION", show_default="auto"),
    ] = None,
    languages: Annotated[
        list[str] | None,
        typer.Option(
            "--language", help="Language that the model knows. Repeatable.", envvar=_ENV + "LANGUAGES",
            show_default="en",
        ),
    ] = None,
    beam: Annotated[
        int | None, typer.Option(help="Hypotheses to follow.", envvar=_ENV + "BEAM", show_default="8")
    ] = None,
    look_ahead: Annotated[
        float | None,
        typer.Option(
            help="How far ahead of its words the model hears, in seconds, if it lets one choose. Less: partial results "
            "sooner, more errors.", envvar=_ENV + "LOOK_AHEAD", show_default="the model's own",
        ),
    ] = None,
    effort: Annotated[
        Effort | None,
        typer.Option(
            help="How much of the encoder is computed, if the model has a cheap branch.", envvar=_ENV + "EFFORT",
            show_default="full",
        ),
    ] = None,
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--preset", "-p", help="How soon silence counts as the end, where a client does not say.",
            envvar=_ENV + "PRESET", show_default="balanced",
        ),
    ] = None,
    bias: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Boost the phrases of this file. Repeatable.", envvar=_ENV + "BIAS",
            show_default=False,
        ),
    ] = None,
    bias_strength: Annotated[
        float | None,
        typer.Option(help="How much phrases are boosted, 0 to 1.", envvar=_ENV + "BIAS_STRENGTH", show_default="0.5"),
    ] = None,
    grammar: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="All commands there are; Wyoming offers intents then.", envvar=_ENV + "GRAMMAR",
            show_default=False,
        ),
    ] = None,
    understand: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Understand requests by this model (see: nearword understand); Wyoming offers "
            "intents then.", envvar=_ENV + "UNDERSTAND", show_default=False,
        ),
    ] = None,
    speakers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Say in events who speaks, of those in this file (see: nearword speakers), and "
            "whether in a whisper.", envvar=_ENV + "SPEAKERS", show_default=False,
        ),
    ] = None,
    external_vad: Annotated[
        bool | None,
        typer.Option(
            "--external-vad/--own-end", help="Wyoming clients end utterances themselves.",
            envvar=_ENV + "EXTERNAL_VAD", show_default="own-end",
        ),
    ] = None,
    max_utterance: Annotated[
        float | None,
        typer.Option(
            help="Longest utterance of a Wyoming client in seconds.", envvar=_ENV + "MAX_UTTERANCE", show_default="15"
        ),
    ] = None,
    wait_for_speech: Annotated[
        float | None,
        typer.Option(
            help="Seconds without a word after which a Wyoming client hears that nothing was said.",
            envvar=_ENV + "WAIT_FOR_SPEECH", show_default="10",
        ),
    ] = None,
    home_assistant: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Boost the names of what this Home Assistant exposes.", envvar=_ENV + "HOME_ASSISTANT",
            show_default=False,
        ),
    ] = None,
    token_file: Annotated[
        str | None,
        typer.Option(
            help="File with a long-lived access token of it (an administrator's).", envvar=_ENV + "TOKEN_FILE",
            show_default=False,
        ),
    ] = None,
    zeroconf: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Announce Wyoming on the network under this name.", envvar=_ENV + "ZEROCONF",
            show_default=False,
        ),
    ] = None,
    max_streams: Annotated[
        int | None,
        typer.Option(help="Streams recognised at one time.", envvar=_ENV + "MAX_STREAMS", show_default="16"),
    ] = None,
    max_connections: Annotated[
        int | None,
        typer.Option(
            help="Connections of each protocol at one time.", envvar=_ENV + "MAX_CONNECTIONS", show_default="64"
        ),
    ] = None,
    max_message: Annotated[
        int | None, typer.Option(help="Bytes of one message.", envvar=_ENV + "MAX_MESSAGE", show_default="1048576")
    ] = None,
    max_upload: Annotated[
        int | None,
        typer.Option(help="Bytes of one recording to transcribe.", envvar=_ENV + "MAX_UPLOAD", show_default="26214400"),
    ] = None,
    idle_seconds: Annotated[
        float | None,
        typer.Option(
            help="A connection is closed on which nothing comes for so long.", envvar=_ENV + "IDLE_SECONDS",
            show_default="60",
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(help="debug, info, warning or error.", envvar=_ENV + "LOG_LEVEL", show_default="info"),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="The same as --log-level debug.")] = False,
    log_json: Annotated[
        bool | None,
        typer.Option(
            "--log-json/--log-text", help="Each line of the log is JSON.", envvar=_ENV + "LOG_JSON",
            show_default="log-text",
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Ask a running daemon whether it is well, and exit.")] = False,
) -> None:  # fmt: skip
    """Serve recognition: Wyoming for Home Assistant, websockets, OpenAI's interfaces, and a page to watch.

    Audio stays on this machine, and without other addresses so do all who can reach it. Needs the extra "serve".
    """
    told: dict[str, Any] = {name: value for name, value in locals().items() if name not in ("config", "check", "debug")}
    told |= {name: told[name].value for name in ("precision", "preset", "effort") if told[name] is not None}
    told |= {name: told[name] or None for name in ("uri", "allow_origin", "languages", "bias")}
    if debug:
        told["log_level"] = "debug"
    from ..daemon.errors import SettingsError
    from ..daemon.settings import check_environment, read_settings

    def settings() -> "ServeSettings":
        return read_settings(config, told)

    try:
        check_environment(os.environ, _ENV, (*told, "config"))
        first = settings()
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    if check:
        from ..daemon.check import check as ask

        problems = ask(first)
        for problem in problems:
            print(problem)
        raise typer.Exit(1 if problems else 0)
    try:
        from ..daemon.logs import start_logging
        from ..daemon.service import run

        start_logging(first.log_level, json_lines=first.log_json)
        run(first, settings)
    except ModuleNotFoundError as error:
        name = (error.name or "").split(".")[0]
        if name not in _EXTRA:
            raise
        raise typer.BadParameter(f"{name} is missing: pip install 'nearword[{_EXTRA[name]}]'") from error
