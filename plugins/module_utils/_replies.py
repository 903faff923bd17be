# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The replies of many nodes to one command."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._secrets import hide_secrets

# Seconds. A second worker of the same name answers about as fast as the first: within 9 ms in 120
# calls, on an idle and on a busy host. With eight times more load than processors, 3 of 240 were
# later than this, and 9 later than 0.03 s.
DUPLICATE_GRACE = 0.05
# Where all are slow, since the fleet is large or its hosts are busy, it is waited for so much of
# the time that replies took, but not longer than this.
DUPLICATE_SHARE = 0.5
DUPLICATE_LIMIT = 0.5
# Nodes answer within milliseconds, and within tens of them on hosts whose processors are all busy.
SETTLING_SECONDS = 2.0
SETTLING_FACTOR = 10.0


@dataclass(frozen=True)
class Replies:
    """What the nodes answered.

    Attributes:
        answers: The value by node.
        errors: The text by node that refused the command.
        missing: The expected nodes that were silent. It isn't known whether a silent node has
            carried out, or will still carry out, the command.
        duplicates: The names under which more than one worker answered.
        refused: How many messages came as replies and weren't accepted as such.
        arrived: Seconds from sending to the reply, by node.
        elapsed: Seconds from sending to the end of waiting.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    refused: int = 0
    arrived: dict[str, float] = field(default_factory=dict)
    elapsed: float = 0.0


class Gathering:
    """The replies to one command while they come in."""

    def __init__(
        self, expected: Collection[str] | None, sent_at: float, *, directed: bool = True
    ) -> None:
        """Begin to gather.

        Args:
            expected: The nodes that should answer, or None when the fleet isn't known.
            sent_at: The time of sending, in seconds of a monotonic clock.
            directed: Whether nobody else was asked.
        """
        self._fleet_known = expected is not None
        self._asked = frozenset(expected or ()) if self._fleet_known and directed else None
        self._awaited = set(expected or ())
        self._sent_at = sent_at
        # Nobody is asked where nobody is expected.
        self._complete_at = sent_at if self._fleet_known and not self._awaited else None
        self._last_at = sent_at
        self._answers: dict[str, Any] = {}
        self._errors: dict[str, str] = {}
        self._arrived: dict[str, float] = {}
        self._refused = 0
        self._listeners: int | None = None
        self._copies: set[tuple[Any, Any]] = set()
        self.duplicates: set[str] = set()
        self.why_refused: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all that are expected have answered; never so for an unknown fleet."""
        return self._complete_at is not None

    @property
    def silent(self) -> bool:
        """Whether nothing has come in that was accepted, though something is expected."""
        return not (self.complete or self._answers or self._errors)

    def reaches(self, listeners: int | None) -> None:
        """Note how many workers the command has reached, where the broker tells."""
        self._listeners = listeners

    def add(self, reply: Any, now: float) -> None:
        """Take in a message, which holds the value of one node."""
        if not isinstance(reply, dict):
            self.refuse("they are malformed: check the versions of Celery")
            return
        if self._asked is not None and not self._asked.issuperset(reply):
            self.refuse("they come from nodes that weren't asked: check who may use the broker")
            return
        for node, value in reply.items():
            if node in self._answers or node in self._errors:
                self.duplicates.add(node)
                continue
            if isinstance(value, dict) and set(value) == {"error"}:
                self._errors[node] = readable_error(str(value["error"]))
            else:
                self._answers[node] = value
            self._arrived[node] = round(now - self._sent_at, 3)
            self._awaited.discard(node)
            self._last_at = now
        if self._complete_at is None and self._fleet_known and not self._awaited:
            self._complete_at = now

    def repeats(self, copy: tuple[Any, Any]) -> bool:
        """Whether a message has come before, by what would be the same in a copy of it."""
        before = len(self._copies)
        self._copies.add(copy)
        return len(self._copies) == before

    def refuse(self, reason: str) -> None:
        """Count a message that isn't accepted as a reply."""
        self._refused += 1
        self.why_refused = reason

    def over_at(
        self, limit: float, grace: float = DUPLICATE_GRACE, *, settle: bool = False
    ) -> float:
        """The time at which nothing more is awaited, unless something comes in before.

        Args:
            limit: The latest time.
            grace: Seconds to wait for duplicates when all have answered, if that went fast; 0 for
                not waiting at all.
            settle: Whether to give up those that are far slower than all others.
        """
        if self._complete_at is not None:
            return min(limit, self._complete_at + (grace and self._duplicate_window(grace)))
        replies = len(self._answers) + len(self._errors)
        if not self._fleet_known and replies > 0:
            return min(limit, self._last_at + quiet_window(replies))
        if settle and replies > 0:
            return min(limit, self._last_at + settling_window(self._last_at - self._sent_at))
        return limit

    def _duplicate_window(self, grace: float) -> float:
        # A second worker of a name would be one listener more than there are names.
        if len(self._arrived) == self._listeners:
            return 0.0
        typical = median(self._arrived.values()) if self._arrived else 0.0
        return max(grace, min(DUPLICATE_SHARE * typical, DUPLICATE_LIMIT))

    def replies(self, now: float) -> Replies:
        """What has come in until now."""
        return Replies(
            answers=dict(self._answers),
            errors=dict(self._errors),
            missing=sorted(self._awaited),
            duplicates=sorted(self.duplicates),
            refused=self._refused,
            arrived=dict(self._arrived),
            elapsed=round(now - self._sent_at, 3),
        )


def quiet_window(replies: int) -> float:
    """Seconds of silence after which an unknown fleet counts as complete."""
    return 0.5 + 0.002 * replies


def settling_window(slowest: float) -> float:
    """Seconds of silence after which those who haven't answered are given up.

    Args:
        slowest: Seconds that the slowest of those who have answered took.
    """
    return max(SETTLING_SECONDS, SETTLING_FACTOR * slowest)


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
