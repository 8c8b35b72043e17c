"""Transcripts as text: JSON lines, SubRip, WebVTT, NIST ctm."""

import html
import json
from collections.abc import Callable, Iterable, Sequence

from .transcript import Transcript, Word

CUE_SECONDS = 6.0
"""Longest subtitle."""
CUE_LETTERS = 84
"""Most letters of a subtitle: two lines of 42."""
CUE_PAUSE = 1.0
"""A pause of so many seconds begins the next subtitle."""
CUE_LEAST_SECONDS = 1.0
"""A subtitle stays so long, if the next one leaves it the time: one short word would flash by unread."""


def to_dict(path: str, transcript: Transcript, model: str) -> dict[str, object]:
    """Return the JSON object of one file; times in seconds, to the millisecond."""
    words = [
        {"word": w.text, "start": round(w.start, 3), "end": round(w.end, 3), "confidence": round(w.confidence, 4)}
        for w in transcript.words
    ]
    return {
        "path": path,
        "seconds": round(transcript.seconds, 3),
        "text": transcript.text,
        "words": words,
        "utterances": [
            {
                "start": words[first]["start"],
                "end": words[end - 1]["end"],
                "text": " ".join(word.text for word in transcript.words[first:end]),
            }
            for first, end in zip(
                transcript.utterances, [*transcript.utterances[1:], len(words)], strict=False
            )  # without utterances there is an end, but no beginning
        ],
        "model": model,
    }


def to_json(path: str, transcript: Transcript, model: str, **more: object) -> str:
    """Return one line of JSON, with more keys than it always has."""
    row = to_dict(path, transcript, model) | more
    # a file name need not be valid text; its stray bytes are escaped, and read back as the same name
    return json.dumps(row, ensure_ascii=not path.isprintable()) + "\n"


def to_text(path: str, transcript: Transcript, model: str) -> str:
    """Return the words alone, in one line."""
    del path, model
    return transcript.text + "\n"


def cues(words: Sequence[Word], utterances: Sequence[int] = ()) -> list[tuple[float, float, str]]:
    """Cut words into subtitles: start and end in seconds, text. None goes on from one utterance into the next."""
    groups: list[list[Word]] = []
    beginnings = set(utterances)
    for index, word in enumerate(words):
        if groups and index not in beginnings and _fits(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    limits = [group[0].start for group in groups[1:]] + [float("inf")]
    return [
        (
            group[0].start,
            max(group[-1].end, min(limit, group[0].start + CUE_LEAST_SECONDS)),
            " ".join(word.text for word in group),
        )
        for group, limit in zip(groups, limits, strict=False)  # without words there is a limit, but no group
    ]


def _fits(group: Sequence[Word], word: Word) -> bool:
    letters = sum(len(member.text) + 1 for member in group) + len(word.text)
    pause, seconds = word.start - group[-1].end, word.end - group[0].start
    return pause < CUE_PAUSE and seconds <= CUE_SECONDS and letters <= CUE_LETTERS


def clock(seconds: float, mark: str) -> str:
    """Return hours:minutes:seconds with milliseconds after ``mark``."""
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{mark}{milliseconds % 1000:03d}"


def to_srt(path: str, transcript: Transcript, model: str) -> str:
    """Return SubRip subtitles."""
    del path, model
    return _srt(_cues_of(transcript))


def to_vtt(path: str, transcript: Transcript, model: str) -> str:
    """Return WebVTT subtitles."""
    del path, model
    return _vtt((start, end, html.escape(text, quote=False)) for start, end, text in _cues_of(transcript))


def subtitles(form: str, channels: Iterable[tuple[int, Transcript]]) -> str:
    """Return the subtitles of several channels by their numbers in one, ``srt`` or ``vtt``, each with its channel."""
    all_cues = sorted((start, number, end, text) for number, one in channels for start, end, text in _cues_of(one))
    if form == "srt":
        return _srt((start, end, f"channel {number}: {text}") for start, number, end, text in all_cues)
    return _vtt(
        (start, end, f"<v channel {number}>{html.escape(text, quote=False)}") for start, number, end, text in all_cues
    )


def _cues_of(transcript: Transcript) -> list[tuple[float, float, str]]:
    return cues(transcript.words, transcript.utterances)


def _srt(shown: Iterable[tuple[float, float, str]]) -> str:
    return "".join(
        f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{text}\n\n"
        for number, (start, end, text) in enumerate(shown, 1)
    )


def _vtt(shown: Iterable[tuple[float, float, str]]) -> str:
    return "WEBVTT\n" + "".join(f"\n{clock(start, '.')} --> {clock(end, '.')}\n{text}\n" for start, end, text in shown)


def to_ctm(path: str, transcript: Transcript, model: str, channel: int = 1) -> str:
    """Return NIST ctm: name, channel, start, duration, word, confidence; spaces in the name become underscores."""
    del model
    name = "_".join(path.split()) or "-"
    return "".join(
        f"{name} {channel} {word.start:.3f} {word.end - word.start:.3f} {word.text} {word.confidence:.4f}\n"
        for word in transcript.words
    )


WRITERS: dict[str, Callable[..., str]] = {
    "text": to_text,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "ctm": to_ctm,
}
"""Format name to writer: (path, transcript, model name) to what is printed; JSON takes more keys, ctm a channel."""
