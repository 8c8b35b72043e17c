"""Input devices, through PortAudio (sounddevice), which is imported only when a device is used."""

from dataclasses import dataclass
from types import ModuleType

from ...models import NearwordError


class MicrophoneError(NearwordError, OSError):
    """No PortAudio, no such device, or it cannot be opened."""


@dataclass(frozen=True)
class Device:
    """An input device."""

    index: int
    name: str
    channels: int
    """Most input channels."""
    rate: float
    """Samples per second that it likes best."""
    is_default: bool


def import_sounddevice() -> ModuleType:
    """Return the module ``sounddevice``.

    Raises:
        MicrophoneError: it is not installed, or PortAudio is not.
    """
    try:
        import sounddevice  # noqa: PLC0415 (loads PortAudio, which a server has not)
    except ImportError as error:
        raise MicrophoneError(
            "the microphone needs the Python package sounddevice; run: pip install sounddevice"
        ) from error
    except OSError as error:
        raise MicrophoneError(
            "the microphone needs the PortAudio library; on Debian or Raspberry Pi OS run: apt install libportaudio2"
        ) from error
    module: ModuleType = sounddevice
    return module


def reason(error: object) -> str:
    """Return PortAudio's message in one line."""
    return " ".join(str(error).split())[:160]


def list_devices() -> list[Device]:
    """Return the input devices.

    Raises:
        MicrophoneError: PortAudio is missing, or fails.
    """
    sounddevice = import_sounddevice()
    try:
        found = list(sounddevice.query_devices())
        default = sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(f"PortAudio cannot list the devices: {reason(error)}") from error
    return [
        Device(index, str(d["name"]), int(d["max_input_channels"]), float(d["default_samplerate"]), index == default)
        for index, d in enumerate(found)
        if d["max_input_channels"] > 0
    ]


def choose_device(devices: list[Device], wanted: int | str | None) -> Device:
    """Return the device of an index or a part of a name (any case); None is the default one.

    Raises:
        MicrophoneError: there is none, or several of that name.
    """
    names = ", ".join(f"{d.index} {d.name!r}" for d in devices)
    if not devices:
        raise MicrophoneError(
            "no microphone: the system has no audio input device; connect one, or see your sound settings"
        )
    if wanted is None:
        return next((d for d in devices if d.is_default), devices[0])
    if isinstance(wanted, int) or wanted.isdecimal():
        found = [d for d in devices if d.index == int(wanted)]
    else:
        exact = [d for d in devices if d.name.lower() == wanted.lower()]
        found = exact or [d for d in devices if wanted.lower() in d.name.lower()]
    if not found:
        raise MicrophoneError(f"no input device {str(wanted)!r}: expected an index or a part of a name of: {names}")
    if len(found) > 1:
        several = ", ".join(f"{d.index} {d.name!r}" for d in found)
        raise MicrophoneError(f"input device {wanted!r} fits several: {several}; give the index")
    return found[0]
