"""Where audio comes from: a microphone, a file, a stream of bytes, any async iterator of samples."""

from .audio_file import AudioFile
from .blocking import blocks_of
from .devices import Device, MicrophoneError, choose_device, list_devices
from .microphone import Microphone
from .raw_stream import RawStream, read_pipe
from .source import AudioSink, AudioSource, Blocks

__all__ = [
    "AudioFile",
    "AudioSink",
    "AudioSource",
    "Blocks",
    "Device",
    "Microphone",
    "MicrophoneError",
    "RawStream",
    "blocks_of",
    "choose_device",
    "list_devices",
    "read_pipe",
]
