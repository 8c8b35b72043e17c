"""New versions of models and other files: small, signed, and all or nothing.

Whoever publishes signs with a private key (``signing``), and lays files, updates and a list of them on any server of
static files (``publish``). A device fetches the list, then the updates it needs, and puts the new version in the place
of the old one in a single step (``install``).
"""

from .install import Outcome, roll_back, update, update_from_file
from .listing import Listing, Step, Version
from .publish import publish, write_update
from .signing import new_keys, read_public_key

__all__ = [
    "Listing",
    "Outcome",
    "Step",
    "Version",
    "new_keys",
    "publish",
    "read_public_key",
    "roll_back",
    "update",
    "update_from_file",
    "write_update",
]
