"""What a worker tells about itself when an operator asks."""

from __future__ import annotations

import os
from typing import Any

from celeryops_runtime import __version__


def celeryops(_state: Any) -> dict[str, str | None]:
    """Release, configuration and runtime of this worker."""
    return {
        "release": os.environ.get("CELERYOPS_RELEASE"),
        "config": os.environ.get("CELERYOPS_CONFIG"),
        "runtime": __version__,
    }
