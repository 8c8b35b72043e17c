"""What can go wrong in the daemon."""

from ...models import NearwordError


class DaemonError(NearwordError):
    """Root of the daemon's errors."""


class SettingsError(DaemonError, ValueError):
    """A setting cannot be used: the message names it, what was expected, and where it stands."""


class BusyError(DaemonError):
    """As many streams run as are allowed."""


class StuckError(DaemonError):
    """A recogniser has not taken audio for a long time."""


class StreamError(DaemonError):
    """The recogniser of a stream failed."""


class ProtocolError(DaemonError, ValueError):
    """A peer said what its protocol does not know, or more than is allowed."""
