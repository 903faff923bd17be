"""Lets an operator see that beat ticks."""

from __future__ import annotations

import os
from typing import Any


def let_beat_answer(sender: Any, **_: Any) -> None:
    """Have beat answer `ping`, as long as its schedule goes on, under the inventory's name for it.

    Celery 5.7 and later heed both; what they come from, a setting and an option of the command,
    would stop an earlier one.
    """
    if sender is not None:
        sender.remote_control = True
        sender.hostname = os.environ.get("CELERYOPS_BEAT") or sender.hostname
