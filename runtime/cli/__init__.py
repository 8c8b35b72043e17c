"""The command line ``nearword``."""

import signal
import sys


def main() -> None:
    """Run the command line, interrupted cleanly from its first moment on."""
    try:
        from .app import main as run
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    run()
