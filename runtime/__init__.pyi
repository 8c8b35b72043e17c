from .recognition.biasing import load_biasing as load_biasing
from .recognition.events import (
    Alternative as Alternative,
    AudioLost as AudioLost,
    Command as Command,
    ContextUse as ContextUse,
    Event as Event,
    EventError as EventError,
    Final as Final,
    FinalReason as FinalReason,
    Partial as Partial,
    Rescoring as Rescoring,
    Reset as Reset,
    Speaker as Speaker,
    SpeculativeFinal as SpeculativeFinal,
    SpeechStarted as SpeechStarted,
    read_events as read_events,
)
from .recognition.grammar import GrammarUnderstanding as GrammarUnderstanding, read_grammar as read_grammar
from .recognition.recognizer import Recognizer as Recognizer
from .recognition.segmenter import Segmenter as Segmenter
from .recognition.session import Session as Session, SessionError as SessionError
from .recognition.speakers import (
    EnrolledSpeakers as EnrolledSpeakers,
    Speakers as Speakers,
    SpeakersError as SpeakersError,
)
from .recognition.stage import Stage as Stage
from .recognition.timing import StageTimes as StageTimes
from .recognition.transcriber import (
    Transcriber as Transcriber,
    load_model as load_model,
    transcribe_channels as transcribe_channels,
    transcribe_file as transcribe_file,
)
from .recognition.transcript import Transcript as Transcript, Word as Word
from .search import (
    GREEDY as GREEDY,
    BeamSettings as BeamSettings,
    SearchOptions as SearchOptions,
    TokenScorer as TokenScorer,
)
from .sources import (
    AudioFile as AudioFile,
    AudioSink as AudioSink,
    AudioSource as AudioSource,
    Blocks as Blocks,
    Microphone as Microphone,
    MicrophoneError as MicrophoneError,
    RawStream as RawStream,
    blocks_of as blocks_of,
    list_devices as list_devices,
    read_pipe as read_pipe,
)
from .streaming.event_stream import EventStream as EventStream, SourceCancelledError as SourceCancelledError
from .streaming.pipeline import Pipeline as Pipeline, PipelineError as PipelineError
from .streaming.rescoring import BlockingRescoring as BlockingRescoring, RescoringStage as RescoringStage
from .streaming.speculation import (
    Gate as Gate,
    Outcome as Outcome,
    WithdrawnError as WithdrawnError,
    speculate as speculate,
)
from .streaming.stages import AsyncStage as AsyncStage, staged as staged
from .version import __version__ as __version__
