from .errors import BiasingError as BiasingError
from .graph import BiasGraph as BiasGraph, ScoredClass as ScoredClass
from .live import Biasing as Biasing
from .phrases import (
    CLASSES as CLASSES,
    DEFAULT_CLASS as DEFAULT_CLASS,
    Phrase as Phrase,
    PhraseList as PhraseList,
    Refused as Refused,
)
from .sources import BiasSource as BiasSource, read_lines as read_lines, read_source as read_source
from .spotting import Spot as Spot, Spotter as Spotter
from .templates import Templates as Templates
from .tokenize import TokenizedPhrase as TokenizedPhrase, Tokenizer as Tokenizer
from .vocabulary import BiasVocabulary as BiasVocabulary, Surprise as Surprise
from .weights import ClassSettings as ClassSettings
