from .acts import Act as Act, act_of as act_of
from .compute import Computed as Computed, ContextModel as ContextModel
from .context_session import ContextSession as ContextSession
from .context_stage import ContextStage as ContextStage
from .encryption import Cipher as Cipher, load_key as load_key
from .errors import (
    ContextError as ContextError,
    ContextKeyError as ContextKeyError,
    ContextStoreError as ContextStoreError,
)
from .inputs import ContextInput as ContextInput
from .language import ContextLanguage as ContextLanguage
from .live import LiveContext as LiveContext, Ready as Ready
from .messages import known as known, update as update
from .session import Life as Life, SessionContext as SessionContext
from .store import ContextStore as ContextStore, StoredInteraction as StoredInteraction, open_store as open_store
from .tables import EventKind as EventKind, EventRow as EventRow
from .terms import Term as Term, find_terms as find_terms
from .weights import (
    ContextWeights as ContextWeights,
    Source as Source,
    default_weights as default_weights,
    read_weights as read_weights,
)
