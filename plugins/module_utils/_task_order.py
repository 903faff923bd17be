# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection: it may change without notice.
"""What a user wants to send: one task, a chain or a group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError


@dataclass(frozen=True)
class Signature:
    """A task with its arguments, as it is to be sent.

    Attributes:
        id: The task's id.
        task: Its name.
        args: Its arguments by position.
        kwargs: Its arguments by name.
        queue: Where it goes; None for the app's own route.
        priority: As the broker understands it; None for the app's own.
        immutable: Whether it doesn't get the result of its predecessor in a chain.
    """

    id: str
    task: str
    args: Sequence[Any] = field(default=(), repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict, repr=False)
    queue: str | None = None
    priority: int | None = None
    immutable: bool = False


@dataclass(frozen=True)
class Timing:
    """When tasks may run.

    Attributes:
        eta: Not before this moment.
        expires: Seconds from now after which they are dropped.
    """

    eta: datetime | None = None
    expires: float | None = None


@dataclass(frozen=True)
class Order:
    """What is to be sent.

    Attributes:
        signatures: The tasks; in a chain, each one runs when the one before has succeeded.
        kind: task, chain or group.
        id: The id of the task, or the name under which a chain or a group is known.
        given: Whether the id is the user's, so that the same order is sent only once.
        timing: When the tasks may run; in a chain, the first one.
        headers: Further headers of their messages.
        stamps: Stamps by which they can be revoked together.
    """

    signatures: Sequence[Signature]
    kind: str
    id: str
    given: bool
    timing: Timing = Timing()
    headers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    stamps: Mapping[str, Any] = field(default_factory=dict)

    @property
    def posted(self) -> Sequence[Signature]:
        """The tasks that get a message of their own; a chain is one message."""
        return self.signatures[:1] if self.kind == "chain" else self.signatures

    @property
    def awaited(self) -> list[str]:
        """The ids whose results are the result of the order."""
        wanted = self.signatures[-1:] if self.kind == "chain" else self.signatures
        return [signature.id for signature in wanted]


def order_of(params: Mapping[str, Any], now: datetime) -> Order:
    """The order that a module's options describe.

    Raises:
        CeleryOpsError: An option's value makes no sense.
    """
    kind = next(kind for kind in ("task", "chain", "group") if params[kind])
    id_ = params["id"] or str(uuid4())
    given = params["id"] is not None
    timing = _timing(params, now)
    if kind == "task":
        signatures = [_signature(id_, params, params)]
    else:
        signatures = [
            _signature(f"{id_}-{number}", values, params)
            for number, values in enumerate(params[kind], start=1)
        ]
    return Order(
        signatures, kind, id_, given, timing, params["headers"] or {}, params["stamps"] or {}
    )


def _signature(id_: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Signature:
    priority = values["priority"] if values["priority"] is not None else defaults["priority"]
    if priority is not None and not 0 <= priority <= 255:
        raise CeleryOpsError(f"`priority` must be from 0 to 255, not {priority}.")
    return Signature(
        id=id_,
        task=values["task"],
        args=tuple(values["args"] or ()),
        kwargs=dict(values["kwargs"] or {}),
        queue=values["queue"] or defaults["queue"],
        priority=priority,
        immutable=bool(values.get("immutable")),
    )


def _timing(params: Mapping[str, Any], now: datetime) -> Timing:
    eta = _moment(params["eta"]) if params["eta"] else None
    if params["countdown"] is not None:
        if params["countdown"] < 0 or not math.isfinite(params["countdown"]):
            raise CeleryOpsError(
                f"`countdown` must be 0 seconds or more, not {params['countdown']}."
            )
        eta = now + timedelta(seconds=params["countdown"]) if params["countdown"] else None
    expires = params["expires"]
    if expires is not None:
        delay = max(0.0, (eta - now).total_seconds()) if eta else 0.0
        if not delay < expires < math.inf:
            raise CeleryOpsError(
                f"`expires` ({expires} s from now) must be after the moment at which the task may "
                f"run (in {delay:.0f} s)."
            )
    return Timing(eta, expires)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CeleryOpsError(
            f"`eta` must be a moment with its time zone, like 2030-01-31T03:00:00+00:00, "
            f"not {text!r}."
        )
    return moment.astimezone(timezone.utc)
