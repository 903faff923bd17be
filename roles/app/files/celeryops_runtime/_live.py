"""What was set live for the pool of a worker, and outlasts its start."""

from __future__ import annotations

import os
from pathlib import Path


def live_values(node: str) -> dict[str, str]:
    """The file of the pool as it is now, which may be newer than this worker's environment."""
    settings = os.environ.get("CELERYOPS_SETTINGS", "")
    pool = node.partition("@")[0].rstrip("0123456789")
    try:
        text = Path(settings).with_name("pools").joinpath(f"{pool}.env").read_text("utf-8")
    except (OSError, ValueError):
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}
