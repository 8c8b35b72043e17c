"""Exported streaming transducers: loading, features, tokens, audio files, the bundled model."""

from .audio import SAMPLE_RATE, audio_seconds, cut_short, read_audio, stream_audio
from .catalog import DEFAULT_MODEL, list_models, resolve
from .errors import AudioError, DownloadError, ModelError, ModelFileError, ModelNotFoundError, NearwordError
from .features import FeatureExtractor
from .pronunciation import Pronouncer
from .tokens import Vocabulary
from .transducer import EncoderStream, ModelInfo, Transducer

__all__ = [
    "DEFAULT_MODEL",
    "SAMPLE_RATE",
    "AudioError",
    "DownloadError",
    "EncoderStream",
    "FeatureExtractor",
    "ModelError",
    "ModelFileError",
    "ModelInfo",
    "ModelNotFoundError",
    "NearwordError",
    "Pronouncer",
    "Transducer",
    "Vocabulary",
    "audio_seconds",
    "cut_short",
    "list_models",
    "read_audio",
    "resolve",
    "stream_audio",
]
