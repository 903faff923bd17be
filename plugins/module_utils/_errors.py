# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""Errors that a person reads: one sentence with the cause and the fix."""

from __future__ import annotations

from typing import Any


class CeleryOpsError(Exception):
    """A mistake or a fault that is told in one sentence, without a traceback.

    Attributes:
        result: What was found and done until then; it is returned beside the sentence.
    """

    def __init__(self, sentence: str, result: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.result = result or {}

    @property
    def clause(self) -> str:
        """The sentence as a part of another one."""
        return str(self).rstrip(".")


class BrokerError(CeleryOpsError):
    """The broker can't be reached, refuses the login or doesn't answer in time."""
