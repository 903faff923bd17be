# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user wants to send."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._task_order import (
    Signature,
    Timing,
    order_of,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)
LINK: dict[str, Any] = dict.fromkeys(["args", "kwargs", "queue", "priority"])
WHEN = dict.fromkeys(["countdown", "eta", "expires"])
NOTHING: dict[str, Any] = {
    **dict.fromkeys(["task", "chain", "group", "headers", "stamps", "id"]),
    **LINK,
    **WHEN,
}


def test_a_task() -> None:
    params = {"task": "shop.add", "args": [1], "kwargs": {"b": 2}, "queue": "q", "id": "x"}
    order = order_of({**NOTHING, **params}, NOW)
    assert (order.kind, order.id, order.given, order.timing) == ("task", "x", True, Timing())
    assert order.signatures == [Signature("x", "shop.add", (1,), {"b": 2}, "q")]
    assert (order.posted, order.awaited) == (order.signatures, ["x"])


def test_a_new_id() -> None:
    orders = [order_of({**NOTHING, "task": "t"}, NOW) for _ in range(2)]
    assert orders[0].id != orders[1].id
    assert not orders[0].given


def test_a_chain() -> None:
    links = [{**LINK, "task": "a"}, {**LINK, "task": "b", "queue": "z", "immutable": True}]
    order = order_of({**NOTHING, "chain": links, "queue": "q", "priority": 3, "id": "c"}, NOW)
    assert [(s.id, s.task, s.queue, s.priority, s.immutable) for s in order.signatures] == [
        ("c-1", "a", "q", 3, False),
        ("c-2", "b", "z", 3, True),
    ]
    assert order.posted == order.signatures[:1]
    assert order.awaited == ["c-2"]


def test_a_group() -> None:
    links = [{**LINK, "task": "a", "priority": 0}, {**LINK, "task": "b"}]
    order = order_of({**NOTHING, "group": links, "priority": 3, "id": "g"}, NOW)
    assert [s.priority for s in order.signatures] == [0, 3]
    assert (order.posted, order.awaited) == (order.signatures, ["g-1", "g-2"])


@pytest.mark.parametrize(
    ("options", "timing"),
    [
        ({"countdown": 30.0}, Timing(NOW + timedelta(seconds=30))),
        ({"countdown": 0.0}, Timing()),
        ({"eta": "2026-11-22T03:00:00Z"}, Timing(datetime(2026, 11, 22, 3, tzinfo=timezone.utc))),
        (
            {"eta": "2026-11-22 03:00:00+01:00"},
            Timing(datetime(2026, 11, 22, 2, tzinfo=timezone.utc)),
        ),
        ({"countdown": 30.0, "expires": 60.0}, Timing(NOW + timedelta(seconds=30), 60.0)),
    ],
)
def test_timing(options: dict[str, Any], timing: Timing) -> None:
    assert order_of({**NOTHING, "task": "t", **options}, NOW).timing == timing


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"countdown": -1.0}, "`countdown` must be 0 seconds or more"),
        ({"countdown": float("nan")}, "`countdown` must be"),
        ({"eta": "2026-11-22T03:00:00"}, "with its time zone"),
        ({"eta": "tomorrow"}, "not 'tomorrow'"),
        ({"expires": 0.0}, "`expires`"),
        ({"expires": 30.0, "countdown": 30.0}, r"may run \(in 30 s\)"),
        ({"priority": 256}, "from 0 to 255"),
        ({"priority": -1}, "from 0 to 255"),
    ],
)
def test_nonsense(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CeleryOpsError, match=sentence):
        order_of({**NOTHING, "task": "t", **options}, NOW)
