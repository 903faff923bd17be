# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import Cluster
from ansible_collections.celeryops.cluster.plugins.module_utils._errors import CeleryOpsError
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection
from ansible_collections.celeryops.cluster.plugins.module_utils._queue_info import (
    Order,
    gather_queues,
    oldest,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._queues import Message, Reading
from ansible_collections.celeryops.cluster.plugins.module_utils._replies import Replies

ALL = Selection(("all",))
STAMPED = Message("1", "a.b", 100.0)
YOUNGER = Message("2", "a.b", 107.0)
BARE = Message("3", "a.b", None)


@pytest.mark.parametrize(
    ("heads", "stayed", "age", "kind"),
    [
        ([STAMPED, YOUNGER], None, 10.0, "exact"),
        ([Message("1", "a.b", 111.0)], None, 0.0, "exact"),
        ([YOUNGER, BARE], None, 3.0, "at_least"),
        ([YOUNGER, BARE], 5.0, 5.0, "at_least"),
        ([BARE], 5.0, 5.0, "at_least"),
        ([BARE], None, None, "unknown"),
        ([], None, None, "unknown"),
        (None, None, None, "unknown"),
    ],
)
def test_ages(heads: Any, stayed: float | None, age: float | None, kind: str) -> None:
    reading = Reading(exists=True, ready=2, heads=heads)
    assert oldest(reading, 110.0, stayed) == {"age": age, "kind": kind}


def test_in_an_empty_queue_nothing_is_old() -> None:
    assert oldest(Reading(exists=True), 110.0, None) == {"age": None, "kind": "exact"}


class Broker:
    def __init__(self, *moments: dict[str, Reading]) -> None:
        self.moments = list(moments)
        self.asked: list[list[str]] = []

    def run(self, step: Any) -> Any:
        return step(self)

    def read(self, names: Collection[str], _most: int) -> dict[str, Reading]:
        self.asked.append(sorted(names))
        readings = self.moments.pop(0) if self.moments else {}
        return {name: readings.get(name, Reading(exists=False)) for name in names}

    def known(self) -> list[str]:
        return ["default", "legacy", "cpu1@w1.dq2"]


class Workers:
    """Each node consumes from one queue and its direct one; nodes of host w2 are silent."""

    duplicates: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.asked: dict[str, list[str]] = {}
        self.strangers: dict[str, bool] = {}

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        time.sleep(0.01)

    def call_all(self, calls: Any, **_: Any) -> list[Replies]:
        self.strangers |= {call.command: not call.directed for call in calls}
        return [self._reply(call.command, sorted(call.nodes)) for call in calls]

    def _reply(self, command: str, nodes: list[str]) -> Replies:
        self.asked[command] = nodes
        answers = {node: self._answer(command, node) for node in nodes if node.endswith("@w1")}
        errors = {"io1@w1": "no stats"} if command == "stats" else {}
        return Replies(
            {node: answer for node, answer in answers.items() if node not in errors},
            errors,
            missing=[node for node in nodes if not node.endswith("@w1")],
        )

    def _answer(self, command: str, node: str) -> Any:
        queue = "io" if node.startswith("io") else "default"
        ago = 3.0 if node == "cpu1@w1" else 1.0
        return {
            "active_queues": [{"name": queue}, {"name": f"{node}.dq2"}],
            "stats": {"pool": {"implementation": "prefork:TaskPool", "processes": [1, 2]}},
            "celeryops": {"waits": {"default": {"wait": ago * 2, "ago": ago}}},
        }[command]


def gather(cluster: Cluster, broker: Broker, order: Order, selection: Selection = ALL) -> Any:
    client: Any = Workers()
    return gather_queues(client, cluster, broker.run, selection, order), client


def test_all_queues_of_the_app(cluster: Cluster) -> None:
    broker = Broker({"default": Reading(True, 4, {0: 4}, 2, heads=[STAMPED])})
    info, client = gather(cluster, broker, Order())
    assert broker.asked == [["default", "io", "one"]]
    default = info.queues["default"]
    assert (default["ready"], default["priorities"], default["unacked"]) == (4, {0: 4}, 2)
    assert (default["nodes"], default["processes"]) == (["cpu1@w1", "cpu2@w1"], 4)
    assert default["head"] == {"id": "1", "task": "a.b"}
    assert default["oldest"]["kind"] == "exact"
    assert default["wait"] == {"seconds": 2.0, "ago": 1.0, "node": "cpu2@w1"}
    assert default["unknown"] == {}
    assert info.queues["io"]["nodes"] == ["io1@w1"]
    assert info.queues["io"]["processes"] == 0
    assert (info.queues["one"]["exists"], info.queues["one"]["nodes"]) == (False, [])
    assert info.missing == ["cpu1@w2", "one1@w2"]
    assert info.errors == {"io1@w1": "no stats"}
    assert info.nodes["cpu1@w1"] == {"queues": ["cpu1@w1.dq2", "default"], "processes": 2}
    assert client.asked["celeryops"] == ["cpu1@w1", "cpu2@w1", "io1@w1"]
    assert client.strangers == {"active_queues": True, "stats": True, "celeryops": False}


def test_the_queues_of_some_nodes(cluster: Cluster) -> None:
    broker = Broker()
    _info, client = gather(cluster, broker, Order(), Selection(("io1@w1",)))
    assert broker.asked == [["io"]]
    assert not any(client.strangers.values())


def test_globs_find_more(cluster: Cluster) -> None:
    broker = Broker()
    gather(cluster, broker, Order(["leg*", "*.dq2", "nosuch"]))
    assert broker.asked == [["cpu1@w1.dq2", "cpu2@w1.dq2", "io1@w1.dq2", "legacy", "nosuch"]]
    with pytest.raises(CeleryOpsError, match=r"no queue matches 'x\*'"):
        gather(cluster, broker, Order(["x*"]))


def test_what_is_not_known_has_a_reason(cluster: Cluster) -> None:
    reading = Reading(True, 1, unknown={"heads": "no peeking", "type": "no API"})
    info, _client = gather(cluster, Broker({"default": reading}), Order(["default"]))
    assert info.queues["default"]["unknown"] == {
        "head": "no peeking",
        "oldest": "no peeking",
        "type": "no API",
    }
    assert not info.queues["default"]["unacked_exact"]
    reading = Reading(True, 1, unacked=5, unacked_exact=False, heads=[BARE])
    info, _client = gather(cluster, Broker({"default": reading}), Order(["default"]))
    unknown = info.queues["default"]["unknown"]
    assert "only some" in unknown["unacked"]
    assert "write no stamp" in unknown["oldest"]


def test_a_second_look(cluster: Cluster) -> None:
    first = {"a": Reading(True, 1, heads=[BARE]), "b": Reading(True, 1, heads=[BARE])}
    again = {
        "a": Reading(True, 1, heads=[BARE]),
        "b": Reading(True, 1, heads=[Message("9", "x", None)]),
    }
    broker = Broker(first, again)
    info, client = gather(cluster, broker, Order(["a", "b"], observe=2.0))
    assert client.waited == [2.0]
    assert info.queues["a"]["oldest"]["kind"] == "at_least"
    assert info.queues["b"]["oldest"] == {"age": None, "kind": "unknown"}


def test_stamped_messages_need_no_second_look(cluster: Cluster) -> None:
    broker = Broker({"a": Reading(True, 1, heads=[STAMPED])})
    _info, client = gather(cluster, broker, Order(["a"], observe=2.0))
    assert client.waited == []
