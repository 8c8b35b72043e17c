"""How clients say what their samples are like."""

from typing import Any

from ...models import AudioError, RawFormat
from .errors import ProtocolError

MAX_CHANNELS = 32
"""More channels are no microphone."""
WIDTHS = {1: "uint8", 2: "int16", 3: "int24", 4: "int32"}
"""Encodings of integers by the bytes of a sample."""


def audio_form(rate: Any = 16_000, encoding: Any = "int16", channels: Any = 1) -> RawFormat:
    """Return the format that a client describes, with values of any type.

    Raises:
        ProtocolError: a value is out of range; names it.
    """
    for name, value, low, high in (("rate", rate, 1_000, 768_000), ("channels", channels, 1, MAX_CHANNELS)):
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ProtocolError(f"{name} is {value!r:.40}: expected {low} to {high}")
    if not isinstance(encoding, str):
        raise ProtocolError(f"encoding is {encoding!r:.40}: expected a text, such as int16")
    try:
        return RawFormat(encoding[:40], rate, channels)
    except AudioError as error:
        raise ProtocolError(str(error)) from error


def integer_form(rate: Any, width: Any, channels: Any) -> RawFormat:
    """Return the same of integers that have so many bytes; one byte is unsigned, as in WAV files."""
    if isinstance(width, bool) or not isinstance(width, int) or width not in WIDTHS:
        raise ProtocolError(f"width is {width!r:.40}: expected 1 to 4 bytes")
    return audio_form(rate, WIDTHS[width], channels)
