"""The two things that a service of Type=notify says and hears: sd_notify and its watchdog."""

from __future__ import annotations

import logging
import os
import socket

logger = logging.getLogger(__name__)

# Pool processes are forked from here and inherit the socket's name; systemd hears only the parent.
_MAIN_PID = os.getpid()


def wanted() -> bool:
    """Whether systemd asked to be told."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def notify(*assignments: str) -> None:
    """Send `assignments`, like "READY=1", to systemd if it asked for them.

    What cannot be sent is logged and passed over: work is worth more than its status.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address or os.getpid() != _MAIN_PID:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(assignments).encode(), address)
    except OSError as error:
        logger.warning("Could not tell systemd %s: %s", " ".join(assignments), error)


def watchdog_usec() -> int:
    """Microseconds within which systemd wants to hear WATCHDOG=1; 0 is never."""
    return int(os.environ.get("WATCHDOG_USEC") or 0)
