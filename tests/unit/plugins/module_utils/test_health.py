# Copyright (c) 2026, The celeryops.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.celeryops.cluster.plugins.module_utils._control_file import (
    Broker,
    Cluster,
    Node,
)
from ansible_collections.celeryops.cluster.plugins.module_utils._health import Health, examine
from ansible_collections.celeryops.cluster.plugins.module_utils._nodes import Selection

Make = Callable[..., Any]
WHOLE = Selection(("all",))
RELEASE = "1.0.0-a"


@pytest.fixture
def inventory(cluster: Cluster) -> Cluster:
    """Two nodes, a1 and b1, on one host."""

    def node(name: str, kind: str = "prefork") -> Node:
        return Node(name, "w1", name[0], kind, ("default",), 2, RELEASE)

    nodes = {name: node(name) for name in ("a1@w1", "b1@w1")}
    return replace(cluster, nodes=nodes)


def healthy(worker: Make, **options: Any) -> Any:
    return worker(**{"release": RELEASE, **options})


def reasons(health: Health, node: str = "a1@w1") -> list[str]:
    assert health.nodes[node].healthy == (not health.nodes[node].reasons)
    return health.nodes[node].reasons


def test_a_healthy_cluster_costs_one_round(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker), b1=healthy(worker))
    client.sizes = {"default": 7}
    result = examine(client, inventory, WHOLE).result()
    assert (result["healthy"], result["reasons"]) == (True, [])
    assert result["nodes"]["a1@w1"] == {
        "healthy": True,
        "reasons": [],
        "kind": "prefork",
        "processes": 2,
        "queues": ["default"],
        "active": 0,
        "reserved": 0,
        "release": RELEASE,
    }
    assert result["queues"] == {"default": {"ready": 7, "consumers": ["a1@w1", "b1@w1"]}}
    assert client.now < 1.0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"silent_from": 0.0}, "doesn't answer within 6.0 s"),
        ({"size": 0}, "has no process: it takes tasks and never runs them"),
        ({"consumed": []}, "consumes from no queue: it is paused, and should consume from 'd"),
        ({"consumed": ["mail"]}, "doesn't consume from 'default'"),
        ({"consumed": ["default", "mail"]}, "consumes from 'mail', which it shouldn't"),
        ({"release": "0.9.0-b"}, "runs release 0.9.0-b instead of 1.0.0-a"),
        ({"duplicated": True}, "more than one worker bears this name: give each its own"),
        ({"refusing": {"stats": "broken"}}, "answers only in part: it is overloaded, or starting"),
        ({"refusing": {"active_queues": "x"}}, "answers only in part: it is overloaded"),
        ({"reserved": ["t"]}, "holds 1 tasks and began none in 3 s: it is wedged"),
    ],
)
def test_faults(
    fleet: Make, worker: Make, inventory: Cluster, options: dict[str, Any], reason: str
) -> None:
    client = fleet(a1=healthy(worker, **options), b1=healthy(worker))
    health = examine(client, inventory, WHOLE)
    assert any(reason in found for found in reasons(health))
    assert reasons(health, "b1@w1") == []
    assert not health.result()["healthy"]
    assert health.reasons[0].startswith("a1@w1: ")


def test_a_node_that_does_not_tell_its_release(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    client = fleet(
        a1=worker(refusing={"celeryops": "unknown command 'celeryops'"}), b1=worker(release=None)
    )
    health = examine(client, inventory, WHOLE)
    assert (health.reasons, health.errors) == ([], {})
    assert health.nodes["a1@w1"].release is None


def test_plain_apps_are_not_asked_for_their_release(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    nodes = {name: replace(node, release=None) for name, node in inventory.nodes.items()}
    client = fleet(a1=worker(), b1=worker())
    examine(client, replace(inventory, nodes=nodes), WHOLE)
    assert "celeryops" not in {command for command, _node, _arguments in client.sent}


def test_errors_are_told(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, refusing={"stats": "x", "active": "y"}), b1=healthy(worker))
    assert examine(client, inventory, WHOLE).errors == {"a1@w1": "stats: x; active: y"}


def test_a_node_between_two_tasks_is_not_wedged(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    busy = healthy(worker, reserved=["t"])
    client = fleet(a1=busy, b1=healthy(worker))

    def work(command: str) -> None:
        busy.started += command == "stats"

    client.before_command = work
    assert examine(client, inventory, WHOLE).reasons == []
    assert client.now > 3.0


def test_no_second_look_without_time(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(timeout=3.5, a1=healthy(worker, reserved=["t"]), b1=healthy(worker))
    assert examine(client, inventory, WHOLE).reasons == []
    assert client.now < 1.0


def test_a_busy_solo_worker(fleet: Make, worker: Make, inventory: Cluster) -> None:
    nodes = {"a1@w1": replace(inventory.nodes["a1@w1"], kind="solo")}
    client = fleet(a1=worker(silent_from=0.0))
    (reason,) = reasons(examine(client, replace(inventory, nodes=nodes), WHOLE))
    assert "between two tasks only" in reason


def test_unknown_nodes_and_beats(fleet: Make, worker: Make, inventory: Cluster) -> None:
    workers = {"a1": healthy(worker), "b1": healthy(worker), "old1": worker()}
    client = fleet(**workers, celerybeat=worker())
    health = examine(client, inventory, WHOLE)
    assert (health.unknown_nodes, health.reasons) == (["old1@w1"], [])

    narrow = examine(fleet(**workers), inventory, Selection(pool="a"))
    assert (narrow.unknown_nodes, list(narrow.nodes)) == ([], ["a1@w1"])


def test_a_duplicate_that_is_not_in_the_inventory(
    fleet: Make, worker: Make, inventory: Cluster
) -> None:
    client = fleet(a1=healthy(worker), b1=healthy(worker), old1=worker(duplicated=True))
    assert examine(client, inventory, WHOLE).reasons == [
        "old1@w1: more than one worker bears this name, which isn't in the inventory"
    ]


def test_a_queue_without_consumer(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, consumed=[]), b1=healthy(worker, consumed=[]))
    client.sizes = {"default": None}
    health = examine(client, inventory, WHOLE)
    assert health.queues == {"default": {"ready": None, "consumers": []}}
    assert "no examined node shows that it consumes from queue 'default'" in health.reasons


def test_without_an_inventory(fleet: Make, worker: Make) -> None:
    unknown = Cluster(Broker("redis://b", "x"))
    health = examine(fleet(a1=worker(), b1=worker(consumed=[])), unknown, Selection())
    assert reasons(health) == []
    assert reasons(health, "b1@w1") == ["consumes from no queue: it is paused"]
    assert examine(fleet(), unknown, Selection()).reasons == ["no worker node answers"]


def test_other_kinds_of_pools(fleet: Make, worker: Make, inventory: Cluster) -> None:
    client = fleet(a1=healthy(worker, kind="threads"), b1=healthy(worker, kind="gevent"))
    health = examine(client, inventory, WHOLE)
    assert [node.kind for node in health.nodes.values()] == ["threads", "gevent"]
    assert health.reasons == []
