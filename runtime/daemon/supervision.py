"""What systemd is told: ready, alive, reloading, ending (sd_notify), without its library."""

import os
import socket


def notify(*states: str) -> bool:
    """Tell the service manager, if there is one; returns whether there is. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)  # a manager that does not listen must not hold up everything else
            manager.connect(address)
            manager.send("\n".join(states).encode())
    except OSError:
        return False
    return True


def watchdog_seconds() -> float | None:
    """Return how often the service manager wants to hear that all is well; None if it does not."""
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not microseconds.isdecimal() or process != str(os.getpid()) or not int(microseconds):
        return None
    return int(microseconds) / 1e6
