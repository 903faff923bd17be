# Copyright the celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PRIVATE to the collection: what a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """The known word that is closest, as a part of a sentence; empty when none is close."""
    close = get_close_matches(str(word), known, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
