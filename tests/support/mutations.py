"""Valid conversations of every protocol, and what may become of them on the way."""

import base64
import json
import random
from collections.abc import Iterator

SECOND = bytes(32000)
VALUES = [None, True, -1, 0, 1, 2**31, 2**63, 1e308, -0.5, "", "x" * 300, [], {}, [[[]]], {"a": {"b": []}}, "\ud800"]


def wyoming(audio: bytes = SECOND) -> list[tuple[dict, bytes]]:
    """Headers and payloads of a whole utterance."""
    form = {"rate": 16000, "width": 2, "channels": 1}
    return [
        ({"type": "describe"}, b""),
        ({"type": "transcribe", "data": {"language": "en", "transcript_names": ["Hall Light"], "context": {}}}, b""),
        ({"type": "audio-start", "data": form}, b""),
        *(({"type": "audio-chunk", "data": form}, audio[start : start + 3200]) for start in range(0, len(audio), 3200)),
        ({"type": "ping", "data": {"text": "there?"}}, b""),
        ({"type": "audio-stop", "data": {}}, b""),
        ({"type": "recognize", "data": {"text": "set an alarm", "context": {}}}, b""),
    ]


def wyoming_bytes(header: dict, payload: bytes) -> bytes:
    if payload:
        header = header | {"payload_length": len(payload)}
    return json.dumps(header).encode() + b"\n" + payload


def json_messages(audio: bytes = SECOND) -> list[dict | bytes]:
    return [
        {"type": "start", "format": {"rate": 16000, "encoding": "int16", "channels": 1}, "lattice": True},
        {"type": "phrases", "phrases": ["Hall Light", {"text": "Den TV", "class": "device", "boost": 2}]},
        {"type": "show", "phrases": ["Take Five"], "turns": 1, "seconds": 5},
        {"type": "context", "reply": "Which room?", "screen": ["Take Five"], "turns": 1},
        *(audio[start : start + 3200] for start in range(0, len(audio), 3200)),
        {"type": "preset", "preset": "fast"},
        {"type": "ping"},
        {"type": "end"},
        {"type": "reset"},
    ]


def vosk_messages(audio: bytes = SECOND) -> list[dict | bytes]:
    return [
        {"config": {"sample_rate": 16000, "words": 1, "max_alternatives": 3, "phrase_list": ["hall light"]}},
        *(audio[start : start + 8000] for start in range(0, len(audio), 8000)),
        {"eof": 1},
    ]


def realtime_messages(audio: bytes = SECOND) -> list[dict | bytes]:
    return [
        {
            "type": "session.update",
            "session": {
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "any", "language": "en", "prompt": "Hall Light, Den TV"},
                        "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
                    }
                },
            },
        },
        *(
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio[start : start + 6400]).decode()}
            for start in range(0, len(audio), 6400)
        ),
        {"type": "input_audio_buffer.commit"},
        {"type": "input_audio_buffer.clear"},
    ]


def form_fields() -> dict[str, str]:
    """What a client of OpenAI's interface for recordings asks for beside the recording."""
    return {
        "model": "any",
        "language": "en",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
        "stream": "false",
        "prompt": "Hall Light, Den TV",
    }


def request_bytes(fields: dict, audio: bytes) -> bytes:
    """Return a request to transcribe a recording, as it is sent."""
    parts = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = '--edge\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = ("".join(parts) + file).encode("utf-8", "replace") + audio + b"\r\n--edge--\r\n"
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def mutated(message: dict, chance: random.Random) -> dict:
    """Return a message in which one value is another, is missing, or is named otherwise."""
    message = json.loads(json.dumps(message))
    holder = message
    while True:
        key = chance.choice(list(holder))
        if isinstance(holder[key], dict) and holder[key] and chance.random() < 0.7:
            holder = holder[key]
            continue
        what = chance.random()
        if what < 0.6:
            holder[key] = chance.choice(VALUES)
        elif what < 0.8:
            del holder[key]
        else:
            holder[key + "x"] = holder.pop(key)
        return message


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return bytes of which some are others, missing, or there twice."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        if not out:
            break
        place = chance.randrange(len(out))
        what = chance.random()
        if what < 0.4:
            out[place] ^= 1 << chance.randrange(8)
        elif what < 0.6:
            del out[place : place + chance.randint(1, 40)]
        elif what < 0.8:
            out[place:place] = out[place : place + chance.randint(1, 40)]
        else:
            out[place:place] = chance.randbytes(chance.randint(1, 20))
    return bytes(out)


def conversations(messages: list[dict | bytes], seed: int) -> Iterator[list[dict | bytes | str]]:
    """Yield, without end, conversations of which one or more messages went wrong: objects, audio, or texts."""
    chance = random.Random(seed)
    while True:
        talk: list[dict | bytes | str] = []
        for message in messages:
            what = chance.random()
            if what < 0.5:
                talk.append(message)
            elif what < 0.8 and isinstance(message, dict):
                talk.append(mutated(message, chance))
            elif what < 0.9:
                data = message if isinstance(message, bytes) else json.dumps(message).encode()
                spoilt = damaged(data, chance)
                talk.append(spoilt if isinstance(message, bytes) else spoilt.decode("utf-8", "replace"))
            elif what < 0.95:
                talk += [message, message]
        if chance.random() < 0.3:
            chance.shuffle(talk)
        yield talk[: chance.randint(1, len(talk))] if talk else [b""]
