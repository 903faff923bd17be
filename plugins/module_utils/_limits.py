# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""The limits of a task: what was asked for, what nodes show, and what a pool's file keeps.

Workers show the limits as text, so that they are compared by value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._pool_file import (
    TASK_LIMITS,
    PoolFile,
)

NONE = "none"
# As a worker names them.
ATTRIBUTES = ("rate_limit", "soft_time_limit", "time_limit")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/([smh]))?\Z")
_SECONDS = re.compile(r"\d+(?:\.\d+)?\Z")


@dataclass(frozen=True)
class Limits:
    """The limits of a task.

    Attributes:
        rate: Tasks per second on each worker, as the text that Celery takes; None for no limit.
        soft: Seconds until the task gets an exception that it can handle; None for no limit.
        hard: Seconds until its process is ended; None for no limit.
    """

    rate: str | None = None
    soft: float | None = None
    hard: float | None = None

    def same_rate(self, other: Limits) -> bool:
        return per_second(self.rate) == per_second(other.rate)

    def same_times(self, other: Limits) -> bool:
        return (self.soft, self.hard) == (other.soft, other.hard)


@dataclass(frozen=True)
class Wish:
    """What the user asked for: a name in `given`, with None as the value that takes a limit off."""

    task: str
    given: Mapping[str, Any] = field(default_factory=dict)

    def applied(self, limits: Limits) -> Limits:
        """What limits would become; a rate that is the same by value keeps its text."""
        changed = replace(limits, **self.given)
        return replace(changed, rate=limits.rate) if changed.same_rate(limits) else changed


def wish_of(task: str, rate: str | None, soft: str | None, hard: str | None) -> Wish:
    """Check what the user asked for.

    Raises:
        CeleryOpsError: A value isn't valid, or the soft limit is above the hard one.
    """
    given: dict[str, Any] = {}
    if rate is not None:
        given["rate"] = None if _is_off(rate) else rate.replace(" ", "")
        _check_rate(rate, given["rate"])
    for name, option, text in (("soft", "soft_time_limit", soft), ("hard", "time_limit", hard)):
        if text is not None:
            given[name] = _seconds(option, text)
    check_order(Limits(**given))
    return Wish(task, given)


def per_second(rate: str | None) -> Fraction:
    """A rate as a number of tasks per second; 0 for no limit, as Celery takes it."""
    match = _RATE.match(rate or "0")
    return Fraction(match[1]) / _UNITS[match[2] or ""] if match else Fraction(0)


def read_limits(task: str, registered: Iterable[str]) -> Limits | None:
    """The limits of a task by a node's answer to `registered`; None if it doesn't know it."""
    for entry in registered:
        name, _bracket, details = entry.partition(" [")
        if name == task:
            pairs = (part.partition("=") for part in details.rstrip("]").split(" "))
            return limits_of({key: value for key, sign, value in pairs if sign})
    return None


def limits_of(values: Mapping[str, Any]) -> Limits:
    """The limits by their names, as numbers or as text."""
    rate, soft, hard = (str(values.get(name)) for name in ATTRIBUTES)
    return Limits(rate if per_second(rate) else None, _time(soft), _time(hard))


def shown(limits: Limits) -> dict[str, Any]:
    """The limits by their names, for results and diffs."""
    return dict(zip(ATTRIBUTES, (limits.rate, limits.soft, limits.hard), strict=True))


def check_order(limits: Limits, where: str = "") -> None:
    """Refuse a soft time limit that never has an effect.

    Args:
        limits: The limits.
        where: Where they would hold, as a part of the sentence.

    Raises:
        CeleryOpsError: It is above the hard one.
    """
    if limits.soft is not None and limits.hard is not None and limits.soft > limits.hard:
        raise CeleryOpsError(
            f"`soft_time_limit` would be above `time_limit`{where} ({limits.soft:g} s and "
            f"{limits.hard:g} s), and never have an effect: give both."
        )


def keeping(file: PoolFile, wish: Wish, declared: Mapping[str, Any]) -> PoolFile:
    """A pool's file with what was asked for.

    The rest is as it was kept before, or else as it is declared.

    Args:
        file: The file.
        wish: The task and its limits.
        declared: The limits that the app and its settings give the task. As soon as they are
            others, workers take these.

    Raises:
        CeleryOpsError: The limits can't be kept.
    """
    try:
        kept = json.loads(file.before.get(TASK_LIMITS, "{}"))
    except ValueError as error:
        raise CeleryOpsError(
            f"{file.path} holds a {TASK_LIMITS} that isn't JSON ({error}): remove the line."
        ) from error
    known = kept.pop(wish.task, {})
    own = limits_of(declared)
    counts = known.get("declared") == declared
    limits = wish.applied(limits_of(known["live"]) if counts else own)
    check_order(limits, " from the next start on")
    if not (limits.same_rate(own) and limits.same_times(own)):
        kept[wish.task] = {"declared": dict(declared), "live": shown(limits)}
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True)
    return file.with_values((TASK_LIMITS,), {TASK_LIMITS: text} if kept else {})


def _is_off(text: str) -> bool:
    return text.strip().lower() in (NONE, "0", "0.0")


def _check_rate(text: str, rate: str | None) -> None:
    if rate is not None and not per_second(rate):
        raise CeleryOpsError(
            f"`rate_limit` must be a number of tasks per second, or per unit like 10/s, 10/m or "
            f"10/h, or none to take it off, not '{text}'."
        )


def _seconds(option: str, text: str) -> float | None:
    if _is_off(text):
        return None
    if not _SECONDS.match(text.strip()) or not float(text):
        raise CeleryOpsError(
            f"`{option}` must be a number of seconds above 0, or none to take it off, not '{text}'."
        )
    return float(text)


def _time(text: str) -> float | None:
    return float(text) if _SECONDS.match(text) and float(text) else None
