"""OpenAI's realtime transcription: a session that appends audio, and gets words as they are certain."""

import asyncio
import base64
import binascii
import itertools
import math
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ...endpointing import PRESETS, EndpointSettings
from ...models import NearwordError, RawDecoder
from ..recognition.events import Event, Final, Partial, SpeechStarted
from .audio_form import audio_form
from .engine import Engine
from .errors import BusyError, ProtocolError, StuckError
from .messages import check_language, object_of
from .openai_files import phrases_of
from .stable_words import StableWords
from .streams import Stream, StreamOptions, ended_by_client

PROTOCOL = "realtime"
PADDING = 0.3
"""Seconds of audio before speech was noticed that belong to it."""
MANUAL_SECONDS = 300.0
"""Longest utterance where the client ends it."""
LEAST_SECONDS = 0.1
"""Less audio than this is not committed."""
_FORMATS = {"audio/pcm": "int16", "audio/pcmu": "ulaw", "audio/pcma": "alaw"}
_OLD_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_EAGERNESS = {"low": "patient", "medium": "balanced", "auto": "balanced", "high": "fast"}
Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class _Session:
    """What a client asked for."""

    format: str = "audio/pcm"
    rate: int = 24_000
    model: str | None = None
    language: str | None = None
    phrases: tuple[str, ...] = ()
    turn_detection: dict[str, Any] | None = None

    def described(self, number: str) -> dict[str, Any]:
        form: dict[str, Any] = {"type": self.format}
        if self.format == "audio/pcm":
            form["rate"] = self.rate
        transcription = {"model": self.model, "language": self.language}
        return {
            "id": number,
            "object": "realtime.transcription_session",
            "type": "transcription",
            "audio": {
                "input": {
                    "format": form,
                    "transcription": {key: value for key, value in transcription.items() if value is not None},
                    "noise_reduction": None,
                    "turn_detection": self.turn_detection,
                }
            },
        }


_SERVER_VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}


class RealtimeSession:
    """One client."""

    def __init__(self, engine: Engine, send: Send) -> None:
        self._engine, self._send_raw = engine, send
        self._number = f"sess_{secrets.token_hex(8)}"
        self._events = itertools.count(1)
        self._session = _Session(turn_detection=dict(_SERVER_VAD))
        self._decoder: RawDecoder | None = None
        self._stream: Stream | None = None
        self._telling: asyncio.Task[None] | None = None
        self._words: StableWords | None = None
        self._item: str | None = None
        self._last_item: str | None = None
        self._completed = ""
        self._offset = 0.0
        """Seconds of audio before the present stream."""

    async def begin(self) -> None:
        """Greet."""
        await self._send("session.created", session=self._session.described(self._number))

    async def take(self, message: str | bytes) -> None:
        """Take a message; what is wrong with it is told, and the session goes on.

        Raises:
            DaemonError: there is no room for audio.
        """
        event_id: str | None = None
        try:
            values = object_of(message)
            given = values.get("event_id")
            event_id = given if isinstance(given, str) else None
            await self._act(values)
        except (BusyError, StuckError):
            raise
        except ProtocolError as error:
            self._engine.metrics.errors.labels(PROTOCOL).inc()
            await self._fail(str(error), event_id)

    async def aclose(self) -> None:
        """Drop everything."""
        task, stream = self._telling, self._stream
        if stream is not None:
            self._offset += stream.seconds
        self._telling = self._stream = self._decoder = self._words = self._item = None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
        if stream is not None:
            await stream.aclose()

    async def _act(self, values: dict[str, Any]) -> None:
        kind = values.get("type")
        if kind == "session.update":
            await self._update(_updated(self._session, values.get("session"), self._engine), "session.updated")
        elif kind == "transcription_session.update":
            session = _updated_old(self._session, values.get("session"), self._engine)
            await self._update(session, "transcription_session.updated")
        elif kind == "input_audio_buffer.append":
            await self._append(values.get("audio"))
        elif kind == "input_audio_buffer.commit":
            await self._commit()
        elif kind == "input_audio_buffer.clear":
            await self.aclose()
            await self._send("input_audio_buffer.cleared")
        else:
            raise ProtocolError(
                f"type {kind!r:.60}: expected session.update, input_audio_buffer.append, .commit or .clear"
            )

    async def _update(self, session: _Session, kind: str) -> None:
        if session != self._session and self._stream is not None:
            await self._finish()
        self._session = session
        await self._send(kind, session=session.described(self._number))

    async def _append(self, audio: Any) -> None:
        if not isinstance(audio, str):
            raise ProtocolError("audio: expected base64")
        try:
            data = base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolError("audio is not base64") from None
        if self._stream is None:
            await self._open()
        if self._stream is not None and self._decoder is not None:
            await self._stream.put(self._decoder.decode(data))

    async def _open(self) -> None:
        rate = self._session.rate if self._session.format == "audio/pcm" else 8_000
        self._decoder = RawDecoder(audio_form(rate, _FORMATS[self._session.format]), source=PROTOCOL)
        boosted = None
        if self._session.phrases:
            boosted = await asyncio.to_thread(self._engine.phrases.own, self._session.phrases)
        options = StreamOptions(PROTOCOL, _endpoints(self._session, self._engine.settings.preset), boosted)
        self._stream = stream = await self._engine.open(options)
        self._words, self._completed = StableWords(stream), ""
        self._telling = asyncio.create_task(self._tell(stream, self._words))

    async def _commit(self) -> None:
        if self._stream is None or self._decoder is None or self._stream.seconds < LEAST_SECONDS:
            raise ProtocolError("the buffer is empty: expected at least 100 ms of audio before a commit")
        await self._finish(committed=True)

    async def _finish(self, *, committed: bool = False) -> None:
        """End the present stream with all that was heard."""
        stream, task, decoder = self._stream, self._telling, self._decoder
        if stream is None or task is None or decoder is None:
            return
        before = self._last_item
        await stream.put(decoder.finish())
        stream.finish()
        await asyncio.wait([task])
        if committed and self._last_item == before:  # nobody spoke: an item without words
            await self._complete(stream.seconds, "")
        await self.aclose()

    async def _tell(self, stream: Stream, words: StableWords) -> None:
        try:
            async for event in stream:
                await self._tell_one(event, words)
        except (OSError, asyncio.TimeoutError):
            pass  # the client is gone; who reads from it finds out
        except NearwordError as error:
            await self._fail(str(error), None, kind="server_error")
        finally:
            await stream.aclose()

    async def _tell_one(self, event: Event, words: StableWords) -> None:
        if isinstance(event, SpeechStarted):
            self._item = f"item_{secrets.token_hex(8)}"
            if self._session.turn_detection is not None:
                start = round(1000 * (self._offset + max(0.0, event.time - PADDING)))
                await self._send("input_audio_buffer.speech_started", item_id=self._item, audio_start_ms=start)
        elif isinstance(event, Partial) and (delta := words.new_of(event)):
            await self._send_delta(delta)
        elif isinstance(event, Final):
            delta = words.new_of(event)
            text = words.text[len(self._completed) :].strip()
            self._completed = words.text
            await self._complete(event.time, text, delta)

    async def _complete(self, time: float, text: str, delta: str = "") -> None:
        item = self._item or f"item_{secrets.token_hex(8)}"
        self._item = item
        before, self._last_item = self._last_item, item
        if self._session.turn_detection is not None:
            end = round(1000 * (self._offset + time))
            await self._send("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=end)
        await self._send("input_audio_buffer.committed", item_id=item, previous_item_id=before)
        content = [{"type": "input_audio", "transcript": None}]
        described = {"id": item, "object": "realtime.item", "type": "message", "role": "user", "status": "completed",
                     "content": content}  # fmt: skip
        await self._send("conversation.item.added", item=described, previous_item_id=before)
        if delta:
            await self._send_delta(delta)
        await self._send(
            "conversation.item.input_audio_transcription.completed",
            item_id=item,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": math.ceil(time)},
        )
        self._item = None

    async def _send_delta(self, delta: str) -> None:
        await self._send(
            "conversation.item.input_audio_transcription.delta", item_id=self._item, content_index=0, delta=delta
        )

    async def _fail(self, message: str, event_id: str | None, kind: str = "invalid_request_error") -> None:
        error = {"type": kind, "code": None, "message": message, "param": None, "event_id": event_id}
        await self._send("error", error=error)

    async def _send(self, kind: str, **values: Any) -> None:
        await self._send_raw({"type": kind, "event_id": f"event_{next(self._events)}", **values})


def _endpoints(session: _Session, preset: str) -> EndpointSettings:
    """Return how utterances end; where the client ends them, only by their length."""
    detection = session.turn_detection
    if detection is None:
        return ended_by_client(PRESETS[preset], MANUAL_SECONDS)
    if detection["type"] == "semantic_vad":
        return PRESETS[_EAGERNESS.get(str(detection.get("eagerness", "auto")), preset)]
    silence = detection.get("silence_duration_ms", 500)
    return PRESETS["fast" if silence <= 350 else "balanced" if silence <= 800 else "patient"]


def _updated(session: _Session, values: Any, engine: Engine) -> _Session:
    """Return a session with what an update says; what it does not say stays.

    Raises:
        ProtocolError: a value cannot be used; names it.
    """
    audio = _part(_part({"session": values}, "session"), "audio")
    given = _part(audio, "input")
    fields: dict[str, Any] = dict(vars(session))
    if given.get("format") is not None:
        form = _part(given, "format")
        fields["format"], fields["rate"] = form.get("type", "audio/pcm"), form.get("rate", 24_000)
    if "transcription" in given:
        fields |= _transcription(_part(given, "transcription"), engine)
    if "turn_detection" in given:
        fields["turn_detection"] = _detection(given["turn_detection"])
    return _checked(fields)


def _updated_old(session: _Session, values: Any, engine: Engine) -> _Session:
    """Return the same for the form of message that clients had before."""
    given = _part({"session": values}, "session")
    fields: dict[str, Any] = dict(vars(session))
    if "input_audio_format" in given:
        fields["format"], fields["rate"] = _OLD_FORMATS.get(str(given["input_audio_format"]), "?"), 24_000
    if "input_audio_transcription" in given:
        fields |= _transcription(_part(given, "input_audio_transcription"), engine)
    if "turn_detection" in given:
        fields["turn_detection"] = _detection(given["turn_detection"])
    return _checked(fields)


def _checked(fields: dict[str, Any]) -> _Session:
    if not isinstance(fields["format"], str) or fields["format"] not in _FORMATS:
        raise ProtocolError(f"format {fields['format']!r:.40}: expected one of {', '.join(_FORMATS)}")
    audio_form(fields["rate"])
    return _Session(**fields)


def _part(values: dict[str, Any], name: str) -> dict[str, Any]:
    part = values.get(name)
    if part is None:
        return {}
    if not isinstance(part, dict):
        raise ProtocolError(f"{name}: expected an object")
    return part


def _transcription(given: dict[str, Any], engine: Engine) -> dict[str, Any]:
    for name in ("model", "language", "prompt"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise ProtocolError(f"{name}: expected a text")
    language, known = given.get("language"), engine.settings.languages
    if language:
        check_language(language, known)
    keywords = given.get("keywords") or []
    if not isinstance(keywords, list) or not all(isinstance(one, str) for one in keywords):
        raise ProtocolError("keywords: expected a list of texts")
    phrases = (*keywords, *phrases_of(given.get("prompt") or ""))
    return {"model": given.get("model"), "language": language, "phrases": phrases}


def _detection(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("type") not in ("server_vad", "semantic_vad"):
        raise ProtocolError("turn_detection: expected null, or an object of type server_vad or semantic_vad")
    silence = given.get("silence_duration_ms", 500)
    if not isinstance(silence, int | float) or isinstance(silence, bool) or not 0 <= silence <= 60_000:
        raise ProtocolError("silence_duration_ms: expected 0 to 60000")
    return {**(_SERVER_VAD if given["type"] == "server_vad" else {}), **given}
