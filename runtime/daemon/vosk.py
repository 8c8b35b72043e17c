"""The websocket protocol of the Vosk server: one answer for every message, partial or result."""

import asyncio
import json
from typing import Any

from ...models import RawDecoder
from ..recognition.events import Event, Final, Partial, SpeculativeFinal
from .audio_form import audio_form
from .engine import Engine
from .errors import ProtocolError
from .messages import object_of
from .streams import Stream, StreamOptions

PROTOCOL = "vosk"
MOST_PHRASES = 10_000


class VoskSession:
    """One client. Every message is answered before the next is read, as that server does."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rate = 16_000
        self._words = True
        self._alternatives = 0
        self._phrases: tuple[str, ...] = ()
        self._decoder: RawDecoder | None = None
        self._stream: Stream | None = None
        self._listening: asyncio.Task[None] | None = None
        self._partial = ""
        self._finals: list[Final] = []

    async def text(self, message: str) -> tuple[str | None, bool]:
        """Take a text message; returns the answer, if there is one, and whether it is the last.

        Raises:
            ProtocolError: it is neither configuration nor the end.
        """
        values = object_of(message)
        if "config" in values:
            self._configure(values["config"])
            return None, False
        if "eof" in values:
            return await self._end(), True
        if "reset" in values:
            await self.aclose()
            return None, False
        raise ProtocolError('expected {"config": ...} or {"eof": 1}')

    async def audio(self, data: bytes) -> str:
        """Take audio, mono int16; returns the answer."""
        if self._stream is None:
            await self._begin()
        stream, decoder = self._stream, self._decoder
        if stream is None or decoder is None:
            raise ProtocolError("no stream")
        await stream.put(decoder.decode(data))
        await stream.caught_up()
        await asyncio.sleep(0)  # let what listens to it take the last event
        self._raise()
        if self._finals:
            return self._result([self._finals.pop(0)])
        return json.dumps({"partial": self._partial}, ensure_ascii=False)

    async def aclose(self) -> None:
        """Drop everything."""
        task, stream = self._listening, self._stream
        self._listening = self._stream = self._decoder = None
        self._partial, self._finals = "", []
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
        if stream is not None:
            await stream.aclose()

    def _configure(self, config: Any) -> None:
        if not isinstance(config, dict):
            raise ProtocolError("config: expected an object")
        rate, alternatives = config.get("sample_rate", self._rate), config.get("max_alternatives", self._alternatives)
        if not isinstance(rate, int | float) or rate != int(rate):
            raise ProtocolError(f"sample_rate is {rate!r:.40}: expected a whole number")
        if not isinstance(alternatives, int) or isinstance(alternatives, bool) or not 0 <= alternatives <= 100:
            raise ProtocolError(f"max_alternatives is {alternatives!r:.40}: expected 0 to 100")
        phrases = config.get("phrase_list", list(self._phrases))
        if not isinstance(phrases, list) or len(phrases) > MOST_PHRASES or not all(isinstance(p, str) for p in phrases):
            raise ProtocolError("phrase_list: expected a list of texts")
        self._rate = int(audio_form(int(rate)).rate)
        self._alternatives = alternatives
        self._words = bool(config.get("words", self._words))
        self._phrases = tuple(phrase for phrase in phrases if phrase != "[unk]")

    async def _begin(self) -> None:
        self._decoder = RawDecoder(audio_form(self._rate), source=PROTOCOL)
        boosted = None
        if self._phrases:
            boosted = await asyncio.to_thread(self._engine.phrases.own, (), self._phrases)
        self._stream = await self._engine.open(StreamOptions(PROTOCOL, boosted=boosted))
        self._listening = asyncio.create_task(self._listen(self._stream))

    async def _listen(self, stream: Stream) -> None:
        async for event in stream:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Partial | SpeculativeFinal):
            self._partial = event.text
        elif isinstance(event, Final):
            self._partial = ""
            if event.text:
                self._finals.append(event)

    async def _end(self) -> str:
        stream, task = self._stream, self._listening
        if stream is not None and task is not None and self._decoder is not None:
            await stream.put(self._decoder.finish())
            stream.finish()
            await asyncio.wait([task])
            self._raise()
        answer = self._result(self._finals)
        await self.aclose()
        return answer

    def _raise(self) -> None:
        """Raise what the recogniser raised."""
        task = self._listening
        if task is not None and task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error

    def _result(self, finals: list[Final]) -> str:
        """Return results as one."""
        words = [word for final in finals for word in final.words]
        rows = [
            {"conf": round(word.confidence, 6), "end": word.end, "start": word.start, "word": word.text}
            for word in words
        ]
        text = " ".join(word.text for word in words)
        values: dict[str, Any]
        if self._alternatives and len(finals) == 1:
            others = [
                {"confidence": other.probability, "text": other.text}
                for other in finals[0].n_best
                if other.text != text
            ]
            first: dict[str, Any] = {
                "confidence": 1.0 - sum(float(str(one["confidence"])) for one in others),
                "text": text,
            }
            if self._words:
                first["result"] = rows
            values = {"alternatives": [first, *others][: self._alternatives]}
        else:
            values = {"result": rows, "text": text} if self._words and rows else {"text": text}
        return json.dumps(values, ensure_ascii=False)
