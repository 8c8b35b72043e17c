from .recognition.events import (
    Alternative as Alternative,
    AudioLost as AudioLost,
    Command as Command,
    Event as Event,
    Final as Final,
    FinalReason as FinalReason,
    Partial as Partial,
    Reset as Reset,
    SpeculativeFinal as SpeculativeFinal,
    SpeechStarted as SpeechStarted,
)
from .recognition.recognizer import Recognizer as Recognizer
from .recognition.session import Session as Session
from .recognition.transcriber import (
    Transcriber as Transcriber,
    load_model as load_model,
    transcribe_file as transcribe_file,
)
from .recognition.transcript import Transcript as Transcript, Word as Word
from .search import BeamSettings as BeamSettings, SearchOptions as SearchOptions, TokenScorer as TokenScorer
from .sources import AudioFile as AudioFile, Microphone as Microphone, RawStream as RawStream
from .streaming.pipeline import Pipeline as Pipeline
from .streaming.speculation import Outcome as Outcome, speculate as speculate
