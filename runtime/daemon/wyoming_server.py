"""The Wyoming protocol, as Home Assistant and its satellites speak it."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart
from wyoming.error import Error
from wyoming.event import Event as WireEvent
from wyoming.event import async_write_event
from wyoming.intent import Recognize
from wyoming.ping import Ping, Pong

from ...endpointing import PRESETS, EndpointSettings
from ...models import AudioError, NearwordError, RawDecoder
from ..context import ContextError, known
from ..recognition.events import Final, Partial
from .audio_form import integer_form
from .engine import Engine
from .errors import BusyError, ProtocolError, StuckError
from .messages import check_language
from .stable_words import StableWords
from .streams import Stream, StreamOptions, ended_by_client
from .wyoming_info import intent_answer, make_info
from .wyoming_wire import MAX_HEADER, read_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PROTOCOL = "wyoming"
PRESET_OF = {"default": "balanced", "relaxed": "patient", "aggressive": "fast"}
"""The client's sensitivity to our presets."""
EXTERNAL_SECONDS = 300.0
"""Longest utterance that a client ends itself."""
LOOK_SECONDS = 0.1
"""How often a stream is looked at that may have to be ended."""
LINGER_SECONDS = 2.0
"""How long a client that is cut off may go on sending before its connection is closed."""
_log = logging.getLogger("nearword.daemon.wyoming")


class _GoneError(Exception):
    """The connection is to be closed."""


class WyomingConnection:
    """One client, from its first byte to its last. Lives in the event loop."""

    def __init__(self, engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._engine = engine
        self._settings = engine.settings
        self._reader, self._writer = reader, writer
        self._writing = asyncio.Lock()
        self._request = Transcribe()
        self._stream: Stream | None = None
        self._answering: asyncio.Task[None] | None = None
        self._decoder: RawDecoder | None = None
        self._told = False
        """Whether the client was told why it is cut off."""
        self._failed = False
        """Whether the recogniser has failed: there will be no transcript."""
        self._answered = False
        """Whether the utterance of the present audio has its transcript: what comes of it yet is ignored."""
        self._actions: dict[str, Callable[[WireEvent], Awaitable[None]]] = {
            "describe": self._describe,
            "ping": self._ping,
            "transcribe": self._transcribe,
            "audio-start": self._start,
            "audio-chunk": self._chunk,
            "audio-stop": self._stop,
            "recognize": self._intent,
            "transcript": self._intent,
        }

    async def run(self) -> None:
        """Answer until the client goes away; never raises for anything that a client does."""
        try:
            while True:
                event = await asyncio.wait_for(
                    read_event(self._reader, self._settings.max_message), self._settings.idle_seconds
                )
                if event is None:
                    break
                await self._handle(event)
        except ProtocolError as error:
            self._engine.metrics.errors.labels(PROTOCOL).inc()
            _log.info("a client is cut off: %s", error)
            await self._try_to_tell(str(error), "protocol")
        except ContextError as error:
            await self._try_to_tell(str(error), "context")
        except (BusyError, StuckError) as error:
            _log.warning("a client is sent away: %s", error)
            await self._try_to_tell(str(error), "busy")
        except AudioError as error:
            await self._try_to_tell(str(error), "audio")
        except (OSError, asyncio.TimeoutError, _GoneError):
            pass  # it went away, or has nothing to say
        finally:
            await self._drop()
            await self._linger()
            self._writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._writer.wait_closed(), 1.0)

    async def _linger(self) -> None:
        """Take what the client still sends: a connection closed on unread bytes loses the last words to it."""
        if not self._told or self._writer.is_closing():
            return
        until = asyncio.get_running_loop().time() + LINGER_SECONDS
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            self._writer.write_eof()
            while (left := until - asyncio.get_running_loop().time()) > 0:
                if not await asyncio.wait_for(self._reader.read(MAX_HEADER), left):
                    break

    async def _handle(self, event: WireEvent) -> None:
        act = self._actions.get(event.type)
        if act is None:
            return  # of a later version of the protocol, or not for a recogniser
        try:
            await act(event)
        except KeyError as error:
            raise ProtocolError(f"{event.type} without {error}") from None
        except (TypeError, AttributeError):
            raise ProtocolError(f"{event.type} with a value of a wrong type") from None

    async def _describe(self, _event: WireEvent) -> None:
        await self._write(make_info(self._engine).event())

    async def _ping(self, event: WireEvent) -> None:
        await self._write(Pong(Ping.from_event(event).text).event())

    async def _transcribe(self, event: WireEvent) -> None:
        request = Transcribe.from_event(event)
        for name, listed in (("names", request.transcript_names), ("terms", request.transcript_terms)):
            if listed is not None and not (isinstance(listed, list) and all(isinstance(one, str) for one in listed)):
                raise ProtocolError(f"transcript_{name}: expected a list of texts")
        if request.context is not None and not isinstance(request.context, dict):
            raise ProtocolError("context: expected an object")
        language = request.language
        if language is not None:
            if not isinstance(language, str):
                raise ProtocolError("language: expected a text")
            check_language(language, self._settings.languages)
        await self._drop()
        self._request, self._answered = request, False

    async def _start(self, event: WireEvent) -> None:
        await self._begin(AudioStart.from_event(event))

    async def _begin(self, form: AudioStart | AudioChunk) -> None:
        await self._drop()
        self._answered = False
        self._decoder = RawDecoder(integer_form(form.rate, form.width, form.channels), source=PROTOCOL)
        names, terms = self._request.transcript_names or [], self._request.transcript_terms or []
        boosted = None
        if names or terms:
            boosted = await asyncio.to_thread(self._engine.phrases.own, names, terms)
        context = known(self._request.context or {}) or None  # other programs put their own there
        self._stream = await self._engine.open(StreamOptions(PROTOCOL, self._endpoints(), boosted, None, context))
        self._answering = asyncio.create_task(self._answer(self._stream, self._request))

    def _endpoints(self) -> EndpointSettings:
        wanted = self._request.vad_sensitivity
        preset = PRESET_OF.get(getattr(wanted, "value", wanted) or "", self._settings.preset)
        if self._settings.external_vad:
            return ended_by_client(PRESETS[preset], EXTERNAL_SECONDS)
        settings = PRESETS[preset]
        return replace(settings, max_utterance=min(settings.max_utterance, self._settings.max_utterance))

    async def _chunk(self, event: WireEvent) -> None:
        chunk = AudioChunk.from_event(event)
        if self._answered:
            return
        if self._stream is None:
            await self._begin(chunk)
        stream, decoder = self._stream, self._decoder
        if stream is None or decoder is None or stream.is_finished:
            return
        form = integer_form(chunk.rate, chunk.width, chunk.channels)
        if form != decoder.format:
            await stream.put(decoder.finish())
            self._decoder = decoder = RawDecoder(form, source=PROTOCOL)
        if chunk.audio:
            await stream.put(decoder.decode(chunk.audio))

    async def _stop(self, _event: WireEvent) -> None:
        if self._failed:
            raise _GoneError
        if self._answered:
            self._answered = False
            return
        if self._stream is None:  # no audio came: nothing was said
            await self._write(Transcript("", language=self._settings.languages[0]).event())
            return
        if self._decoder is not None and not self._stream.is_finished:
            await self._stream.put(self._decoder.finish())
        self._stream.finish()
        if self._answering is not None:
            await asyncio.wait([self._answering])
        await self._drop()
        if self._failed:
            raise _GoneError
        self._answered = False

    async def _answer(self, stream: Stream, request: Transcribe) -> None:
        """Send what is heard, and the transcript once."""
        words = StableWords(stream)
        limit = asyncio.create_task(self._limit(stream))
        begun = False
        try:
            async for event in stream:
                if not isinstance(event, Partial | Final):
                    continue
                if chunk := words.new_of(event):
                    if not begun:
                        begun = True
                        await self._write(TranscriptStart(request.context, request.language).event())
                    await self._write(TranscriptChunk(chunk).event())
                if isinstance(event, Final) and words.text and not self._settings.external_vad:
                    break
            self._answered = True
            await self._write(Transcript(words.text, request.context, self._settings.languages[0]).event())
            if begun:
                await self._write(TranscriptStop().event())
        except (OSError, asyncio.TimeoutError):
            self._writer.close()  # it went away, or does not read
        except NearwordError as error:
            # the connection is closed once the client has sent all it has to send: it reads the reason then
            self._answered = self._failed = True
            await self._try_to_tell(str(error), "recogniser")
        finally:
            limit.cancel()
            await stream.aclose()

    async def _limit(self, stream: Stream) -> None:
        """End the audio of who says nothing, or never ends, once so much of it has come."""
        if self._settings.external_vad:
            return
        wait, longest = self._settings.wait_for_speech, self._settings.max_utterance
        while not stream.is_finished:
            await asyncio.sleep(LOOK_SECONDS)
            if stream.seconds >= (wait + longest if stream.in_utterance else wait):
                stream.finish()

    async def _intent(self, event: WireEvent) -> None:
        request = Recognize.from_event(event)
        text, context = request.text, request.context
        if not isinstance(text, str) or len(text) > 10_000:
            raise ProtocolError("text: expected at most 10000 characters")
        if context is not None and not isinstance(context, dict):
            raise ProtocolError("context: expected an object")
        await self._write(await asyncio.to_thread(intent_answer, self._engine, text, context))

    async def _drop(self) -> None:
        """Forget the utterance that is being heard."""
        task, stream = self._answering, self._stream
        self._answering = self._stream = self._decoder = None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
        if stream is not None:
            await stream.aclose()

    async def _write(self, event: WireEvent) -> None:
        async with self._writing:
            await asyncio.wait_for(async_write_event(event, self._writer), self._settings.write_seconds)

    async def _try_to_tell(self, message: str, code: str) -> None:
        self._told = True
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await self._write(Error(message, code).event())
