"""Our own protocol: audio in, the events of the contract out, commands in between. The transport is another's.

Messages are JSON objects with a ``type``; audio is bytes. See ``docs/daemon.md``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from ...biasing import Biasing, BiasingError, Phrase, Refused
from ...endpointing import PRESETS
from ...models import AudioError, NearwordError, RawDecoder, RawFormat
from ..context import ContextError, ContextSession, update
from ..recognition.anchor_span import AnchorError, check_anchor
from ..recognition.events import Final, SpeculativeFinal
from ..recognition.session import Session
from .audio_form import audio_form
from .engine import Engine
from .errors import BusyError, ProtocolError, StuckError
from .phrases import NAME, Boosted
from .streams import Stream, StreamOptions

VERSION = 1
"""Of this protocol."""
COMMANDS = ("start", "phrases", "show", "context", "preset", "anchor", "end", "reset", "ping")
MOST_PHRASES = 10_000
Send = Callable[[dict[str, Any]], Awaitable[None]]


class JsonSession:
    """One client. ``audio`` and ``command`` are called in the order of what comes in."""

    def __init__(self, engine: Engine, protocol: str, send: Send) -> None:
        self._engine, self._protocol, self._send = engine, protocol, send
        self._form = RawFormat()
        self._preset = engine.settings.preset
        self._lattice = False
        self._anchor: float | None = None
        """Seconds of the wake word with which the audio begins; 0 where ``anchor`` will say, None for nobody."""
        self._boosted: Boosted | None = None
        self._session: Session | None = None
        """Phrases and turns of this client; for as long as it stays."""
        self._decoder: RawDecoder | None = None
        self._stream: Stream | None = None
        self._telling: asyncio.Task[None] | None = None

    async def audio(self, data: bytes) -> None:
        """Take audio in the form that was said, or 16 kHz mono int16.

        Raises:
            DaemonError: there is no room for it.
            AudioError: it is no audio.
        """
        if self._stream is None:
            await self._begin()
        if self._stream is not None and self._decoder is not None:
            await self._stream.put(self._decoder.decode(data))

    async def command(self, message: dict[str, Any]) -> None:
        """Do what a message asks for.

        Raises:
            ProtocolError: there is no such command, or not with these values; the client may go on.
        """
        actions = (self._start, self._phrases, self._show, self._set_context, self._set_preset,
                   self._set_anchor, self._end, self._reset, self._ping)  # fmt: skip
        act = dict(zip(COMMANDS, actions, strict=True)).get(str(message.get("type")))
        if act is None:
            raise ProtocolError(f"type {message.get('type')!r:.40}: expected one of {', '.join(COMMANDS)}")
        try:
            await act(message)
        except BiasingError as error:
            raise ProtocolError(str(error)) from error

    async def aclose(self) -> None:
        """Drop everything: the client is gone."""
        await self._drop()
        if isinstance(self._session, ContextSession):
            self._session.close()

    async def _drop(self) -> None:
        """Drop the stream."""
        task, stream = self._telling, self._stream
        self._telling = self._stream = None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
        if stream is not None:
            await stream.aclose()

    async def _start(self, message: dict[str, Any]) -> None:
        """Say what comes: the form of the audio, and how it is to be heard."""
        form = _format(message.get("format", {}))
        preset = _preset(message.get("preset", self._preset))
        lattice = message.get("lattice", self._lattice)
        if not isinstance(lattice, bool):
            raise ProtocolError("lattice: expected true or false")
        anchor = _anchor(message.get("anchor"))
        await self._drop()
        self._form, self._preset, self._lattice, self._anchor = form, preset, lattice, anchor
        if "phrases" in message:
            await self._phrases(message)
        await self._send({"type": "ready", "version": VERSION, "model": self._engine.model.info.folder.name})

    async def _begin(self) -> None:
        self._decoder = RawDecoder(self._form, source=self._protocol)
        await self._own()
        gate = None
        if self._anchor is not None:
            following = await asyncio.to_thread(self._engine.following)
            gate = following.gate(self._anchor or None)
        options = StreamOptions(self._protocol, PRESETS[self._preset], self._boosted, self._session, gate=gate)
        self._stream = stream = await self._engine.open(options)
        self._telling = asyncio.create_task(self._tell(stream))

    async def _tell(self, stream: Stream) -> None:
        """Send the events of a stream, to its end."""
        try:
            async for event in stream:
                values = event.to_dict(lattice=self._lattice)
                if isinstance(event, SpeculativeFinal | Final):
                    values["delay_ms"] = stream.delay_ms
                    values["stage_ms"] = stream.stage_ms
                    values["spelled"] = stream.boosted.spelling.text([word.text for word in event.words])
                await self._send(values)
            await self._send({"type": "done", "seconds": round(stream.seconds, 3)})
        except NearwordError as error:
            await self._send({"type": "error", "code": "recogniser", "message": str(error)})
        except (OSError, asyncio.TimeoutError):
            pass  # the client is gone; who reads from it finds out
        finally:
            await stream.aclose()

    async def _phrases(self, message: dict[str, Any]) -> None:
        """Boost these, in the place of those that this client named before."""
        phrases = _listed(message, NAME)
        session, boosted = await self._own()
        refused = await asyncio.to_thread(_replace, session.phrases, phrases)
        spelling = await asyncio.to_thread(self._engine.phrases.spelling, phrases)
        self._boosted = replace(boosted, spelling=spelling)
        if self._stream is not None:
            self._stream.boosted = self._boosted
        await self._tell_refused(len(phrases), refused)

    async def _show(self, message: dict[str, Any]) -> None:
        """Boost what is on the screen, for some turns or seconds."""
        phrases = _listed(message, "screen")
        turns, seconds = message.get("turns", 1), message.get("seconds")
        if turns is not None and (not isinstance(turns, int) or isinstance(turns, bool) or turns < 1):
            raise ProtocolError("turns: expected a whole number from 1, or null for as long as the connection lasts")
        if seconds is not None and (not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds <= 0):
            raise ProtocolError("seconds: expected a number above 0, or null")
        session, _ = await self._own()
        refused = await asyncio.to_thread(session.show, phrases, turns=turns, seconds=seconds)
        await self._tell_refused(len(phrases), refused)

    async def _own(self) -> tuple[Session, Boosted]:
        """Return what is this client's own: it is made when it is first needed."""
        if self._session is None or self._boosted is None:
            self._boosted = self._engine.phrases.shared
            self._session = self._engine.make_session(self._boosted)
        return self._session, self._boosted

    async def _tell_refused(self, count: int, refused: Sequence[Refused]) -> None:
        rows = [{"text": one.text, "reason": one.reason} for one in refused[:100]]
        await self._send({"type": "phrases", "used": count - len(refused), "refused": rows})

    async def _set_context(self, message: dict[str, Any]) -> None:
        """Take what was said, asked and shown; the next utterance is heard with it."""
        session = await self._with_context()
        try:
            update(session.context, {key: value for key, value in message.items() if key != "type"})
        except ContextError as error:
            raise ProtocolError(str(error)) from error

    async def _with_context(self) -> ContextSession:
        """Return this client's session, one that knows the dialogue: most never ask for that, which takes memory."""
        session, boosted = await self._own()
        if isinstance(session, ContextSession):
            return session
        if self._stream is not None:
            raise ProtocolError("the first context has to come before the audio; expected end or reset before it")
        with_context = await asyncio.to_thread(self._engine.make_context_session, boosted)
        own = [phrase for phrase in session.phrases.phrases if phrase.source == _SOURCE]
        await asyncio.to_thread(_replace, with_context.phrases, own)
        self._session = with_context
        return with_context

    async def _set_preset(self, message: dict[str, Any]) -> None:
        """Wait longer or shorter for the end, from the next utterance on."""
        self._preset = _preset(message.get("preset"))
        if self._stream is not None:
            self._stream.change(PRESETS[self._preset])

    async def _set_anchor(self, message: dict[str, Any]) -> None:
        """Follow who has said the wake word, with which the audio that was sent so far ends."""
        seconds, stream = _anchor(message.get("seconds")), self._stream
        if stream is None or stream.options.gate is None:
            raise ProtocolError('anchor: expected "anchor": true in start, and audio before it')
        if seconds:
            stream.options.gate.follow(stream.seconds - seconds, stream.seconds)
        else:
            stream.options.gate.forget()

    async def _end(self, _message: dict[str, Any]) -> None:
        """End the audio: what was heard becomes final, then ``done`` comes; more audio begins a new stream."""
        stream, task = self._stream, self._telling
        if stream is None or task is None or self._decoder is None:
            await self._send({"type": "done", "seconds": 0.0})
            return
        await stream.put(self._decoder.finish())
        stream.finish()
        await asyncio.wait([task])
        await self._drop()

    async def _reset(self, _message: dict[str, Any]) -> None:
        """Drop what was heard; more audio begins a new stream, whose utterances count from 1."""
        await self._drop()
        await self._send({"type": "ready", "version": VERSION, "model": self._engine.model.info.folder.name})

    async def _ping(self, _message: dict[str, Any]) -> None:
        await self._send({"type": "pong"})


def error_of(error: Exception) -> dict[str, Any]:
    """Return the message that tells a client of an error."""
    code = (
        "busy"
        if isinstance(error, BusyError | StuckError)
        else "audio"
        if isinstance(error, AudioError)
        else "protocol"
    )
    return {"type": "error", "code": code, "message": str(error)}


def _replace(biasing: Biasing, phrases: Sequence[Phrase]) -> list[Refused]:
    """Put phrases in the place of what the client named before; lists of the daemon stay."""
    for phrase in [phrase for phrase in biasing.phrases if phrase.source == _SOURCE]:
        biasing.remove(phrase.text, phrase.cls)
    return biasing.add_all(phrases)


_SOURCE = "client"
"""Marks what a client named."""


def _listed(message: dict[str, Any], default: str) -> list[Phrase]:
    entries = message.get("phrases")
    if not isinstance(entries, list) or len(entries) > MOST_PHRASES:
        raise ProtocolError(f"phrases: expected a list of at most {MOST_PHRASES}")
    cls = message.get("class", default)
    phrases = []
    for entry in entries:
        values = {"text": entry} if isinstance(entry, str) else entry
        if not isinstance(values, dict) or not isinstance(values.get("text"), str):
            raise ProtocolError("phrases: expected texts, or objects with a text, and class and boost if wanted")
        name, boost = values.get("class", cls), values.get("boost", 1.0)
        if not isinstance(name, str) or not isinstance(boost, int | float):
            raise ProtocolError("phrases: class is a text, boost a number")
        phrases.append(Phrase(values["text"], name, float(boost), _SOURCE))
    return phrases


def _preset(name: Any) -> str:
    if not isinstance(name, str) or name not in PRESETS:
        raise ProtocolError(f"preset is {name!r:.40}: expected one of {', '.join(PRESETS)}")
    return name


def _anchor(value: Any) -> float | None:
    """Return the seconds of a wake word; 0 for one that will be told of, None for none."""
    if value is None or value is False:
        return None
    if value is True:
        return 0.0
    if not isinstance(value, int | float):
        raise ProtocolError("anchor: expected the seconds of a wake word, true where one will be told of, or null")
    try:
        check_anchor(value)
    except AnchorError as error:
        raise ProtocolError(f"anchor: {error}") from None
    return float(value)


def _format(values: Any) -> RawFormat:
    if not isinstance(values, dict):
        raise ProtocolError("format: expected an object with rate, encoding, channels")
    return audio_form(values.get("rate", 16_000), values.get("encoding", "int16"), values.get("channels", 1))
