"""Transcripts as text: JSON lines, SubRip, WebVTT, NIST ctm."""

import json
from collections.abc import Callable, Sequence

from .transcript import Transcript, Word

CUE_SECONDS = 6.0
"""Longest subtitle; a pause of ``CUE_PAUSE`` ends one sooner."""
CUE_PAUSE = 1.0


def to_dict(path: str, transcript: Transcript, model: str) -> dict[str, object]:
    """Return the JSON object of one file: path, seconds, text, words, model. Times in seconds, to the millisecond."""
    words = [
        {"word": w.text, "start": round(w.start, 3), "end": round(w.end, 3), "confidence": round(w.confidence, 4)}
        for w in transcript.words
    ]
    return {
        "path": path,
        "seconds": round(transcript.seconds, 3),
        "text": transcript.text,
        "words": words,
        "model": model,
    }


def to_json(path: str, transcript: Transcript, model: str) -> str:
    """Return one line of JSON."""
    return json.dumps(to_dict(path, transcript, model), ensure_ascii=False) + "\n"


def to_text(path: str, transcript: Transcript, model: str) -> str:
    """Return the words alone, in one line."""
    del path, model
    return transcript.text + "\n"


def cues(words: Sequence[Word]) -> list[tuple[float, float, str]]:
    """Cut words into subtitles: start and end in seconds, text."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1] if groups else None
        if last and word.start - last[-1].end < CUE_PAUSE and word.end - last[0].start <= CUE_SECONDS:
            last.append(word)
        else:
            groups.append([word])
    return [(group[0].start, group[-1].end, " ".join(word.text for word in group)) for group in groups]


def clock(seconds: float, mark: str) -> str:
    """Return hours:minutes:seconds with milliseconds after ``mark``."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"


def to_srt(path: str, transcript: Transcript, model: str) -> str:
    """Return SubRip subtitles."""
    del path, model
    return "".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(cues(transcript.words), 1)
    )


def to_vtt(path: str, transcript: Transcript, model: str) -> str:
    """Return WebVTT subtitles."""
    del path, model
    body = "".join(
        f"\n{clock(start, '.')} --> {clock(end, '.')}\n{text}\n" for start, end, text in cues(transcript.words)
    )
    return "WEBVTT\n" + body


def to_ctm(path: str, transcript: Transcript, model: str) -> str:
    """Return NIST ctm: name, channel, start, duration, word, confidence; spaces in the name become underscores."""
    del model
    name = "_".join(path.split()) or "-"
    return "".join(
        f"{name} 1 {word.start:.3f} {word.end - word.start:.3f} {word.text} {word.confidence:.4f}\n"
        for word in transcript.words
    )


WRITERS: dict[str, Callable[[str, Transcript, str], str]] = {
    "text": to_text,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "ctm": to_ctm,
}
"""Format name to writer: (path, transcript, model name) to what is printed."""
