from .audio import (
    AudioStream as AudioStream,
    audio_seconds as audio_seconds,
    read_audio as read_audio,
    stream_audio as stream_audio,
)
from .catalog import DEFAULT_MODEL as DEFAULT_MODEL, list_models as list_models, resolve as resolve
from .encoder import EncoderStream as EncoderStream
from .errors import (
    AudioError as AudioError,
    DownloadError as DownloadError,
    ModelError as ModelError,
    ModelFileError as ModelFileError,
    ModelNotFoundError as ModelNotFoundError,
    NearwordError as NearwordError,
)
from .features import FeatureExtractor as FeatureExtractor
from .pcm import RawFormat as RawFormat
from .pronunciation import Pronouncer as Pronouncer
from .raw_decoder import RawDecoder as RawDecoder
from .samples import (
    SAMPLE_RATE as SAMPLE_RATE,
    AudioConverter as AudioConverter,
    Channel as Channel,
    to_samples as to_samples,
)
from .tokens import Vocabulary as Vocabulary
from .transducer import ModelInfo as ModelInfo, Transducer as Transducer
from .voice import Voice as Voice, VoiceEncoder as VoiceEncoder
