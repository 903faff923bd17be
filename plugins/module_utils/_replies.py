# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The replies of many nodes to one command."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets

# Seconds. A second worker of the same name answers about as fast as the first: within 9 ms in 120
# calls, on an idle and on a busy host.
DUPLICATE_GRACE = 0.05


@dataclass(frozen=True)
class Replies:
    """What the nodes answered.

    Attributes:
        answers: The value by node.
        errors: The text by node that refused the command.
        missing: The expected nodes that were silent. It isn't known whether a silent node has
            carried out, or will still carry out, the command.
        duplicates: The names under which more than one worker answered.
        elapsed: Seconds from sending to the end of waiting.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    elapsed: float = 0.0


class Gathering:
    """The replies to one command while they come in."""

    def __init__(self, expected: Collection[str] | None, sent_at: float) -> None:
        """Begin to gather.

        Args:
            expected: The nodes that should answer, or None when the fleet isn't known.
            sent_at: The time of sending, in seconds of a monotonic clock.
        """
        self._expected = None if expected is None else frozenset(expected)
        self._sent_at = sent_at
        # Nobody is asked where nobody is expected.
        self._complete_at = sent_at if self._expected == frozenset() else None
        self._last_at = sent_at
        self._answers: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self.duplicates: set[str] = set()

    def add(self, reply: Mapping[str, Any], now: float) -> None:
        """Take in a message, which holds the value of one node."""
        for node, value in reply.items():
            if node in self._answers or node in self._errors:
                self.duplicates.add(node)
                continue
            if isinstance(value, dict) and set(value) == {"error"}:
                self._errors[node] = readable_error(str(value["error"]))
            else:
                self._answers[node] = value
            self._last_at = now
        if self._complete_at is None and self._expected is not None and not self._silent():
            self._complete_at = now

    def over_at(self, limit: float, grace: float = DUPLICATE_GRACE) -> float:
        """The time at which nothing more is awaited, unless something comes in before.

        Args:
            limit: The latest time.
            grace: Seconds to wait for duplicates when all have answered.
        """
        if self._complete_at is not None:
            return min(limit, self._complete_at + grace)
        replies = len(self._answers) + len(self._errors)
        if self._expected is None and replies > 0:
            return min(limit, self._last_at + quiet_window(replies))
        return limit

    def replies(self, now: float) -> Replies:
        """What has come in until now."""
        return Replies(
            answers=dict(self._answers),
            errors=dict(self._errors),
            missing=self._silent(),
            duplicates=sorted(self.duplicates),
            elapsed=round(now - self._sent_at, 3),
        )

    def _silent(self) -> list[str]:
        return sorted((self._expected or frozenset()) - set(self._answers) - set(self._errors))


def quiet_window(replies: int) -> float:
    """Seconds of silence after which an unknown fleet counts as complete."""
    return 0.5 + 0.002 * replies


def all_duplicates(gatherings: Iterable[Gathering]) -> list[str]:
    """The names that were answered twice in any of the gatherings, sorted."""
    return sorted(set().union(*(gathering.duplicates for gathering in gatherings)))


def readable_error(text: str) -> str:
    """Turn a worker's `ValueError("Autoscale not enabled")` into its text, without secrets."""
    match = re.fullmatch(r"(\w+)\((.*)\)", text, re.DOTALL)
    if match:
        try:
            arguments = ast.literal_eval(f"({match[2]},)" if match[2] else "()")
        except (ValueError, SyntaxError):
            arguments = ()
        if match[1] == "KeyError" and len(arguments) == 1:
            text = f"unknown command '{arguments[0]}'"
        elif arguments:
            text = " ".join(str(argument) for argument in arguments)
    return str(hide_secrets(text))
