"""OpenAI's interface for recordings: ``POST /v1/audio/transcriptions``."""

import asyncio
import contextlib
import json
import math
import os
import tempfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from ...models import AudioError, NearwordError, stream_audio
from ...models.samples import Samples
from ..recognition.events import Final, Partial
from ..recognition.formats import to_srt, to_vtt
from ..recognition.segmenter import SETTINGS
from ..recognition.transcript import Transcript, Word
from .engine import Engine
from .errors import BusyError, ProtocolError, StuckError
from .messages import check_language
from .stable_words import StableWords
from .streams import Stream, StreamOptions

PROTOCOL = "openai"
FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
AT_ONCE = max(1, (os.cpu_count() or 2) - 1)
"""Recordings that are recognised at one time, so that live streams keep a core."""
WAITING = 8
"""Recordings that wait for their turn; one more is refused."""
BLOCK_SECONDS = 1.0
_FORM_BYTES = 1_048_576
"""What a form may have beside the recording."""


class RequestError(NearwordError):
    """A request that gets no words."""

    def __init__(self, status: int, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param = status, message, param

    def response(self) -> Response:
        """Return the answer as OpenAI has it."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": None}
        return JSONResponse({"error": error}, self.status, {"Retry-After": "1"} if self.status == 503 else None)


@dataclass(frozen=True)
class Wanted:
    """What a form asks for."""

    file: UploadFile
    form: str
    stream: bool
    words: bool
    segments: bool
    phrases: tuple[str, ...]


def _refused(error: RequestError | NearwordError) -> RequestError:
    if isinstance(error, RequestError):
        return error
    return RequestError(503 if isinstance(error, BusyError | StuckError) else 500, str(error))


def transcription_endpoint(engine: Engine) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint."""
    turn = asyncio.Semaphore(AT_ONCE)
    present = 0

    async def endpoint(request: Request) -> Response:
        nonlocal present
        engine.metrics.connections.labels(PROTOCOL).inc()
        if present >= AT_ONCE + WAITING:
            return RequestError(503, "too many recordings at one time").response()
        present += 1
        handed_over = False
        form: FormData | None = None

        def leave() -> None:
            nonlocal present
            present -= 1

        try:
            form = await _read_form(request, engine)
            wanted = _wanted(form, engine)
            if wanted.stream:
                handed_over = True
                return StreamingResponse(_events(engine, wanted, turn, leave), media_type="text/event-stream")
            async with turn:
                heard = await _recognise(engine, wanted, request)
            return _written(engine, wanted, heard)
        except (RequestError, NearwordError) as error:
            return _refused(error).response()
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            if not handed_over:
                leave()
                if form is not None:
                    await form.close()

    return endpoint


async def _read_form(request: Request, engine: Engine) -> FormData:
    """Return the form; the recording in it is held in memory: a full disk is none of our business."""
    most = engine.settings.max_upload + _FORM_BYTES
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise RequestError(415, "expected multipart/form-data with a file")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise RequestError(413, f"the recording is larger than {engine.settings.max_upload} bytes")

    async def body() -> AsyncGenerator[bytes, None]:
        stream, size = request.stream(), 0
        while True:
            try:
                part = await asyncio.wait_for(anext(stream), engine.settings.idle_seconds)
            except StopAsyncIteration:
                return
            except asyncio.TimeoutError:
                raise RequestError(408, "the recording stopped coming") from None
            size += len(part)
            if size > most:
                raise RequestError(413, f"the recording is larger than {engine.settings.max_upload} bytes")
            yield part

    parser = MultiPartParser(request.headers, body(), max_files=1, max_fields=2_000, max_part_size=100_000)
    parser.spool_max_size = most + 1
    try:
        return await parser.parse()
    except MultiPartException as error:
        raise RequestError(400, error.message) from None


def _wanted(form: FormData, engine: Engine) -> Wanted:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise RequestError(400, "expected a recording", "file")
    if (file.size or 0) > engine.settings.max_upload:
        raise RequestError(413, f"the recording is larger than {engine.settings.max_upload} bytes", "file")
    name = str(form.get("response_format") or "json")
    if name not in FORMATS:
        raise RequestError(
            400, f"response_format {name!r:.40}: expected one of {', '.join(FORMATS)}", "response_format"
        )
    if language := str(form.get("language") or ""):
        try:
            check_language(language, engine.settings.languages)
        except ProtocolError as error:
            raise RequestError(400, str(error), "language") from None
    asked = {str(one) for key in ("timestamp_granularities[]", "timestamp_granularities") for one in form.getlist(key)}
    if asked - {"word", "segment"}:
        raise RequestError(400, "timestamp_granularities: expected word, segment", "timestamp_granularities")
    phrases = [str(one) for key in ("keywords[]", "keywords") for one in form.getlist(key)]
    phrases += phrases_of(str(form.get("prompt") or ""))
    return Wanted(
        file,
        name,
        stream=str(form.get("stream") or "").lower() in ("true", "1"),
        words="word" in asked,
        segments="segment" in asked or not asked,
        phrases=tuple(phrases),
    )


def phrases_of(prompt: str) -> list[str]:
    """Return what a prompt lists: texts between commas and line ends, if they are short."""
    found = [" ".join(part.split()).rstrip(".") for part in prompt.replace("\n", ",").split(",")]
    return [part for part in found if part and len(part.split()) <= 6]


@contextlib.contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    """Give a path to bytes, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("nearword-upload")
        try:
            with open(number, "wb", closefd=False) as file:
                file.write(data)
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.name


async def _blocks(wanted: Wanted) -> AsyncIterator[Samples]:
    """Yield the recording's audio; reading and resampling is done in a thread."""
    data = await wanted.file.read()
    name = wanted.file.filename or "recording"
    with _as_path(data) as path:
        del data
        blocks = stream_audio(path, BLOCK_SECONDS)
        try:
            while (block := await asyncio.to_thread(next, blocks, None)) is not None:
                yield block
        except AudioError as error:
            raise RequestError(400, str(error).replace(error.path, name), "file") from None


async def _open(engine: Engine, wanted: Wanted) -> Stream:
    boosted = None
    if wanted.phrases:
        boosted = await asyncio.to_thread(engine.phrases.own, wanted.phrases)
    return await engine.open(StreamOptions(PROTOCOL, SETTINGS, boosted))


async def _feed(stream: Stream, wanted: Wanted, request: Request | None = None) -> None:
    try:
        async for block in _blocks(wanted):
            if request is not None and await request.is_disconnected():
                raise ClientDisconnect
            await stream.put(block)
    finally:
        stream.finish()


@dataclass(frozen=True)
class _Heard:
    """What a recording says."""

    finals: list[Final]
    texts: list[str]
    """Of each, names as they are written."""
    seconds: float


async def _recognise(engine: Engine, wanted: Wanted, request: Request) -> _Heard:
    stream = await _open(engine, wanted)
    feeding = asyncio.create_task(_feed(stream, wanted, request))
    try:
        finals = [event async for event in stream if isinstance(event, Final) and event.text]
        await feeding
        spelling = stream.boosted.spelling
        return _Heard(finals, [spelling.text(final.text.split()) for final in finals], stream.seconds)
    finally:
        await _leave(stream, feeding)


async def _leave(stream: Stream, feeding: "asyncio.Task[None]") -> None:
    feeding.cancel()
    await asyncio.wait([feeding])
    if not feeding.cancelled():
        feeding.exception()  # was raised already, or nobody is there any more
    await stream.aclose()


async def _events(
    engine: Engine, wanted: Wanted, turn: asyncio.Semaphore, leave: Callable[[], None]
) -> AsyncIterator[str]:
    """Yield server-sent events: stable words as they come, then the whole text."""
    try:
        async with turn:
            stream = await _open(engine, wanted)
            feeding = asyncio.create_task(_feed(stream, wanted))
            said = StableWords(stream)
            try:
                async for event in stream:
                    if isinstance(event, Partial | Final) and (delta := said.new_of(event)):
                        yield _event({"type": "transcript.text.delta", "delta": delta})
                await feeding
                usage = {"type": "duration", "seconds": math.ceil(stream.seconds)}
                yield _event({"type": "transcript.text.done", "text": said.text, "usage": usage})
            finally:
                await _leave(stream, feeding)
    except RequestError as error:
        yield _event({"error": {"message": error.message, "type": "invalid_request_error", "param": error.param}})
    except NearwordError as error:
        yield _event({"error": {"message": str(error), "type": "server_error", "param": None}})
    finally:
        leave()
        await wanted.file.close()


def _event(values: dict[str, Any]) -> str:
    return f"data: {json.dumps(values, ensure_ascii=False)}\n\n"


def _written(engine: Engine, wanted: Wanted, heard: _Heard) -> Response:
    finals, seconds = heard.finals, heard.seconds
    words = tuple(word for final in finals for word in final.words)
    starts, count = [], 0
    for final in finals:
        starts.append(count)
        count += len(final.words)
    text = " ".join(heard.texts)
    transcript = Transcript(text, words, (), seconds, tuple(starts))
    usage = {"type": "duration", "seconds": math.ceil(seconds)}
    if wanted.form == "text":
        return PlainTextResponse(text + "\n")
    if wanted.form == "srt":
        return PlainTextResponse(to_srt("", transcript, ""))
    if wanted.form == "vtt":
        return PlainTextResponse(to_vtt("", transcript, ""), media_type="text/vtt")
    if wanted.form == "json":
        return JSONResponse({"text": text, "usage": usage})
    values: dict[str, Any] = {
        "task": "transcribe",
        "language": engine.settings.languages[0],
        "duration": round(seconds, 3),
        "text": text,
        "usage": usage,
    }
    if wanted.words:
        values["words"] = [{"word": word.text, "start": word.start, "end": word.end} for word in words]
    if wanted.segments:
        values["segments"] = [
            _segment(number, final, text) for number, (final, text) in enumerate(zip(finals, heard.texts, strict=True))
        ]
    return JSONResponse(values)


def _segment(number: int, final: Final, text: str) -> dict[str, Any]:
    data = text.encode()
    return {
        "id": number,
        "seek": 0,
        "start": final.words[0].start,
        "end": final.words[-1].end,
        "text": text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(map(_log, final.words)) / len(final.words), 4),
        "compression_ratio": round(len(data) / len(zlib.compress(data)), 3),
        "no_speech_prob": 0.0,
    }


def _log(word: Word) -> float:
    return math.log(max(word.confidence, 1e-6))
