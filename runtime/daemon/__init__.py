"""The recogniser as a service: one loaded model, many streams, spoken to in the protocols that clients have."""

from .errors import BusyError, DaemonError, ProtocolError, SettingsError, StreamError, StuckError
from .settings import ServeSettings, read_settings

__all__ = [
    "BusyError",
    "DaemonError",
    "ProtocolError",
    "ServeSettings",
    "SettingsError",
    "StreamError",
    "StuckError",
    "read_settings",
]
